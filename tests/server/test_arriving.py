"""A request is taken up when nobody would have to wait for more of it."""

import pytest

from app.server.arriving import MOST_BODY, awaits_consent, is_whole

HEAD = b"POST /dialstatus/ HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

WHOLE = [
    b"GET / HTTP/1.1\r\n\r\n",
    HEAD + b"Content-Length: 5\r\n\r\nabcde",
    HEAD + b"content-length:5\r\n\r\nabcde" + HEAD,
    HEAD + b"Content-Length: %d\r\n\r\n" % (MOST_BODY + 1),
    HEAD + b"Content-Length: nonsense\r\n\r\n",
    CHUNKED + b"5\r\nabcde\r\n0\r\n\r\n",
    CHUNKED + b"5;a=b\r\nabcde\r\n0\r\nTrailer: x\r\n\r\n",
    CHUNKED + b"zz\r\n",
    CHUNKED + b"-5\r\n",
    CHUNKED + b"%x\r\n" % MOST_BODY + b"a" * MOST_BODY + b"\r\n1\r\na\r\n",
    CHUNKED + b"fffffff\r\n" + b"a" * (MOST_BODY + 10),
]


@pytest.mark.parametrize("request_", WHOLE)
def test_what_needs_no_more_bytes_is_whole(request_: bytes) -> None:
    assert is_whole(request_)


@pytest.mark.parametrize("request_", [WHOLE[0], WHOLE[1], WHOLE[5], WHOLE[6]])
def test_every_beginning_of_a_request_is_not_whole(request_: bytes) -> None:
    assert not [length for length in range(len(request_)) if is_whole(request_[:length])]


def test_many_small_chunks_are_not_whole_before_their_end() -> None:
    chunks = b"1\r\na\r\n" * 12_000

    assert not is_whole(CHUNKED + chunks)
    assert is_whole(CHUNKED + chunks + b"0\r\n\r\n")


def test_the_end_of_a_chunked_body_is_not_mistaken_for_one_inside_a_chunk() -> None:
    assert not is_whole(CHUNKED + b"50\r\n0\r\n\r\n")


def test_who_waits_to_be_asked_for_the_body_is_known_by_its_head_alone() -> None:
    assert awaits_consent(HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert not awaits_consent(HEAD + b"Expect: 100-continue\r\n")
    assert not awaits_consent(HEAD + b"\r\nExpect: 100-continue\r\n\r\n")
