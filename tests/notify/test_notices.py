"""Notices about callers who reached nobody: to a real mail server."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.notify.conftest import Listen, Open
from tests.notify.mailbox import Mailbox, notices_to, text_of
from tests.notify.receiver import events_to
from tests.notify.test_events import hang_up, report
from tests.ops.collector import total
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import Server, until

Start = Callable[..., Server]


def test_a_missed_call_is_one_notice_in_plain_words(start_server: Start, database_url: str, mailbox: Mailbox) -> None:
    server = start_server(DATABASE_URL=database_url, WORKERS=2, **notices_to(mailbox))
    call_uuid = new_uuid()
    server.plivo("POST", "/dialstatus/", inbound(call_uuid, CallerName="Ada"))
    report(server, call_uuid, "no-answer")
    hang_up(server, call_uuid)
    reported = time.monotonic()

    until(lambda: mailbox.mails)
    took = time.monotonic() - reported
    until(lambda: total(server, "dialstatus_outgoing_waiting") == 0)

    (mail,) = mailbox.mails
    assert mail["subject"] == "Missed call from Ada, +1 415-555-0100"
    assert "Nobody picked up" in text_of(mail)
    assert "Called: +1 415-555-0199 (main)" in text_of(mail)
    assert took >= 2  # The last reports are awaited.


def test_a_notice_waits_for_the_end_of_the_whole_call(open_office: Open, mailbox: Mailbox, listen: Listen) -> None:
    receiver = listen()
    office = open_office(**notices_to(mailbox), **events_to(receiver.url))
    call_uuid = new_uuid()
    office.post("/dialstatus/", **inbound(call_uuid))
    office.post("/dialstatus/action/", **dial_report(call_uuid))
    office.send(after=3600)
    assert len(receiver.deliveries) == 1  # The dial's event is sent, and no notice with it.
    assert not mailbox.mails

    office.hang_up(call_uuid)
    office.send()
    assert len(mailbox.mails) == 1


def test_an_answered_call_is_no_notice(open_office: Open, mailbox: Mailbox) -> None:
    office = open_office(**notices_to(mailbox))
    call_uuid = new_uuid()
    office.post("/dialstatus/", **inbound(call_uuid))
    office.post("/dialstatus/action/", **dial_report(call_uuid, "completed", "b-leg"))
    office.hang_up(call_uuid)
    office.missed_call(From="14155550177")
    office.send()

    assert ["0177" in mail["subject"] for mail in mailbox.mails] == [True]


def test_a_message_that_comes_later_is_one_more_notice(open_office: Open, mailbox: Mailbox) -> None:
    office = open_office(**notices_to(mailbox))
    call_uuid = office.missed_call()
    office.send()
    message = {"RecordingID": "r1", "RecordUrl": "https://example.com/r1.mp3", "RecordingDurationMs": "12000"}
    written = {"recording_id": "r1", "transcription": "Please call me back."}
    for more in (message, message, written, written):
        office.post("/dialstatus/recording/", **inbound(call_uuid, **more))
        office.send()

    missed, left, transcribed = mailbox.mails
    assert missed["subject"] == "Missed call from +1 415-555-0100"
    assert left["subject"] == transcribed["subject"] == "Message from +1 415-555-0100"
    assert "12 seconds" in text_of(left)
    assert ["Please call me back." in text_of(mail) for mail in mailbox.mails] == [False, False, True]


def test_what_is_too_many_for_a_minute_is_one_notice_that_counts(open_office: Open, mailbox: Mailbox) -> None:
    office = open_office(**notices_to(mailbox))
    for number in range(17):
        office.missed_call(From=f"141555501{number:02}")
    office.send()

    (mail,) = mailbox.mails
    assert mail["subject"] == "17 calls reached nobody"
    assert text_of(mail).count("- Missed call from") == 3
    assert "and 14 more" in text_of(mail)


def test_numbers_are_masked_where_the_pages_mask_them(open_office: Open, mailbox: Mailbox) -> None:
    office = open_office(**notices_to(mailbox), MASK_NUMBERS="true")
    office.missed_call(CallerName="Ada +1 415 555 0100")
    office.send()

    (mail,) = mailbox.mails
    assert mail["subject"] == "Missed call from Ada …0100, …0100"
    assert "Called: …0199" in text_of(mail)
    assert "555" not in f"{mail['subject']}{text_of(mail)}"


def test_nothing_is_sent_to_a_private_address_unless_allowed(open_office: Open, mailbox: Mailbox) -> None:
    office = open_office(**notices_to(mailbox) | {"NOTIFY_ALLOW_PRIVATE": "false"})
    office.missed_call()
    office.send()

    assert not mailbox.mails
    assert "set NOTIFY_ALLOW_PRIVATE=true to allow it" in " ".join(office.flask("events", "list").split())


def test_a_refused_mail_is_sent_again(open_office: Open, mailbox: Mailbox) -> None:
    mailbox.refusals.append("451 later")
    office = open_office(**notices_to(mailbox))
    office.missed_call()
    office.send()
    assert not mailbox.mails

    office.send(after=6)
    assert len(mailbox.mails) == 1


def test_the_texts_can_be_replaced(open_office: Open, mailbox: Mailbox, tmp_path: Path) -> None:
    templates = tmp_path / "texts"
    templates.mkdir()
    (templates / "notice.txt").write_text("Verpasst: {{ events[0].data['from']|number }}\nBitte zurückrufen.\n")
    office = open_office(**notices_to(mailbox), NOTIFY_TEMPLATES=str(templates))
    office.missed_call()
    office.send()

    assert mailbox.mails[0]["subject"] == "Verpasst: +1 415-555-0100"
    assert text_of(mailbox.mails[0]).strip() == "Bitte zurückrufen."


PLAN = """
[routes.sales]
called = ["+14155550199"]
[routes.sales.steps.all]
ring = ["+14155550123"]
[routes.rest]
[routes.rest.steps.all]
ring = ["+14155550123"]
[notify.team]
urls = ["mailto://127.0.0.1:$MAIL_PORT?mode=insecure&from=calls@example.com&to=$TEAM"]
events = ["missed"]
routes = ["sales"]
"""


def test_the_plan_chooses_who_is_told_what(start_server: Start, mailbox: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    server = start_server(
        DIAL_PLAN=tmp_path / "plan.toml", MAIL_PORT=mailbox.port, TEAM="sales@example.com", NOTIFY_ALLOW_PRIVATE="true"
    )
    for more in ({"To": "14155550188"}, {"From": "14155550111"}):
        call_uuid = new_uuid()
        server.plivo("POST", "/dialstatus/", inbound(call_uuid, **more))
        server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid, **more))
        hang_up(server, call_uuid, **more)
    until(lambda: mailbox.mails and total(server, "dialstatus_outgoing_waiting") == 0)

    (mail,) = mailbox.mails
    assert mail["to"] == "sales@example.com"
    assert "0111" in mail["subject"]
    server.stop()
    assert not [line for line in server.lines if "sales@example.com" in line]
