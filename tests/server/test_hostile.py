"""Whatever is sent to Plivo's routes: no 5xx, XML for everybody on the line, and unknown words kept."""

import json
from collections.abc import Callable, Iterator
from urllib.parse import quote_from_bytes, urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.calls import dial_report, new_uuid
from tests.support.server import Server

ROUTES = ("", "action/", "callback/", "ring/", "hangup/", "recording/", "fallback/", "phlo/")
PLIVOS_NAMES = (
    "CallUUID",
    "DialALegUUID",
    "DialBLegUUID",
    "DialStatus",
    "DialRingStatus",
    "DialHangupCause",
    "DialAction",
    "Event",
    "From",
    "To",
    "CallStatus",
    "SessionStart",
    "HangupCauseCode",
    "Duration",
    "EndTime",
    "DialBLegPosition",
    "DialDigitsMatch",
    "RecordingID",
    "RecordingDuration",
)
hostile_text = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["\0", "\r\nX: y", "]]>", "&amp;", "<Response>", "%00", "-1", "9" * 400, "x" * 5000, "\ud7ff", "🙂"]
    ),
)
pairs = st.lists(st.tuples(st.sampled_from(PLIVOS_NAMES) | hostile_text, hostile_text), max_size=12)
raw_bodies = st.one_of(
    pairs.map(lambda fields: urlencode(fields).encode()),
    st.binary(max_size=200),
    st.sampled_from([b"%", b"%zz=%", b"=&=&&;", b"a=%ff%fe", b"CallUUID=%00", b"&" * 2000]),
)
json_bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | hostile_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PLIVOS_NAMES), inner, max_size=4),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())


@pytest.fixture
def open_server(start_server: Callable[..., Server], database_url: str) -> Iterator[Server]:
    """Start a server that checks no signature, so that all of this reaches the inside."""
    server = start_server(DATABASE_URL=database_url, PLIVO_AUTH_TOKEN="")
    yield server
    faults = ("Traceback", "control_failed", "batch_failed", "receipt_spooled", "notice_not_kept")
    assert not [line for line in server.lines if any(fault in line for fault in faults)]


def assert_safe(server: Server, method: str, route: str, query: str, body: bytes, content_type: str) -> None:
    """Send it and check what comes back."""
    target = f"/dialstatus/{route}" + (f"?{query}" if query else "")
    reply = server.request(method, target, body, {"Content-Type": content_type})
    assert reply.status < 500, (reply, method, target, body)
    if route != "phlo/":
        assert reply.content_type == "application/xml"
        assert ElementTree.fromstring(reply.body).tag == "Response"


hostile = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@hostile
@given(route=st.sampled_from(ROUTES), query=st.binary(max_size=80), body=raw_bodies)
def test_a_hostile_form_is_answered(open_server: Server, route: str, query: bytes, body: bytes) -> None:
    encoded = quote_from_bytes(query, safe="=&%+;")

    assert_safe(open_server, "POST", route, encoded, body, "application/x-www-form-urlencoded")


@hostile
@given(route=st.sampled_from(ROUTES), fields=pairs)
def test_a_hostile_query_is_answered(open_server: Server, route: str, fields: list[tuple[str, str]]) -> None:
    assert_safe(open_server, "GET", route, urlencode(fields)[:8000], b"", "text/plain")


@hostile
@given(route=st.sampled_from(ROUTES), body=json_bodies)
def test_hostile_json_is_answered(open_server: Server, route: str, body: bytes) -> None:
    assert_safe(open_server, "POST", route, "", body, "application/json")


@hostile
@given(route=st.sampled_from(ROUTES), body=st.binary(max_size=200))
def test_a_broken_multipart_form_is_answered(open_server: Server, route: str, body: bytes) -> None:
    assert_safe(open_server, "POST", route, "", body, "multipart/form-data; boundary=x")


def test_a_status_nobody_has_documented_is_kept_and_called_unknown(open_server: Server) -> None:
    call_uuid = new_uuid()

    reply = open_server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid, "teleported"), token=None)

    assert reply.status == 200
    [dial] = open_server.api(f"/calls/{call_uuid}").json()["dials"]
    assert (dial["dial_status"], dial["outcome"]) == ("teleported", "unknown")


def test_nested_json_beyond_all_reason_is_refused_with_400(open_server: Server) -> None:
    body = b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}"

    reply = open_server.request("POST", "/dialstatus/phlo/", body, {"Content-Type": "application/json"})

    assert reply.status == 400
