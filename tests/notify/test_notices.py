"""Notices about callers who reached nobody: from a real server to a real mail server."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.notify.mailbox import Mailbox, text_of
from tests.ops.collector import total
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import Server, until

Start = Callable[..., Server]


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Yield a mail server."""
    server = Mailbox()
    yield server
    server.close()


def notices_to(mailbox: Mailbox, **more: str) -> dict[str, str]:
    """Return the settings that send notices there."""
    return {"NOTIFY_URLS": mailbox.url, "NOTIFY_ALLOW_PRIVATE": "true", "PUBLIC_URL": "", "WORKERS": "2", **more}


def missed_call(server: Server, call_uuid: str | None = None, **more: str) -> str:
    """Play a call that nobody answers; return its UUID."""
    call_uuid = call_uuid or new_uuid()
    server.plivo("POST", "/dialstatus/", inbound(call_uuid, **more))
    server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid, "no-answer", **more))
    hang_up(server, call_uuid, **more)
    return call_uuid


def hang_up(server: Server, call_uuid: str, **more: str) -> None:
    """Report the end of a call."""
    fields = inbound(call_uuid, CallStatus="completed", Event="Hangup", HangupCauseCode="4010", HangupSource="Plivo")
    assert server.plivo("POST", "/dialstatus/hangup/", {**fields, **more}).status == 200


def leave_message(server: Server, call_uuid: str) -> None:
    """Report a message of twelve seconds."""
    recording = {"RecordingID": "r1", "RecordUrl": "https://example.com/r1.mp3", "RecordingDurationMs": "12000"}
    assert server.plivo("POST", "/dialstatus/recording/", inbound(call_uuid, **recording)).status == 200


def is_settled(server: Server) -> bool:
    """Return whether nothing is left to send."""
    return total(server, "dialstatus_outgoing_waiting") == 0


def test_a_missed_call_is_one_notice_in_plain_words(start_server: Start, database_url: str, mailbox: Mailbox) -> None:
    server = start_server(DATABASE_URL=database_url, **notices_to(mailbox))
    missed_call(server, CallerName="Ada")
    reported = time.monotonic()

    until(lambda: mailbox.mails)
    took = time.monotonic() - reported
    until(lambda: is_settled(server))

    (mail,) = mailbox.mails
    assert mail["subject"] == "Missed call from Ada, +1 415-555-0100"
    assert "Nobody picked up" in text_of(mail)
    assert "Called: +1 415-555-0199 (main)" in text_of(mail)
    assert took >= 2  # The last reports are awaited.


def test_a_notice_waits_for_the_end_of_the_whole_call(start_server: Start, mailbox: Mailbox) -> None:
    server = start_server(**notices_to(mailbox, WORKERS="1", EVENTS_URL="http://127.0.0.1:9/", EVENTS_SECRET=SECRET))
    call_uuid = new_uuid()
    server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid, "no-answer"))
    until(lambda: server.events("event_not_delivered"))  # The dial's event is sent, and no notice with it.
    assert not mailbox.mails
    hang_up(server, call_uuid)
    until(lambda: mailbox.mails)


SECRET = "whsec_bWFkZS11cC1zZWNyZXQtb2YtdGhpcnR5LXR3by1ieXRlcyE="


def test_an_answered_call_is_no_notice(start_server: Start, mailbox: Mailbox) -> None:
    server = start_server(**notices_to(mailbox))
    call_uuid = new_uuid()
    server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid, "completed", "b-leg"))
    hang_up(server, call_uuid)
    missed = missed_call(server, From="14155550177")
    until(lambda: mailbox.mails and is_settled(server))
    assert missed
    assert ["0177" in mail["subject"] for mail in mailbox.mails] == [True]


def test_a_message_that_comes_later_is_one_more_notice(start_server: Start, mailbox: Mailbox) -> None:
    server = start_server(**notices_to(mailbox))
    call_uuid = missed_call(server)
    until(lambda: mailbox.mails)
    for _ in range(2):
        leave_message(server, call_uuid)
    until(lambda: len(mailbox.mails) == 2 and is_settled(server))
    assert mailbox.mails[1]["subject"] == "Message from +1 415-555-0100"
    assert "12 seconds" in text_of(mailbox.mails[1])


def test_many_at_once_are_one_notice(start_server: Start, mailbox: Mailbox) -> None:
    server = start_server(**notices_to(mailbox))
    for number in range(17):
        missed_call(server, From=f"141555501{number:02}")
    until(lambda: mailbox.mails and is_settled(server))
    assert len(mailbox.mails) <= 5
    assert any(re.search(r"and \d+ more", text_of(mail)) for mail in mailbox.mails)


def test_numbers_are_masked_where_the_pages_mask_them(start_server: Start, mailbox: Mailbox) -> None:
    server = start_server(**notices_to(mailbox, MASK_NUMBERS="true"))
    missed_call(server, CallerName="Ada +1 415 555 0100")
    until(lambda: mailbox.mails)
    (mail,) = mailbox.mails
    assert mail["subject"] == "Missed call from Ada …0100, …0100"
    assert "Called: …0199" in text_of(mail)


def test_nothing_is_sent_to_a_private_address_unless_allowed(start_server: Start, mailbox: Mailbox) -> None:
    server = start_server(**notices_to(mailbox, NOTIFY_ALLOW_PRIVATE="false"))
    missed_call(server)
    (line,) = until(lambda: server.events("event_not_delivered"))
    assert "NOTIFY_ALLOW_PRIVATE" in line["reason"]
    assert not mailbox.mails


def test_a_refused_mail_is_sent_again(start_server: Start, mailbox: Mailbox) -> None:
    mailbox.refusals.append("451 later")
    server = start_server(**notices_to(mailbox))
    missed_call(server)
    until(lambda: mailbox.mails)
    assert len(mailbox.mails) == 1


def test_the_texts_can_be_replaced(start_server: Start, mailbox: Mailbox, tmp_path: Path) -> None:
    templates = tmp_path / "texts"
    templates.mkdir()
    (templates / "notice.txt").write_text("Verpasst: {{ events[0].data['from']|number }}\nBitte zurückrufen.\n")
    server = start_server(**notices_to(mailbox, NOTIFY_TEMPLATES=str(templates)))
    missed_call(server)
    until(lambda: mailbox.mails)
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
    missed_call(server, To="14155550188")
    missed_call(server, From="14155550111")
    until(lambda: mailbox.mails and is_settled(server))
    (mail,) = mailbox.mails
    assert mail["to"] == "sales@example.com"
    assert "0111" in mail["subject"]
    server.stop()
    assert not [line for line in server.lines if "sales@example.com" in line]
