"""The pages in a real Chromium: what a person does, in light and dark, on a desktop and on a phone."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from tests.reports.conftest import REPORTS_TOKEN, Caller

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
PHONE = {"width": 390, "height": 844}

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; apt-get install chromium runs these tests"),
    pytest.mark.usefixtures("within_a_day"),
]


@dataclass
class Visitor:
    """Somebody at a browser, and every error they meet."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note errors on the console and requests to other hosts."""
        self.page.on(
            "console", lambda message: self.complaints.append(message.text) if message.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda asked: self._note(asked.url))

    def _note(self, url: str) -> None:
        if not url.startswith(("data:", "blob:")) and urlsplit(url).netloc != urlsplit(self.url).netloc:
            self.elsewhere.append(url)

    def log_in(self) -> None:
        """Follow the printed link."""
        self.page.goto(f"{self.url}/login?token={REPORTS_TOKEN}")

    def width(self) -> int:
        """Return the width of the page in pixels; more than the screen's if it scrolls sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))

    def barriers(self) -> list[str]:
        """Return the serious accessibility violations that axe finds."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {each['nodes'][0]['html'][:200]}"
            for each in found
            if each["impact"] in {"serious", "critical"}
        ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture
def site(lite_caller: Caller) -> Iterator[str]:
    """Serve an application with some calls; yield its URL."""
    lite_caller.ended_call("busy", caller="+14155550142", DialHangupCause="USER_BUSY")
    lite_caller.ended_call("no-answer", DialRingStatus="true", DialHangupCause="NO_ANSWER")
    call_uuid, dial_id = lite_caller.call()
    leg = {"CallUUID": call_uuid, "DialBLegUUID": "b-leg", "DialBLegTo": "14155550123", "DialBLegPosition": "1"}
    lite_caller.post(f"/dialstatus/callback/?dial={dial_id}", **leg, DialAction="answer")
    lite_caller.end(call_uuid, dial_id, "completed", DialRingStatus="true", DialBLegUUID="b-leg")
    server = make_server("127.0.0.1", 0, lite_caller.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def visitor(browser: Browser, site: str, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Yield somebody at the browser; the test fails on a console error or a request to another host."""
    options: dict[str, Any] = getattr(request, "param", {})
    context = browser.new_context(accept_downloads=True, **options)
    visitor = Visitor(context.new_page(), site)
    visitor.watch()
    yield visitor
    context.close()
    assert visitor.complaints == []
    assert visitor.elsewhere == []


def test_somebody_logs_in_filters_and_opens_a_call(visitor: Visitor) -> None:
    page = visitor.page
    visitor.log_in()
    assert urlsplit(page.url).query == ""

    page.get_by_label("Outcome", exact=True).select_option("busy")
    page.wait_for_url("**outcome=busy**")
    assert page.locator(".recent tbody tr").count() == 1
    page.locator(".recent a").first.click()

    page.wait_for_url("**/calls/**")
    assert page.get_by_text("The line that was rung was busy.").is_visible()
    page.get_by_text("Plivo reported how the dial ended").click()
    assert page.get_by_text("USER_BUSY").first.is_visible()


def test_somebody_searches_by_the_last_digits(visitor: Visitor) -> None:
    visitor.log_in()

    visitor.page.get_by_role("searchbox").fill("0142")
    visitor.page.get_by_role("searchbox").press("Enter")

    visitor.page.wait_for_url("**q=0142**")
    assert visitor.page.locator(".recent tbody tr").count() == 1


def test_somebody_downloads_the_dials(visitor: Visitor, tmp_path: Path) -> None:
    visitor.log_in()

    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("link", name="Download CSV").click()
    path = tmp_path / "dials.csv"
    download.value.save_as(path)

    assert path.read_text("utf-8").startswith("\ufeffdial_id,call_uuid,")
    assert path.read_bytes().count(b"\r\n") == 4


def test_a_new_call_appears_by_itself(visitor: Visitor, lite_caller: Caller) -> None:
    visitor.log_in()
    assert visitor.page.get_by_text("live", exact=True).is_visible()

    lite_caller.ended_call("no-answer", caller="+14155550177")

    visitor.page.get_by_text("+14155550177").wait_for(timeout=20_000)


def test_without_script_everything_is_there(browser: Browser, site: str) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{site}/login?token={REPORTS_TOKEN}")

    page.get_by_label("Outcome", exact=True).select_option("busy")
    page.get_by_role("button", name="Filter").click()

    page.wait_for_url("**outcome=busy**")
    assert page.locator(".recent tbody tr").count() == 1
    page.context.close()


@pytest.mark.parametrize("visitor", [{"color_scheme": "dark"}], indirect=True)
def test_the_page_is_dark_where_the_system_is(visitor: Visitor) -> None:
    visitor.log_in()

    assert visitor.page.locator("html").get_attribute("data-bs-theme") == "dark"


def test_somebody_chooses_dark(visitor: Visitor) -> None:
    visitor.log_in()

    visitor.page.get_by_role("button", name="Dark").click()

    visitor.page.locator('html[data-bs-theme="dark"]').wait_for(state="attached")


@pytest.mark.parametrize("visitor", [{"viewport": PHONE}], indirect=True)
def test_on_a_phone_nothing_is_wider_than_the_screen(visitor: Visitor) -> None:
    page = visitor.page
    visitor.log_in()
    assert visitor.width() <= PHONE["width"]

    page.get_by_role("link", name="Today", exact=True).click()
    page.wait_for_url("**range=today**")
    assert visitor.width() <= PHONE["width"]

    page.locator(".recent a").first.click()
    page.wait_for_url("**/calls/**")
    assert visitor.width() <= PHONE["width"]


@pytest.mark.parametrize("visitor", [{}, {"viewport": PHONE}], indirect=True, ids=["desktop", "phone"])
@pytest.mark.parametrize("range_name", ["today", "7d", "30d"])
def test_every_column_and_label_of_the_chart_fits(visitor: Visitor, range_name: str) -> None:
    visitor.log_in()
    visitor.page.goto(f"{visitor.url}/?range={range_name}")
    chart = visitor.page.locator("svg.columns")
    room = visitor.page.locator("section", has=chart).bounding_box()
    assert room is not None

    spans = chart.locator("rect, text.time").evaluate_all(
        "all => all.map(one => [one.tagName, one.getBoundingClientRect().left, one.getBoundingClientRect().right])"
    )

    assert min(left for _, left, _ in spans if left) >= room["x"]
    assert max(right for _, _, right in spans) <= room["x"] + room["width"]
    labels = sorted((left, right) for name, left, right in spans if name == "text" and right > left)
    assert labels
    assert all(end < start for (_, end), (start, _) in pairwise(labels))


@pytest.mark.parametrize("visitor", [{"viewport": PHONE}], indirect=True)
def test_on_a_phone_no_table_of_the_dashboard_scrolls_sideways(visitor: Visitor) -> None:
    visitor.log_in()

    hidden = visitor.page.locator(".table-responsive").evaluate_all(
        "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.getAttribute('aria-labelledby'))"
    )

    assert hidden == []


@pytest.mark.parametrize(
    "visitor",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": PHONE}],
    indirect=True,
    ids=["light", "dark", "phone"],
)
def test_the_pages_are_accessible(visitor: Visitor) -> None:
    visitor.page.goto(f"{visitor.url}/login")
    assert visitor.barriers() == []
    visitor.log_in()
    assert visitor.barriers() == []
    visitor.page.locator(".recent a").first.click()
    visitor.page.wait_for_url("**/calls/**")
    assert visitor.barriers() == []
    visitor.page.goto(f"{visitor.url}/docs")
    assert visitor.barriers() == []
