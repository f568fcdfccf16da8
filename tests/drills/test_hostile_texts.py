"""Injection: into Dial XML, into the log, into a spreadsheet, as a URL to fetch."""

import csv
import io
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import pytest

from tests.drills.hostile import exchange
from tests.server.calls import inbound, new_uuid
from tests.support.server import Server, until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MARK = "injected"
BREAKS_OUT = f"\"'/></Number></Dial><Speak>{MARK}</Speak><!--&{MARK};]]>"
# Every parameter that Plivo documents for these routes, those of the older API, and two of a stranger's.
NAMES = (
    *("CallUUID", "From", "To", "CallerName", "Direction", "CallStatus", "Event", "ForwardedFrom", "ALegUUID"),
    *("ALegRequestUUID", "DialStatus", "DialRingStatus", "DialHangupCause", "DialALegUUID", "DialBLegUUID"),
    *("DialAction", "DialDigitsMatch", "DialBLegStatus", "DialBLegFrom", "DialBLegTo", "DialBLegPosition"),
    *("DialBLegHangupCauseName", "HangupCause", "HangupCauseName", "HangupCauseCode", "HangupSource"),
    *("RecordUrl", "RecordingID", "RecordFile", "RecordingDuration", "Digits", "SessionStart", "StartTime"),
    *("AnswerTime", "EndTime", "Duration", "BillDuration", "TotalCost", "BillRate", "STIRVerification"),
    *("ParentAuthID", "ConferenceName", "X-PH-Note", "SIP-H-To", "Anything", "dial", "route", "step", "round"),
    *("since", "seal"),
)  # fmt: skip
CONTROL = ("", "action/", "fallback/", "confirm/", "music/", "voicemail/")
# What differs in every reply: the dial's id, the time, the seal over both.
FRESH = re.compile(r"(dial|since|seal)=[\w=%.-]*")


@pytest.fixture
def server(start_server: Callable[..., Server], sqlite_url: str) -> Server:
    """Return a server that does not check signatures."""
    return start_server(DATABASE_URL=sqlite_url, VERIFY_SIGNATURES="off", PLIVO_AUTH_TOKEN="")


def shape(document: str) -> str:
    """Return a reply without what differs in every reply."""
    assert ElementTree.fromstring(document).tag == "Response"
    return FRESH.sub(r"\1", document)


def test_no_parameter_gets_into_a_reply(server: Server) -> None:
    """Replies hold the plan's texts, our URLs and a sealed ticket, and nothing that a stranger wrote."""
    for route in CONTROL:
        for name in NAMES:
            harmless = _replies(server, f"/dialstatus/{route}", name, "harmless")
            hostile = _replies(server, f"/dialstatus/{route}", name, BREAKS_OUT)

            assert hostile == harmless, (route, name)
            assert MARK not in "".join(hostile)


def _replies(server: Server, path: str, name: str, value: str) -> list[str]:
    """Send a parameter in the body, in the query of a POST and by GET; return the replies' shapes."""
    fields = {"CallUUID": new_uuid(), name: value}
    query = f"{path}?{urlencode(fields)}"
    replies = [
        server.request("POST", path, urlencode(fields), FORM),
        server.request("POST", query, urlencode({"CallUUID": new_uuid()}), FORM),
        server.request("GET", query),
    ]
    assert [reply.status for reply in replies] == [200] * len(replies)
    return [shape(reply.body) for reply in replies]


NO_HOSTS = (
    *(f'x"><Speak>{MARK}</Speak>', f"x/{MARK}", f"x?{MARK}", f"x@{MARK}", f"{MARK} x", f"x:80{MARK}"),
    *("a" * 300, f"[::1{MARK}]", ""),
)


def test_a_host_that_is_none_does_not_get_into_a_reply(server: Server) -> None:
    for host in NO_HOSTS:
        head = f"POST /dialstatus/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

        document = exchange(server, head.encode()).decode()

        assert MARK not in document
        if "200 OK" in document:
            assert f'action="http://127.0.0.1:{server.port}/dialstatus/action/' in document


def test_with_a_public_url_no_header_says_where_plivo_reports_to(start_server: Callable[..., Server]) -> None:
    server = start_server(PUBLIC_URL="https://calls.example.com", PLIVO_AUTH_TOKEN="", TRUSTED_PROXIES="1")

    reply = server.request(
        "POST",
        "/dialstatus/",
        "",
        {"Host": f"{MARK}.example", "X-Forwarded-Host": f"{MARK}.example", "X-Forwarded-Prefix": f"/{MARK}"},
    )

    assert MARK not in reply.body
    assert re.findall(r'="(https?://[^/]*)', unescape(reply.body)).count("https://calls.example.com") >= 2


LINES = ("\n", "\r\n", "\r", "\x1b[2K\x1b[1A", "\x00", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\u202e")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_text_makes_a_log_line_of_its_own(
    start_server: Callable[..., Server], sqlite_url: str, log_format: str
) -> None:
    """Each report writes one line, whatever its parameters, path and headers hold."""
    server = start_server(
        DATABASE_URL=sqlite_url, VERIFY_SIGNATURES="observe", LOG_FORMAT=log_format, PLIVO_AUTH_TOKEN="a-token-of-ours"
    )
    forged = '{"event": "forged", "level": "critical"}'
    names = ("CallUUID", "DialStatus", "DialHangupCause", "DialBLegUUID", "From", "To", "X-PH-Note")
    for index, breaker in enumerate(LINES):
        fields = {name: f"{index}{name}{breaker}{forged}" for name in names}
        target = f"/dialstatus/action/?dial={quote(breaker + forged)}"
        headers = {"X-Request-ID": "a\tb{}", "X-Forwarded-For": forged, "X-Plivo-Signature-V3": forged}
        assert server.request("POST", target, urlencode(fields), FORM | headers).status == 200
    exchange(server, f"GET /\x1b[2K HTTP/1.1\r\nHost: x\r\n{forged}\r\n\r\n".encode())
    ended = until(lambda: _with(server, "dial_ended", len(LINES)))

    assert len(ended) == len(LINES)
    for line in server.lines:
        assert line.isprintable(), line
        assert not line.startswith(forged)
        if log_format == "json" and line.startswith("{"):
            assert json.loads(line)["event"] != "forged"
        assert "a-token-of-ours" not in line


def _with(server: Server, event: str, count: int) -> list[str]:
    found = [line for line in server.lines if event in line]
    return found if len(found) >= count else []


def test_no_cell_of_the_file_is_a_formula(server: Server) -> None:
    for start in ("=", "+", "-", "@", "\t=", "\r=", "\n=", "＝", "＋", "－", "＠"):
        _report_texts(server, start)

    rows = list(csv.DictReader(io.StringIO(server.api("/dials.csv").body, newline="")))

    assert len({row["call_uuid"] for row in rows if "HYPERLINK" in row["call_uuid"]}) > 5
    for row in rows:
        for name, cell in row.items():
            assert not cell.startswith(tuple("=+-@\t\r\n＝＋－＠")) or re.fullmatch(r"[+-]?[0-9.]+", cell), (name, cell)


def _report_texts(server: Server, start: str) -> None:
    text = f'{start}HYPERLINK("http://127.0.0.1/";"x")'
    fields = inbound(new_uuid(), From=text, To=text, DialStatus=text, DialHangupCause=text, DialBLegUUID=text)
    fields |= {"DialALegUUID": text, "CallUUID": text, "HangupSource": text, "HangupCauseName": text}
    server.request("POST", "/dialstatus/action/", urlencode(fields), FORM)
    server.request("POST", "/dialstatus/callback/", urlencode(fields | {"DialAction": "hangup"}), FORM)


@dataclass
class Canary:
    """A server on this machine that counts connections."""

    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    visitors: list[bytes] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Return host and port."""
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def watch(self) -> None:
        """Record what every client sends, until the listener is closed."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.visitors.append(connection.recv(1000))


@pytest.fixture
def canary() -> Iterator[Canary]:
    """Yield a canary on a port of this machine."""
    canary = Canary()
    watching = threading.Thread(target=canary.watch, daemon=True)
    watching.start()
    yield canary
    canary.listener.shutdown(socket.SHUT_RDWR)
    canary.listener.close()
    watching.join(10)


ROUTES = (*CONTROL, "callback/", "ring/", "hangup/", "recording/", "phlo/")


def test_nothing_is_fetched_from_where_a_payload_points(server: Server, canary: Canary) -> None:
    url = f"http://{canary.address}/secret"
    call_uuid = new_uuid()
    fields = {name: url for name in NAMES if "UUID" not in name} | {"CallUUID": call_uuid}
    headers = {
        "X-Forwarded-Host": canary.address,
        "Referer": url,
        "Origin": url,
        "X-Forwarded-Proto": url,
        "Forwarded": f"host={canary.address}",
    }
    document = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "{url}">]><a>&x;</a>'

    for route in ROUTES:
        path = f"/dialstatus/{route}"
        assert server.request("POST", path, urlencode(fields), FORM | headers).status < 500
        assert server.request("GET", f"{path}?{urlencode(fields)}", headers=headers).status < 500
        assert server.request("POST", path, document, {"Content-Type": "text/xml"}).status < 500
        exchange(server, f"GET {url}/dialstatus/{route} HTTP/1.1\r\nHost: {canary.address}\r\n\r\n".encode())
    for page in (f"/calls/{call_uuid}", "/dials", "/dials.csv", "/dials.jsonl", "/summary"):
        assert server.api(page).status == 200
    recordings = [one for one in server.api(f"/calls/{call_uuid}").json()["receipts"] if one["kind"] == "recording"]

    assert recordings, "the URL never reached the application"
    # The canary works: this test is the first to be heard.
    with socket.create_connection(canary.listener.getsockname(), timeout=10) as visitor:
        visitor.sendall(b"it is me")
    until(lambda: canary.visitors)
    assert canary.visitors == [b"it is me"]
