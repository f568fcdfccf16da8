"""The pages in a real Chromium: what a person does, in light and dark, on a desktop and on a phone."""

from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.reports.conftest import REPORTS_TOKEN
from tests.reports.visitor import PHONE, Site, Visitor, needs_chromium

pytestmark = [needs_chromium, pytest.mark.usefixtures("within_a_day")]


def test_somebody_logs_in_filters_and_opens_a_call(visitor: Visitor) -> None:
    page = visitor.page
    visitor.log_in()
    assert urlsplit(page.url).query == ""

    page.get_by_label("Outcome", exact=True).select_option("busy")
    page.wait_for_url("**outcome=busy**")
    assert page.locator(".recent tbody tr").count() == 1
    page.locator(".recent a").first.click()

    page.wait_for_url("**/calls/**")
    assert page.locator(".story").inner_text() == "The line was busy."
    page.get_by_text("Plivo reported how the dial ended").click()
    assert page.get_by_text("USER_BUSY").first.is_visible()


def test_somebody_searches_by_the_last_digits(visitor: Visitor) -> None:
    visitor.log_in()

    visitor.page.get_by_role("searchbox").fill("0142")
    visitor.page.get_by_role("searchbox").press("Enter")

    visitor.page.wait_for_url("**q=0142**")
    assert visitor.page.locator(".recent tbody tr").count() == 1


def test_somebody_downloads_the_calls(visitor: Visitor, tmp_path: Path) -> None:
    visitor.log_in()

    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("link", name="Download CSV").click()
    path = tmp_path / "calls.csv"
    download.value.save_as(path)

    assert path.read_text("utf-8").startswith("\ufeffBegan (UTC),Caller,From,To,")
    assert path.read_bytes().count(b"\r\n") >= 4


def test_a_new_call_appears_by_itself_and_an_open_dial_stays_open(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    visitor.log_in()
    page.locator(".recent details").first.evaluate("one => { one.open = true }")
    opened = page.locator(".recent details[open]").get_attribute("id")

    site.caller.ended_call("no-answer", caller="+14155550177")

    page.get_by_text("0177").first.wait_for(timeout=20_000)
    assert page.locator(".recent details[open]").get_attribute("id") == opened


def test_without_script_everything_is_there(browser: Browser, site: Site) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{site.url}/login?token={REPORTS_TOKEN}")

    page.get_by_label("Outcome", exact=True).select_option("busy")
    page.get_by_role("button", name="Apply").click()

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
        "all => all.filter(one => one.checkVisibility() && one.scrollWidth > one.clientWidth)"
        ".map(one => one.getAttribute('aria-label'))"
    )

    assert hidden == []
