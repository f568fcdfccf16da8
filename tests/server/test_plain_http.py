"""The short way of reading a request: it says what gunicorn says, or nothing."""

import io
from typing import Any

import pytest
from gunicorn.config import Config as GunicornConfig
from gunicorn.http.errors import ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import create
from hypothesis import given
from hypothesis import strategies as st

from app.dial.callback_urls import PREFIX
from app.dial.request import BODY
from app.server.arriving import is_webhook
from app.server.plain_http import Environ, PlainReply, base_environ, read

CLIENT, SERVER = ("203.0.113.7", 40000), ("127.0.0.1", 5000)
LIMITS = {"limit_request_line": 8190, "limit_request_fields": 100, "limit_request_field_size": 8190}
USUAL = (
    b"POST /dialstatus/action/?dial=d1&seal=x_- HTTP/1.1\r\nHost: calls.example.com\r\nUser-Agent: plivo\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\nX-Plivo-Signature-V3: abc=\r\n"
    b"X-Forwarded-Proto: https\r\n\r\nFrom=%2B"
)


def read_plainly(data: bytes) -> Environ | None:
    return read(data, base_environ(CLIENT, SERVER), LIMITS)


def read_by_gunicorn(data: bytes) -> dict[str, Any]:
    """Give the environ that gunicorn makes of the same bytes, its body read."""
    settings = GunicornConfig()
    for name, value in {**LIMITS, "http_parser": "fast", "forwarded_allow_ips": ""}.items():
        settings.set(name, value)
    request = next(RequestParser(settings, iter([data]), CLIENT))
    _, environ = create(request, io.BytesIO(), CLIENT, SERVER, settings)
    return {**environ, BODY: environ["wsgi.input"].read()}


def assert_agrees(data: bytes) -> None:
    """See that what is read here is all that an application gets from gunicorn, where anything is read at all."""
    mine = read_plainly(data)
    if mine is None:
        return
    theirs = read_by_gunicorn(data)
    names = {name for name in (*mine, *theirs) if name.isupper()} - {"SERVER_SOFTWARE"}
    assert {name: mine.get(name) for name in names} == {name: theirs.get(name) for name in names}
    assert mine["wsgi.url_scheme"] == theirs["wsgi.url_scheme"]
    assert mine[BODY] == theirs[BODY] == mine["wsgi.input"].read()


@pytest.mark.parametrize(
    "data",
    [
        USUAL,
        b"GET /dialstatus HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HEAD /dialstatus/?a=%C3%A9&b=+ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /dialstatus/?CallerName=?/ HTTP/1.1\r\nHost: x\r\nX-Name: caf\xe9\r\n\r\n",
    ],
)
def test_a_plain_request_is_read(data: bytes) -> None:
    assert is_webhook(data)
    assert read_plainly(data) is not None
    assert_agrees(data)


@pytest.mark.parametrize(
    "change",
    [
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"Host:", b"Host: y\r\nHost:"),
        (b"X-Plivo-Signature-V3:", b"X-A: 1\r\nX-A: 2\r\nX-B:"),
        (b"X-Forwarded-Proto:", b"X_Forwarded_Proto:"),
        (b"Content-Length: 8", b"Content-Length: 7"),
        (b"Content-Length: 8", b"Content-Length: 08"),
        (b"Content-Length: 8", b"Content-Length: 9"),
        (b"Content-Length: 8\r\n", b""),
        (b"Content-Length: 8", b"Content-Length: 8\r\nTransfer-Encoding: chunked"),
        (b"User-Agent:", b"Expect: 100-continue\r\nUser-Agent:"),
        (b"User-Agent:", b"Upgrade: h2c\r\nUser-Agent:"),
        (b"User-Agent: plivo", b"Connection: keep-alive, Upgrade"),
        (b"User-Agent: plivo", b"User-Agent: plivo\r\n folded"),
        (b"/dialstatus/action/", b"/dialstatus/%61ction/"),
        (b"?dial", b"#?dial"),
        (b"/dialstatus/action/", b"http://x/dialstatus/action/"),
        (b"/dialstatus/action/", b"/login"),
        (b"%2B", b"%2BGET / HTTP/1.1\r\n\r\n"),
    ],
)
def test_anything_unusual_is_left_to_gunicorn(change: tuple[bytes, bytes]) -> None:
    changed = USUAL.replace(*change)

    assert changed != USUAL
    assert read_plainly(changed) is None


PIECES = st.sampled_from(
    [
        b"POST ",
        b"GET ",
        b"/dialstatus/",
        b"/dialstatus",
        b"?a=b",
        b"%",
        b"#",
        b"//",
        b";",
        b"@",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"Host: x\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 0\r\n",
        b"Connection: close\r\n",
        b"X-A: b\r\n",
        b"X-A: \xff\r\n",
        b"X_A: b\r\n",
        b"A : b\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"\r\n",
        b"\n",
        b"abc",
        b"a=\x00",
        b"\t",
        b"Content-Type: text/plain\r\n",
        b"Script-Name: /x\r\n",
        b"Proxy: x\r\n",
    ]
)


@given(st.lists(PIECES, max_size=12).map(b"".join), st.lists(PIECES, max_size=3).map(b"".join))
def test_whatever_is_read_is_what_gunicorn_reads(middle: bytes, end: bytes) -> None:
    for data in (middle + end, b"POST /dialstatus/" + middle + b"\r\n" + end):
        try:
            assert_agrees(data)
        except (ParseException, StopIteration) as error:
            raise AssertionError(f"gunicorn refuses {data!r}") from error


@given(st.integers(0, len(USUAL) - 1), st.binary(max_size=3))
def test_a_request_with_other_bytes_is_read_as_gunicorn_reads_it(at: int, other: bytes) -> None:
    data = USUAL[:at] + other + USUAL[at + len(other) :]
    try:
        assert_agrees(data)
    except (ParseException, StopIteration) as error:
        raise AssertionError(f"gunicorn refuses {data!r}") from error


def test_the_prefix_looked_for_is_that_of_plivos_routes() -> None:
    assert is_webhook(b"GET %s/ring/ HTTP/1.1\r\n\r\n" % PREFIX.encode())
    assert not is_webhook(b"GET %s-not/ HTTP/1.1\r\n\r\n" % PREFIX.encode())


@pytest.mark.parametrize("method", ["POST", "HEAD"])
def test_a_reply_tells_its_length_and_a_head_has_no_body(method: str) -> None:
    environ = {"REQUEST_METHOD": method, "HTTP_CONNECTION": "Close"}
    reply = PlainReply(environ)
    reply.start_response("200 OK", [("Content-Type", "application/xml"), ("Content-Length", "999")])

    head, _, body = reply.collect([b"<Res", b"ponse/>"]).partition(b"\r\n\r\n")

    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 200 OK"
    assert {b"Content-Type: application/xml", b"Content-Length: 11", b"Connection: close"} <= set(lines)
    assert head.count(b"Content-Length") == 1
    assert body == (b"" if method == "HEAD" else b"<Response/>")
    assert reply.should_close()
