"""The job that sends: when it looks, what it announces by itself, and what becomes of what it cannot send."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.notify.sending import sending
from app.records.model.ids import key_time, now
from app.records.model.receipt import Receipt
from app.records.model.state import Placement
from app.records.reading.deliveries import find_deliveries, oldest_waiting
from app.records.reading.read_session import read_session
from app.records.writing.announce import SETTLING
from app.reports.api.openapi import make_document
from app.reports.api.webhooks import MODELS
from app.voice.events import Kind
from settings.notify import EVENT_TYPES
from tests.notify.conftest import Listen, Open
from tests.notify.mailbox import Mailbox
from tests.notify.receiver import SECRET, Receiver, events_to
from tests.reports.caller import REPORTS_TOKEN
from tests.reports.history import make_receipt
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import until

HOUR = 3_600_000  # milliseconds


def test_the_job_looks_again_just_when_the_next_event_falls_due(open_office: Open, listen: Listen) -> None:
    office = open_office(**events_to(listen().url))
    job = sending(office.app)
    assert job.work() == 0.5  # The outbox is empty.
    office.missed_call()
    office.execute(f"UPDATE outbox SET due_at = {now() + SETTLING}")
    assert job.work() == 0.5
    due_in = 400
    office.execute(f"UPDATE outbox SET due_at = {now() + due_in}")

    assert 0 <= (job.work() or 0) <= due_in / 1000


def answered(number: int, *, minutes_ago: float) -> Receipt:
    """Return the receipt of a call that was answered with a dial some minutes ago."""
    call = {"CallUUID": f"call-{number}", "From": "+14155550199", "To": "+14155550100"}
    placement = Placement(dial_id=f"dial{number}", targets=("+14155550123",), route="main")
    return make_receipt(Kind.ANSWER, now() - round(minutes_ago * 60_000), call, placement=placement)


def look_for_silence(open_office: Open, settings: dict[str, str]) -> None:
    """Look as a server does that has just started, and send what that leads to."""
    office = open_office(**settings)
    office.send()
    sending(office.app).stop(patience=10)


def test_a_silence_of_the_webhooks_is_announced_once_and_ends_with_the_next_report(
    open_office: Open, listen: Listen
) -> None:
    receiver = listen()
    settings = events_to(receiver.url, "webhooks.quiet")
    office = open_office(**settings)
    office.services.journal.append_all([answered(number, minutes_ago=150) for number in range(3)])
    for _ in range(2):
        look_for_silence(open_office, settings)
    assert [one.event["data"] for one in receiver.deliveries] == [{"unreported_dials": 3}]
    assert receiver.deliveries[0].event["type"] == "webhooks.quiet"

    office.end("call-1", "dial1", "busy")
    look_for_silence(open_office, settings)
    assert len(receiver.deliveries) == 1

    office.services.journal.append_all([answered(number, minutes_ago=90) for number in range(100, 160)])
    for _ in range(2):
        look_for_silence(open_office, settings)
    assert len(receiver.deliveries) == 2


@pytest.fixture
def refusing(listen: Listen) -> tuple[Receiver, list[int]]:
    """Return a receiver and the list with the status it replies with."""
    statuses = [500]
    return listen(lambda _: (statuses[0], {})), statuses


def test_what_was_given_up_is_sent_again_on_request(open_office: Open, refusing: tuple[Receiver, list[int]]) -> None:
    receiver, statuses = refusing
    office = open_office(**events_to(receiver.url))
    office.missed_call()
    office.send()
    office.execute("UPDATE deliveries SET attempts = 9")
    office.send(after=86_400)
    listed = office.flask("events", "list", "--state", "dead")
    assert "dial.ended to EVENTS_URL: dead" in listed
    assert "status 500" in listed

    statuses[0] = 204
    assert office.flask("events", "resend", "--dead") == "1 delivery will be sent again.\n"
    office.send()

    assert office.flask("events", "list", "--state", "dead") == "No deliveries match.\n"
    assert len(receiver.deliveries) == 3
    assert len({(one.message_id, one.body) for one in receiver.deliveries}) == 1


def test_an_event_between_two_attempts_is_the_oldest_undelivered(
    open_office: Open, refusing: tuple[Receiver, list[int]]
) -> None:
    receiver, statuses = refusing
    office = open_office(**events_to(receiver.url))
    office.missed_call()
    office.send()
    for table in ("events", "deliveries"):
        office.execute(f"UPDATE {table} SET event_key = event_key - {HOUR << 22}")
    with read_session(office.services.store) as connection:
        (delayed,) = find_deliveries(connection, limit=2)
        waited = oldest_waiting(connection)

    assert delayed.due_at > now() - 1000  # Its next attempt is not due, or just so.
    assert waited >= HOUR
    assert waited <= now() - key_time(delayed.event_key)
    shown = office.client.get("/metrics", headers={"Authorization": f"Bearer {REPORTS_TOKEN}"}).text
    assert f"dialstatus_oldest_undelivered_seconds {waited // 1000}" in shown
    statuses[0] = 204
    office.send(after=60)
    with read_session(office.services.store) as connection:
        assert oldest_waiting(connection) == 0


PLAN = """
[routes.sales]
called = ["+14155550199"]
[routes.sales.steps.all]
ring = ["+14155550123"]
[routes.rest]
[routes.rest.steps.all]
ring = ["+14155550123"]
"""


def plan_file(directory: Path, more: str) -> str:
    """Write a plan with two routes; return its path."""
    path = directory / "plan.toml"
    path.write_text(PLAN + more)
    return str(path)


def test_each_address_gets_its_types_and_routes_alone(open_office: Open, listen: Listen, tmp_path: Path) -> None:
    sales, dials, everything = (listen() for _ in range(3))
    tables = [f'[events.sales]\nurl = "{sales.url}"\nsecret = "{SECRET}"\ntypes = ["call.ended"]\nroutes = ["sales"]']
    tables.append(f'[events.dials]\nurl = "{dials.url}"\nsecret = "{SECRET}"\ntypes = ["dial.ended"]')
    tables.append(f'[events.everything]\nurl = "{everything.url}"\nsecret = "{SECRET}"')
    office = open_office(DIAL_PLAN=plan_file(tmp_path, "\n".join(tables)), EVENTS_ALLOW_PRIVATE="true")
    office.missed_call("to-sales")
    office.missed_call("to-the-rest", To="14155550188")
    office.send()

    def seen(receiver: Receiver) -> list[tuple[str, str]]:
        return sorted((one.event["type"], one.event["data"].get("call_uuid", "-")) for one in receiver.deliveries)

    both = ["to-sales", "to-the-rest"]
    assert seen(sales) == [("call.ended", "to-sales")]
    assert seen(dials) == [("dial.ended", one) for one in both]
    assert seen(everything) == [
        *(("call.ended", one) for one in both),
        *(("dial.ended", one) for one in both),
        *(("followup.opened", "-"),),
        *(("followup.opened", "-"),),
    ]


def test_a_receiver_that_hangs_delays_no_other(open_office: Open, listen: Listen, tmp_path: Path) -> None:
    release = threading.Event()
    hanging, working = listen(lambda _: (204, {}) if release.wait(30) else (500, {})), listen()
    tables = [
        f'[events.{name}]\nurl = "{one.url}"\nsecret = "{SECRET}"\ntypes = ["call.ended"]\n'
        for name, one in (("hanging", hanging), ("working", working))
    ]
    office = open_office(DIAL_PLAN=plan_file(tmp_path, "".join(tables)), EVENTS_ALLOW_PRIVATE="true")
    for number in range(3):
        office.missed_call()
        office.execute("UPDATE outbox SET due_at = due_at - 2000")
        until(lambda number=number: sending(office.app).work() is not None and len(working.deliveries) > number)

    assert [one.event["type"] for one in working.deliveries] == ["call.ended"] * 3
    states = "SELECT DISTINCT state FROM deliveries WHERE address = 'events.hanging'"
    assert office.rows(states) == [("waiting",)]
    release.set()
    until(lambda: sending(office.app).work() is not None and office.rows(states) == [("delivered",)])
    assert {one.event["subject"] for one in hanging.deliveries} == {one.event["subject"] for one in working.deliveries}


def test_a_notice_of_the_quiet_hours_is_sent_when_they_end(open_office: Open, mailbox: Mailbox, tmp_path: Path) -> None:
    zone = ZoneInfo("Asia/Kolkata")
    around = [datetime.now(zone) + timedelta(hours=hours) for hours in (-1, 2)]
    quiet = "-".join(f"{one:%H:%M}" for one in around)
    table = f'[notify.team]\nurls = ["{mailbox.url}"]\nquiet = "{quiet}"\n'
    office = open_office(DIAL_PLAN=plan_file(tmp_path, table), TIMEZONE=str(zone), NOTIFY_ALLOW_PRIVATE="true")
    office.missed_call()
    office.send()
    assert mailbox.mails == []
    with read_session(office.services.store) as connection:
        assert oldest_waiting(connection) == 0  # It is not late.

    office.send(after=2 * 3600)
    assert [mail["subject"] for mail in mailbox.mails] == ["Missed call from +1 415-555-0100"]


def test_a_message_left_in_quiet_hours_is_told_with_its_call(
    open_office: Open, mailbox: Mailbox, tmp_path: Path
) -> None:
    around = [datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 2)]
    quiet = "-".join(f"{one:%H:%M}" for one in around)
    table = f'[notify.team]\nurls = ["{mailbox.url}"]\nquiet = "{quiet}"\n'
    office = open_office(DIAL_PLAN=plan_file(tmp_path, table), TIMEZONE="UTC", NOTIFY_ALLOW_PRIVATE="true")
    call_uuid = office.missed_call()
    office.send()
    message = {"RecordingID": "r1", "RecordUrl": "https://example.com/r1.mp3", "RecordingDurationMs": "12000"}
    office.post("/dialstatus/recording/", **inbound(call_uuid, **message))
    office.send()
    assert mailbox.mails == []

    office.send(after=2 * 3600)
    assert [mail["subject"] for mail in mailbox.mails] == ["Message from +1 415-555-0100"]


WATCHED = """
[routes.main.steps.team]
ring = ["+14155550123"]
dead_phones = { failures = 1, within = 10, rest = 5, then = "last" }
"""


def test_each_type_of_event_is_as_the_document_of_the_api_describes_it(
    open_office: Open, listen: Listen, tmp_path: Path
) -> None:
    (tmp_path / "plan.toml").write_text(WATCHED)
    receiver = listen()
    office = open_office(**events_to(receiver.url, ",".join(EVENT_TYPES)), DIAL_PLAN=str(tmp_path / "plan.toml"))
    office.services.journal.append_all([answered(number, minutes_ago=150) for number in range(3)])
    office.send()
    failed, reached = new_uuid(), new_uuid()
    for call_uuid, status, b_leg in ((failed, "failed", ""), (reached, "completed", "b1")):
        office.post("/dialstatus/", **inbound(call_uuid))
        report = {**dial_report(call_uuid, status, b_leg), "DialRingStatus": "false" if status == "failed" else "true"}
        office.post("/dialstatus/action/", **report)
        office.hang_up(call_uuid)
        office.send()
    message = {"RecordingID": "r1", "RecordUrl": "https://example.com/r1.mp3", "RecordingDurationMs": "12000"}
    office.post("/dialstatus/recording/", **inbound(failed, **message))
    office.send()

    assert {one.event["type"] for one in receiver.deliveries} == {*EVENT_TYPES}
    schemas = make_document()["components"]["schemas"]
    for event in (one.event for one in receiver.deliveries):
        name = MODELS[event["type"]].__name__.removesuffix("View")
        data = schemas[schemas[name]["properties"]["data"]["$ref"].rpartition("/")[2]]
        assert event["data"].keys() == data["properties"].keys() >= {*data["required"]}
        if name not in {"CallEvent", "DialEvent"}:  # Theirs are compared with the API's elsewhere.
            MODELS[event["type"]].model_validate(event)
