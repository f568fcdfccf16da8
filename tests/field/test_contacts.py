"""The address book at work: its names are shown, and a changed file holds without a restart."""

import os
from pathlib import Path

import pytest

from app.context import EXTENSION, Services
from app.dial.snapshot import LiveStateJob
from tests.field.conftest import ALICE, BOB, REPORTS_TOKEN, App, Line
from tests.field.test_order import rings

PLAN = f"""
contacts = "contacts.csv"
[routes.vip]
callers = "vip"
steps.first = {{ ring = ["{ALICE}"] }}
[routes.main]
steps.first = {{ ring = ["{BOB}"] }}
"""


def test_a_caller_has_the_name_of_the_book_everywhere(make_app: App, tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").write_text("number,name\n+14155550100,Ada Lovelace\n")
    line = Line(make_app(PLAN)).answer(CallerName="ZZ CARRIER")
    line.action("no-answer")
    line.hangup(CallerName="ZZ CARRIER")
    client, headers = line.app.test_client(), {"Authorization": f"Bearer {REPORTS_TOKEN}"}

    assert line.record["call"]["caller_name"] == "Ada Lovelace"
    assert "Ada Lovelace" in client.get("/api/v1/calls.csv", headers=headers).text
    client.get(f"/login?token={REPORTS_TOKEN}")
    assert "Ada Lovelace" in client.get(f"/calls/{line.call_uuid}?numbers=full").text


def test_without_a_book_the_carriers_name_is_shown(make_app: App) -> None:
    line = Line(make_app()).answer(CallerName="CARRIER").hangup()

    assert line.record["call"]["caller_name"] == "CARRIER"


def test_a_changed_book_holds_without_a_restart_and_a_broken_one_changes_nothing(make_app: App, tmp_path: Path) -> None:
    book = tmp_path / "contacts.csv"
    book.write_text("number,vip\n+14155550100,no\n")
    app = make_app(PLAN)
    services: Services = app.extensions[EXTENSION]
    job, rung = LiveStateJob(services), []
    for number, content in enumerate(("number,vip\n+14155550100,yes\n", "number,vip\nnobody,yes\n"), start=1):
        rung.append(rings(Line(app).answer().reply))
        book.write_text(content)
        os.utime(book, ns=(number, number))
        job.work()
    rung.append(rings(Line(app).answer().reply))

    assert rung == [[BOB], [ALICE], [ALICE]]


def test_a_book_that_is_gone_is_reported_once_and_stays_in_use(
    make_app: App, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = tmp_path / "contacts.csv"
    book.write_text("number,vip\n+14155550100,yes\n")
    app = make_app(PLAN)
    job = LiveStateJob(app.extensions[EXTENSION])
    book.unlink()
    for _ in range(3):
        job.work()

    assert rings(Line(app).answer().reply) == [ALICE]
    assert [record.message for record in caplog.records].count("contacts_refused") == 1
