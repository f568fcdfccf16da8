"""Callers of applications on real stores, and one site and one browser for all tests in Chromium."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.reports.caller import REPORTS_TOKEN, Caller, make_caller
from tests.reports.visitor import CHROMIUM, FLAGS, Site, Visitor, served

__all__ = ["REPORTS_TOKEN", "Caller", "make_caller"]


@pytest.fixture
def caller(database_url: str, tmp_path: Path) -> Iterator[Caller]:
    """Yield a caller of an application; each test runs on SQLite and on PostgreSQL."""
    with make_caller(database_url, tmp_path) as caller:
        yield caller


@pytest.fixture
def lite_caller(sqlite_url: str, tmp_path: Path) -> Iterator[Caller]:
    """Yield a caller of an application on SQLite alone, for tests that hardly depend on the store."""
    with make_caller(sqlite_url, tmp_path) as caller:
        yield caller


@pytest.fixture
def masking_caller(sqlite_url: str, tmp_path: Path) -> Iterator[Caller]:
    """Yield a caller of an application that masks numbers."""
    with make_caller(sqlite_url, tmp_path, MASK_NUMBERS="true") as caller:
        yield caller


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Yield a Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve an application with some calls for all tests of the session; a test may add calls, and removes none."""
    directory = tmp_path_factory.mktemp("site")
    with make_caller(f"sqlite:///{directory / 'dialstatus.db'}", directory) as caller:
        busy, _ = caller.ended_call("busy", caller="+14155550142", DialHangupCause="USER_BUSY")
        missed, _ = caller.ended_call("no-answer", DialRingStatus="true", DialHangupCause="NO_ANSWER")
        for ended in (busy, missed):
            caller.post("/dialstatus/hangup/", CallUUID=ended, CallStatus="completed", HangupSource="Plivo")
        call_uuid, dial_id = caller.call()
        leg = {"CallUUID": call_uuid, "DialBLegUUID": "b-leg", "DialBLegTo": "14155550123", "DialBLegPosition": "1"}
        caller.post(f"/dialstatus/callback/?dial={dial_id}", **leg, DialAction="answer")
        caller.end(call_uuid, dial_id, "completed", DialRingStatus="true", DialBLegUUID="b-leg")
        with served(caller) as site:
            yield site


@pytest.fixture
def visitor(browser: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Yield somebody at the browser; the test fails on a console error or a request to another host."""
    options: dict[str, Any] = getattr(request, "param", {})
    context = browser.new_context(accept_downloads=True, **options)
    visitor = Visitor(context.new_page(), site.url)
    visitor.watch()
    yield visitor
    context.close()
    assert visitor.complaints == []
    assert visitor.elsewhere == []
