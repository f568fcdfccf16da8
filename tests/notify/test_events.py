"""Events about ended dials: from a real server to a real receiver."""

import threading
from collections.abc import Callable
from pathlib import Path

from tests.notify.conftest import Listen, Open
from tests.notify.office import make_office
from tests.notify.receiver import SECRET, Receiver, events_to
from tests.ops.collector import total
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import Server, free_port, until

Start = Callable[..., Server]


def report(server: Server, call_uuid: str | None = None, status: str = "busy") -> str:
    """Report how a dial ended; return the call's UUID."""
    call_uuid = call_uuid or new_uuid()
    assert server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid, status)).status == 200
    return call_uuid


def test_an_ended_dial_is_one_signed_event_with_the_dial_of_the_api(
    start_server: Start, database_url: str, listen: Listen
) -> None:
    receiver = listen()
    server = start_server(DATABASE_URL=database_url, WORKERS=2, **events_to(receiver.url))
    call_uuid = new_uuid()
    server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    for _ in range(3):
        report(server, call_uuid)

    until(lambda: receiver.deliveries)
    until(lambda: total(server, "dialstatus_outgoing_waiting") == 0)

    (delivery,) = receiver.deliveries
    assert delivery.path == "/hooks?for=dials"
    assert delivery.is_signed
    assert delivery.headers["content-type"] == "application/json"
    assert delivery.event["type"] == "dial.ended"
    (dial,) = server.api("/dials").json()["dials"]
    assert delivery.event["data"] == dial
    assert (dial["call_uuid"], dial["outcome"]) == (call_uuid, "busy")
    assert delivery.event["timestamp"] == dial["ended_at"]


def test_a_correction_during_a_delivery_is_not_lost(start_server: Start, listen: Listen) -> None:
    release = threading.Event()

    def hang_once(mine: Receiver) -> tuple[int, dict[str, str]]:
        if len(mine.deliveries) == 1:
            release.wait()
        return 204, {}

    receiver = listen(hang_once)
    server = start_server(WORKERS=1, **events_to(receiver.url))
    call_uuid = report(server, status="cancel")
    until(lambda: receiver.deliveries)
    server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid, "completed", "b-leg"))
    release.set()

    until(lambda: len(receiver.deliveries) == 2)
    assert receiver.deliveries[1].event["data"]["outcome"] == "answered"


def test_several_workers_send_each_event_once(start_server: Start, listen: Listen) -> None:
    receiver = listen()
    server = start_server(WORKERS=3, **events_to(receiver.url))
    sent = {report(server) for _ in range(50)}
    until(lambda: len(receiver.deliveries) >= 50)
    until(lambda: total(server, "dialstatus_outgoing_waiting") == 0)
    assert len(receiver.deliveries) == 50
    assert {delivery.event["data"]["call_uuid"] for delivery in receiver.deliveries} == sent


def test_an_event_that_was_not_accepted_is_sent_again_with_its_id(open_office: Open, listen: Listen) -> None:
    receiver = listen(lambda mine: (500 if len(mine.deliveries) == 1 else 200, {}))
    office = open_office(**events_to(receiver.url))
    office.missed_call()
    office.send()
    assert "waiting" in (listed := office.flask("events", "list"))
    assert "(status 500)" in " ".join(listed.split())
    office.send(after=6)

    first, second = receiver.deliveries
    assert first.message_id == second.message_id
    assert second.is_signed
    assert "delivered" in office.flask("events", "list")


def test_events_survive_a_kill(start_server: Start, listen: Listen) -> None:
    port = free_port()
    server = start_server(WORKERS=2, **events_to(f"http://127.0.0.1:{port}"))
    sent = {report(server) for _ in range(5)}
    server.kill()
    receiver = listen(port=port)
    server.start()
    until(lambda: {delivery.event["data"]["call_uuid"] for delivery in receiver.deliveries} == sent)


def test_a_receiver_that_hangs_keeps_no_caller_waiting(start_server: Start, listen: Listen) -> None:
    release = threading.Event()

    def hang(_: Receiver) -> tuple[int, dict[str, str]]:
        release.wait()
        return 200, {}

    receiver = listen(hang)
    server = start_server(WORKERS=1, THREADS=2, **events_to(receiver.url))
    for _ in range(3):
        report(server)
    until(lambda: receiver.deliveries)
    # The receiver answers only after all of these.
    for _ in range(20):
        report(server)
    release.set()


def test_a_redirect_is_not_followed(open_office: Open, listen: Listen) -> None:
    elsewhere = listen()
    office = open_office(**events_to(listen(lambda _: (302, {"Location": elsewhere.url})).url))
    office.missed_call()
    office.send()

    assert "(status 302)" in " ".join(office.flask("events", "list").split())
    assert not elsewhere.deliveries


def test_nothing_is_sent_to_a_private_address_unless_allowed(open_office: Open, listen: Listen) -> None:
    receiver = listen()
    office = open_office(**{**events_to(receiver.url), "EVENTS_ALLOW_PRIVATE": "false"})
    office.missed_call()
    office.send()

    assert "set EVENTS_ALLOW_PRIVATE=true to allow it" in " ".join(office.flask("events", "list").split())
    assert not receiver.deliveries


def test_the_receivers_url_is_in_no_log_line(start_server: Start) -> None:
    port = free_port()
    server = start_server(WORKERS=1, **events_to(f"http://127.0.0.1:{port}/a-path-for-us-only"))
    report(server)
    until(lambda: server.events("event_not_delivered"))
    server.stop()
    assert not [line for line in server.lines if "a-path-for-us-only" in line or SECRET in line]


def test_without_a_receiver_the_outbox_stays_empty(open_office: Open) -> None:
    office = open_office()
    office.missed_call()

    assert office.rows("SELECT (SELECT count(*) FROM dials), (SELECT count(*) FROM outbox)") == [(1, 0)]


CALLS = "call.ended,call.corrected,message.left"


def hang_up(server: Server, call_uuid: str, **more: str) -> None:
    """Report the end of a call."""
    hangup = inbound(call_uuid, CallStatus="completed", Event="Hangup", HangupCauseCode="4010", HangupSource="Plivo")
    assert server.plivo("POST", "/dialstatus/hangup/", {**hangup, **more}).status == 200


def test_a_call_is_one_event_once_it_is_over(start_server: Start, database_url: str, listen: Listen) -> None:
    receiver = listen()
    server = start_server(DATABASE_URL=database_url, WORKERS=2, **events_to(receiver.url, CALLS))
    call_uuid = new_uuid()
    server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    report(server, call_uuid)
    hang_up(server, call_uuid)

    until(lambda: receiver.deliveries)
    until(lambda: total(server, "dialstatus_outgoing_waiting") == 0)

    (delivery,) = receiver.deliveries
    event = delivery.event
    assert (event["type"], event["subject"], event["data"]["outcome"]) == ("call.ended", call_uuid, "busy")
    (call,) = server.api("/calls").json()["calls"]
    assert event["data"] == call
    assert event["timestamp"] == call["ended_at"]


def test_a_call_without_a_dial_is_an_event(open_office: Open, listen: Listen) -> None:
    receiver = listen()
    office = open_office(**events_to(receiver.url, CALLS))
    office.hang_up(new_uuid(), HangupSource="Caller", HangupCauseCode="1000", CallStatus="no-answer")
    office.send()

    assert receiver.deliveries[0].event["data"]["outcome"] == "caller_gave_up"


def test_a_later_report_corrects_the_event_and_a_message_is_an_event_of_its_own(
    database_url: str, tmp_path: Path, listen: Listen
) -> None:
    receiver = listen()
    recording = {"RecordingID": "r1", "RecordUrl": "https://example.com/r1.mp3", "RecordingDuration": "12"}
    recording |= {"RecordingDurationMs": "12000", "Event": "RecordStop"}
    with make_office(database_url, tmp_path, **events_to(receiver.url, CALLS)) as office:
        call_uuid = office.missed_call()
        office.send()
        office.post("/dialstatus/recording/", **inbound(call_uuid, **recording))
        office.send()

    ended, corrected, left = (delivery.event for delivery in receiver.deliveries)
    assert [ended["type"], corrected["type"], left["type"]] == ["call.ended", "call.corrected", "message.left"]
    assert ended["subject"] == corrected["subject"] == left["subject"] == call_uuid
    assert ended["revision"] < corrected["revision"] == left["revision"]
    assert corrected["data"]["outcome"] == "message_left"
    assert left["data"]["message"]["milliseconds"] == 12_000
    assert len({delivery.message_id for delivery in receiver.deliveries}) == 3
