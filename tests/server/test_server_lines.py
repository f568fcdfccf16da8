"""The lines a real server writes, and the id that runs through them."""

import json
from collections.abc import Callable

from tests.support.server import Server, until

Start = Callable[..., Server]
REPORT = {"CallUUID": "a-call", "DialStatus": "busy", "DialALegUUID": "a-call", "From": "+14155550100"}


def test_every_line_of_a_server_is_one_json_object(start_server: Start) -> None:
    server = start_server()
    server.plivo("POST", "/dialstatus/action/", REPORT)
    server.plivo("POST", "/dialstatus/action/", REPORT, token="another-made-up-token")
    until(lambda: server.events("signature_refused"))
    assert server.stop() == 0
    welcome_ends = max(number for number, line in enumerate(server.lines) if "flask --app wsgi simulate" in line)
    entries = [json.loads(line) for line in server.lines[welcome_ends + 1 :] if line and "Note:" not in line]
    assert {"time", "level", "logger", "event"} <= set.intersection(*(set(entry) for entry in entries))
    assert any(entry["logger"] == "gunicorn.error" for entry in entries)


def test_no_line_is_written_twice(start_server: Start) -> None:
    server = start_server(WORKERS=1)
    server.plivo("POST", "/dialstatus/action/", REPORT)
    until(lambda: server.events("dial_ended"))
    server.stop()
    assert len(until(lambda: server.events("dial_ended"))) == 1
    assert len(server.events("Handling signal: term")) == 1


def test_a_given_request_id_runs_through_line_receipt_and_reply(start_server: Start) -> None:
    server = start_server(VERIFY_SIGNATURES="off")
    connection = server.connect()
    connection.request("GET", "/dialstatus/action/?DialStatus=busy&CallUUID=a-call", headers={"X-Request-ID": "edge-7"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.headers["X-Request-ID"] == "edge-7"
    (line,) = until(lambda: server.events("dial_ended"))
    assert line["request_id"] == "edge-7"


def test_a_request_without_a_usable_id_gets_one(start_server: Start) -> None:
    server = start_server(VERIFY_SIGNATURES="off")
    given = []
    for headers in ({}, {"X-Request-ID": 'for"ged x'}, {"X-Request-ID": "x" * 101}):
        connection = server.connect()
        connection.request("GET", "/healthz", headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        given.append(answer.headers["X-Request-ID"])
    assert len(set(given)) == 3
    assert all(len(one) == 16 and one.isalnum() for one in given)
