"""What a request costs that Plivo did not sign, and what of it is read."""

import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app import create_app
from app.context import EXTENSION
from app.dial.parameters import MAX_ESCAPES
from app.records.store import migrate
from app.voice.signature import make_nonce, sign_v3
from config import Config

TOKEN, OLD_TOKEN, PHLO_TOKEN = "a-made-up-auth-token", "another-made-up-auth-token", "a-made-up-phlo-token"
BASE = "http://127.0.0.1:5000"
FORM = "application/x-www-form-urlencoded"
KILOBYTES_64 = 64 * 1024


class Body(io.BytesIO):
    """A body that counts the bytes taken from it."""

    taken = 0

    def read(self, *args: Any) -> bytes:
        piece = super().read(*args)
        self.taken += len(piece)
        return piece

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        self.taken += count
        return count


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Return a function that makes an application; settings are keyword arguments."""
    made: list[Flask] = []

    def make(**settings: str) -> Flask:
        tokens = {"PLIVO_AUTH_TOKEN": f"{TOKEN},{OLD_TOKEN}", "PHLO_TOKEN": PHLO_TOKEN}
        app = create_app(Config.load({"INSTANCE_DIR": str(tmp_path), "DIAL_TO": "+14155550123", **tokens, **settings}))
        migrate.upgrade(app.extensions[EXTENSION].store)
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions[EXTENSION].journal.close()


def send(
    app: Flask,
    target: str = "/dialstatus/",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    method: str = "POST",
    content_type: str = FORM,
) -> tuple[int, str, int]:
    """Return the status, the document, and how many bytes of the body were read."""
    path, _, query = target.partition("?")
    stream = Body(body)
    environ = EnvironBuilder(
        path,
        BASE,
        query_string=query,
        method=method,
        input_stream=stream,
        content_type=content_type,
        headers=list((headers or {}).items()),
    ).get_environ()
    environ.update(CONTENT_LENGTH=str(len(body)), RAW_URI=target)
    pieces, status, _ = run_wsgi_app(app, environ)
    return int(status[:3]), b"".join(pieces).decode(), stream.taken


def signed(target: str, fields: Sequence[tuple[str, str]], token: str = TOKEN) -> dict[str, str]:
    nonce = make_nonce()
    signature = sign_v3(method="POST", url=BASE + target, params=fields, nonce=nonce, token=token)
    return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}


def calls_of(work: Callable[[], object]) -> int:
    """Count the function calls that some work takes, Python's and C's."""
    count = 0

    def profile(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


MANY = {f"a{number}": "%41" for number in range(400)}
LISTS = {
    "X-Plivo-Signature-V3": ",".join(["AA"] * 2700),
    "X-Plivo-Signature-Ma-V3": ",".join(["AA"] * 2700),
    "X-Plivo-Signature-V3-Nonce": "1",
    "X-Forwarded-Host": "x",
}
WRONG = {"X-Plivo-Signature-V3": "A" * 43 + "=", "X-Plivo-Signature-V3-Nonce": "1", "X-Forwarded-Host": "x"}
PARTS = "".join(f'--b\r\nContent-Disposition: form-data; name="f{n}"; filename="a"\r\n\r\n\r\n' for n in range(900))
HOSTILE: dict[str, dict[str, Any]] = {
    "long lists": {"target": f"/dialstatus/?{urlencode(MANY, safe='%')}", "body": b"a=b", "headers": LISTS},
    "400 parameters, wrong signature": {"target": f"/dialstatus/?{urlencode(MANY, safe='%')}", "headers": WRONG},
    "499 fields, wrong signature": {"body": "&".join(f"a{n}={n}" for n in range(499)).encode(), "headers": WRONG},
    "escapes, wrong signature": {"body": b"a=" + b"%41" * 21_800, "headers": WRONG},
    "escapes without a signature": {"body": b"a=" + b"%41" * 21_800},
    "multipart": {"body": f"{PARTS}--b--".encode(), "content_type": "multipart/form-data; boundary=b"},
    "multipart, wrong signature": {
        "body": f"{PARTS}--b--".encode(),
        "content_type": "multipart/form-data; boundary=b",
        "headers": WRONG,
    },
    "nested JSON": {"body": b'{"a":' + b"[" * 968 + b"]" * 968 + b"}", "content_type": "application/json"},
    "JSON for PHLO": {
        "target": "/dialstatus/phlo/",
        "body": json.dumps({f"a{n}": [[[[]]]] for n in range(900)}).encode(),
        "content_type": "application/json",
    },
    "multipart for PHLO": {
        "target": "/dialstatus/phlo/",
        "body": f"{PARTS}--b--".encode(),
        "content_type": "multipart/form-data; boundary=b",
        "headers": {"Authorization": "Bearer wrong"},
    },
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_unsigned_request_takes_ten_times_the_calls_of_a_plain_refusal(
    make_app: Callable[..., Flask], name: str
) -> None:
    app = make_app()
    send(app, **HOSTILE[name])  # The first one of a second is also explained, on another thread.

    plain = calls_of(lambda: send(app, body=b"CallUUID=a"))
    hostile = calls_of(lambda: send(app, **HOSTILE[name]))

    assert hostile < 10 * plain


@pytest.mark.parametrize("name", [name for name in HOSTILE if "wrong signature" not in name])
def test_a_body_is_not_read_where_the_headers_decide(make_app: Callable[..., Flask], name: str) -> None:
    status, document, taken = send(make_app(), **HOSTILE[name])

    assert (status, document, taken) == (403, "<Response/>", 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Plivo-Signature-V3": "A"},
        {"X-Plivo-Signature-V3-Nonce": "1"},
        {"X-Plivo-Signature-V3": "A", "X-Plivo-Signature-V3-Nonce": "a.b"},
        {"X-Plivo-Signature-V3": "A", "X-Plivo-Signature-V3-Nonce": "1" * 65},
        {"X-Plivo-Signature-V3": "A", "X-Plivo-Signature-V3-Nonce": ""},
        {"X-Plivo-Signature-V3": "A,A,A,A,A", "X-Plivo-Signature-V3-Nonce": "1"},
        {"X-Plivo-Signature-V3": "A" * 300, "X-Plivo-Signature-V3-Nonce": "1"},
        {"X-Plivo-Signature-V2": "A", "X-Plivo-Signature-V2-Nonce": "1"},
        {"X-Plivo-Signature": "A"},
    ],
)
def test_a_request_with_implausible_headers_is_refused_unread(
    make_app: Callable[..., Flask], headers: dict[str, str]
) -> None:
    assert send(make_app(), body=b"CallUUID=a", headers=headers) == (403, "<Response/>", 0)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"a=" + b"%41" * (MAX_ESCAPES + 1), 400),
        (b"&".join([b"a=b"] * 501), 400),
        (b"a=" + b"b" * KILOBYTES_64, 413),
    ],
)
def test_too_much_to_decode_is_refused_before_it_is_decoded(
    make_app: Callable[..., Flask], body: bytes, reason: int
) -> None:
    for settings in ({}, {"VERIFY_SIGNATURES": "off"}):
        status, document, _ = send(make_app(**settings), body=body, headers=WRONG)
        assert (status, document) == (reason, "<Response/>")


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=b"])
def test_only_phlo_sends_json_and_multipart(make_app: Callable[..., Flask], content_type: str) -> None:
    app = make_app(VERIFY_SIGNATURES="off")

    assert send(app, body=b"{}", content_type=content_type) == (415, "<Response/>", 0)


def test_the_reason_is_looked_for_once_a_second_and_off_the_path(
    make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(PUBLIC_URL="https://calls.example.com")
    fields = [("CallUUID", "a")]

    for _ in range(20):
        assert send(app, body=urlencode(fields).encode(), headers=signed("/dialstatus/", fields))[0] == 403
    app.extensions["dialstatus-refusals"].close()

    reasons = [vars(record)["reason"] for record in caplog.records if record.message == "signature_refused"]
    explained = [reason for reason in reasons if reason.startswith("host+scheme: Plivo signed http://127.0.0.1")]
    assert len(reasons) == 20, reasons
    assert 1 <= len(explained) <= 3, set(reasons)
    assert all(reason.startswith("signature: ") for reason in reasons if reason not in explained)


def test_two_tokens_are_both_tried(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    fields = [("CallUUID", "a"), ("From", "14155550100")]

    for token in (TOKEN, OLD_TOKEN):
        headers = signed("/dialstatus/", fields, token)
        assert send(app, body=urlencode(fields).encode(), headers=headers)[0] == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {PHLO_TOKEN}", 200),
        (f"bearer {PHLO_TOKEN}", 200),
        (f"BEARER   {PHLO_TOKEN}", 200),
        (PHLO_TOKEN, 403),
        (f"Basic {PHLO_TOKEN}", 403),
        (f"Bearer{PHLO_TOKEN}", 403),
        (f"Bearer {PHLO_TOKEN}x", 403),
        ("Bearer", 403),
        ("Bearer Bearer", 403),
        ("", 403),
    ],
)
def test_phlo_brings_its_token_as_a_bearer(make_app: Callable[..., Flask], header: str, status: int) -> None:
    body = json.dumps({"DialALegUUID": "a", "DialStatus": "busy"}).encode()

    reply = send(make_app(), "/dialstatus/phlo/", body, {"Authorization": header}, content_type="application/json")

    assert (reply[0], reply[2]) == (status, len(body) if status == 200 else 0)


@pytest.mark.parametrize("depth", [10, 900, 968, 969, 1200, 20_000])
def test_json_of_any_depth_is_answered(make_app: Callable[..., Flask], depth: int) -> None:
    body = b'{"DialALegUUID":"a","b":' + b"[" * depth + b"]" * depth + b"}"

    status, _, _ = send(
        make_app(),
        "/dialstatus/phlo/",
        body,
        {"Authorization": f"Bearer {PHLO_TOKEN}"},
        content_type="application/json",
    )

    assert status in {200, 400}
