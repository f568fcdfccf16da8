"""What a request says is read as everybody else reads it."""

from urllib.parse import parse_qsl

from hypothesis import example, given
from hypothesis import strategies as st

from app.dial.parameters import decode_form

# What decoding could mistake: every border and escape, in both cases, whole and cut off, and letters of other kinds.
PIECES = [
    "a",
    "b",
    "é",
    "=",
    "&",
    "+",
    "%",
    "%2B",
    "%2b",
    "%3A",
    "%3a",
    "%26",
    "%3D",
    "%3d",
    "%25",
    "2B",
    "%C3%A9",
    "%ff",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("From=%2B14155550100&SessionStart=2024-09-26+14%3A05%3A08")
@example("a=%252B&b=%25%33A")
def test_a_form_is_decoded_as_the_standard_library_decodes_it(text: str) -> None:
    assert list(decode_form(text)) == parse_qsl(text, keep_blank_values=True)
