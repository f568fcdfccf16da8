"""The digest: its period, its figures and its mail."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.notify.digest import Period, last_period, queue_digest, read_digest
from app.records.store import migrate
from app.records.store.store import Store
from app.records.writing.deliveries import set_fact
from settings.notify import DigestTime, digest_time
from tests.notify.conftest import Open
from tests.notify.mailbox import Mailbox, notices_to, text_of
from tests.notify.office import make_office
from tests.server.calls import dial_report, inbound, new_uuid

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("when", "now", "since", "until"),
    [
        ("daily 08:00", "2026-03-04T09:00", "2026-03-03T08:00", "2026-03-04T08:00"),
        ("daily 08:00", "2026-03-04T07:59", "2026-03-02T08:00", "2026-03-03T08:00"),
        ("weekly monday 08:00", "2026-03-04T09:00", "2026-02-23T08:00", "2026-03-02T08:00"),
        ("Weekly Wednesday 18:30", "2026-03-04T18:30", "2026-02-25T18:30", "2026-03-04T18:30"),
        # The night in which clocks go forward is an hour shorter.
        ("daily 08:00", "2026-03-29T08:00", "2026-03-28T08:00", "2026-03-29T08:00"),
    ],
)
def test_a_digest_is_about_the_last_whole_day_or_week(when: str, now: str, since: str, until: str) -> None:
    found = last_period(digest_time(when), datetime.fromisoformat(now).replace(tzinfo=BERLIN))

    assert found == Period(
        since=datetime.fromisoformat(since).replace(tzinfo=BERLIN),
        until=datetime.fromisoformat(until).replace(tzinfo=BERLIN),
    )


def test_a_digest_at_an_hour_that_comes_twice_or_never_is_due_once() -> None:
    for text, day in (("daily 02:30", "2026-10-25"), ("daily 02:30", "2026-03-29")):
        noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=BERLIN)
        begin = noon.timestamp() - 36 * 3600
        moments = [datetime.fromtimestamp(begin + minutes * 60, BERLIN) for minutes in range(48 * 60)]
        due = [(at, last_period(digest_time(text), at).until) for at in moments]

        slots = [until.isoformat() for _, until in due]
        assert len(dict.fromkeys(slots)) == len([1 for one, two in pairwise(slots) if one != two]) + 1  # Never back.
        assert all(until.timestamp() <= at.timestamp() for at, until in due)


@pytest.mark.parametrize("text", ["daily", "weekly 08:00", "weekly someday 08:00", "daily 24:00", "hourly"])
def test_another_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write daily 08:00"):
        digest_time(text)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Yield an empty store on each engine."""
    made = Store(database_url.replace("postgresql://", "postgresql+psycopg://"), timeout=20)
    migrate.upgrade(made)
    yield made
    made.close()


def test_a_digest_is_queued_once_and_never_for_the_time_before_it_was_asked_for(store: Store) -> None:
    now = datetime.now(BERLIN)
    when = DigestTime(None, now.hour * 60 + now.minute)
    queued = "SELECT subject FROM outbox WHERE type = 'digest'"

    queue_digest(store, when, BERLIN)  # The first look only notes where it begins.
    with store.transaction() as connection:
        assert connection.exec_driver_sql(queued).all() == []
        yesterday = (last_period(when, now).until - timedelta(days=1)).isoformat()
        connection.exec_driver_sql(f"UPDATE job_facts SET value = '{yesterday}' WHERE name = 'digest'")
    for _ in range(2):
        queue_digest(store, when, BERLIN)

    with store.transaction() as connection:
        assert connection.exec_driver_sql(queued).all() == [(last_period(when, now).until.isoformat(),)]


def test_the_figures_are_those_of_the_period(database_url: str, tmp_path: Path) -> None:
    with make_office(database_url, tmp_path, TIMEZONE="Europe/Berlin") as office:
        for _ in range(2):
            office.missed_call()
        for _ in range(3):
            call_uuid = new_uuid()
            office.post("/dialstatus/", **inbound(call_uuid))
            office.post("/dialstatus/action/", **dial_report(call_uuid, "completed", "b-leg"))
            office.hang_up(call_uuid)
        now = datetime.now(BERLIN)
        period = Period(since=now - timedelta(days=1), until=now + timedelta(minutes=1))
        found = read_digest(office.services.store, period, BERLIN)
        text, html = office.flask("digest", "show"), office.flask("digest", "show", "--weekly", "--html")

    assert (found["calls"], found["answered"], found["answer_rate"], found["missed"]) == (5, 3, 60, 2)
    assert found["answer_rate_before"] is None
    # The caller was reached in the end.
    assert (found["followups"], found["reached"], found["within_day"]) == (0, 1, None)
    assert "Time to reach" in text
    assert sum(one["calls"] for one in found["missed_by_hour"]) == 2
    assert "Answered" in text
    assert "<h1" in html


def test_the_digest_is_mailed_as_text_and_html(open_office: Open, mailbox: Mailbox) -> None:
    now = datetime.now(BERLIN)
    settings = {"TIMEZONE": "Europe/Berlin", "DIGEST": f"daily {now:%H:%M}", "MASK_NUMBERS": "true"}
    office = open_office(**notices_to(mailbox), **settings)
    with office.services.store.transaction() as connection:
        set_fact(connection, "digest", (now - timedelta(days=1)).isoformat())
    office.send()

    (mail,) = mailbox.mails
    assert mail["subject"].startswith("0 calls, 0 reached nobody")
    assert "Answered" in text_of(mail)
    html = mail.get_body(("html",))
    assert html is not None
    assert "<h1" in html.get_content()


def test_a_notice_to_try_is_sent_at_once(open_office: Open, mailbox: Mailbox) -> None:
    office = open_office(**notices_to(mailbox))
    assert office.flask("notify", "test") == "NOTIFY_URLS: sent\n"
    assert mailbox.mails[0]["subject"] == "Dialstatus: a test"
