"""HMAC-SHA256, held against the standard library's."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from app.voice.keyed_hash import keyed_hash


@given(key=st.binary(max_size=200), message=st.binary(max_size=200))
def test_it_is_what_the_standard_library_gives(key: bytes, message: bytes) -> None:
    assert keyed_hash(key, message) == hmac.digest(key, message, "sha256")
    assert keyed_hash(key, message) == hmac.digest(key, message, "sha256")  # What was begun is not used up.


def test_a_key_as_long_as_a_block_and_one_longer() -> None:
    for length in (63, 64, 65):
        assert keyed_hash(b"k" * length, b"said") == hmac.digest(b"k" * length, b"said", "sha256")
