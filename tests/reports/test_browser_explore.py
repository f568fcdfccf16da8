"""Exploring the calls in a real Chromium: every figure is clicked, and the promised calls are found."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser

from tests.reports.caller import make_caller
from tests.reports.outcomes import COUNTS, store_every_outcome
from tests.reports.visitor import Site, Visitor, needs_chromium, served

pytestmark = [needs_chromium, pytest.mark.usefixtures("within_a_day")]


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve an application with calls of every outcome."""
    directory = tmp_path_factory.mktemp("explored")
    with make_caller(f"sqlite:///{directory / 'dialstatus.db'}", directory) as caller:
        store_every_outcome(caller)
        with served(caller) as site:
            yield site


@pytest.fixture
def visitor(browser: Browser, explored: Site) -> Iterator[Visitor]:
    """Yield somebody who is logged in; the test fails on a console error or a request to another host."""
    context = browser.new_context()
    visitor = Visitor(context.new_page(), explored.url)
    visitor.watch()
    visitor.log_in()
    yield visitor
    context.close()
    assert visitor.complaints == []
    assert visitor.elsewhere == []


def test_the_state_of_the_page_is_honest(visitor: Visitor) -> None:
    page = visitor.page

    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused", exact=True).wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text(re.compile(r"Updated \d+ s ago")).wait_for()
    page.context.set_offline(True)
    page.get_by_text(re.compile("Offline")).wait_for(timeout=20_000)
    page.context.set_offline(False)

    page.get_by_text(re.compile(r"Updated \d+ s ago")).wait_for(timeout=20_000)
    visitor.complaints.clear()  # Chromium notes each request that failed offline.


def test_every_tile_leads_to_the_promised_number_of_calls(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.url}/?range=7d")
    tiles = page.locator("a.tile")
    names = tiles.evaluate_all("all => all.map(one => one.dataset.outcome)")
    promised = tiles.locator(".value").all_inner_texts()
    assert len(names) == len(COUNTS) + 1

    for place, (name, number) in enumerate(zip(names, promised, strict=True)):
        page.locator("a.tile").nth(place).click()
        page.wait_for_url(f"**outcome={name}#calls" if name else "**/?range=7d#calls")
        assert page.locator("#total").inner_text().split()[0] == number
        if name:
            assert page.locator(".recent tbody tr").count() == int(number)
            assert page.locator("a.tile[aria-current]").get_attribute("data-outcome") == name


def test_a_bar_and_a_cell_of_the_heat_map_lead_to_their_calls(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.url}/?range=7d")

    number = page.locator(".columns rect").first.get_attribute("data-calls")
    page.locator(".columns rect").first.click()
    page.wait_for_url("**range=dates**")
    assert page.locator(".recent tbody tr").count() == int(number or 0)
    page.go_back()
    cell = page.locator(".heat td a").first
    number = cell.inner_text()
    cell.click()
    page.wait_for_url("**weekday=**")
    assert page.locator(".recent tbody tr").count() == int(number)


def test_filters_survive_a_call_the_docs_and_a_search(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.url}/?range=7d&outcome=busy")
    kept = "**/?range=7d&outcome=busy"

    page.locator(".recent a").first.click()
    page.wait_for_url("**/calls/**")
    page.get_by_role("link", name="Docs").click()
    page.wait_for_url("**/docs**")
    page.get_by_role("link", name="Dialstatus").click()
    page.wait_for_url(kept)
    page.get_by_role("searchbox").fill("1001")
    page.get_by_role("searchbox").press("Enter")
    page.wait_for_url("**q=1001**")
    page.get_by_role("link", name="End the search").click()
    page.wait_for_url(kept)


def test_arrow_keys_in_a_select_do_not_submit(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(address := f"{visitor.url}/?range=7d")

    page.get_by_label("Outcome", exact=True).focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(300)
    assert page.url == address
    page.get_by_role("button", name="Apply").click()

    page.wait_for_url("**outcome=**")


def test_the_keyboard_stays_where_a_filter_was_chosen(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.url}/?range=7d")

    page.get_by_label("Outcome", exact=True).focus()
    page.get_by_label("Outcome", exact=True).select_option("busy")
    page.wait_for_url("**outcome=busy**")

    page.wait_for_function("document.activeElement.id === 'filter-outcome'")


def test_a_webhook_is_copied_as_curl(visitor: Visitor) -> None:
    page = visitor.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{visitor.url}/?range=7d&outcome=busy")
    page.locator(".recent a").first.click()
    page.get_by_text("Plivo reported how the dial ended").click()
    page.get_by_text("Copy as curl, or send it again").locator("visible=true").click()

    page.get_by_role("button", name="Copy as curl").locator("visible=true").click()

    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl ")


def test_nothing_is_wider_than_the_screen(visitor: Visitor) -> None:
    page = visitor.page
    for address in ("/?range=7d&colour=blue", "/?range=365d&outcome=missed,busy&sort=waited", "/?q=1001"):
        page.goto(visitor.url + address)
        for width in (390, 768, 1024, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert visitor.width() <= width, address

    page.locator(".recent a").first.click()
    page.wait_for_url("**/calls/**")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    for width in (390, 768, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert visitor.width() <= width


def test_tiles_are_of_one_size_and_fill_every_row(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.url}/?range=7d")
    for width in (390, 768, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        boxes = page.locator(".tiles > li").evaluate_all(
            "all => all.map((one) => one.getBoundingClientRect()).map((box) => [box.x, box.width, box.height])"
        )
        columns = {round(left) for left, _, _ in boxes}

        assert len(boxes) % len(columns) == 0, width
        assert max(high for _, _, high in boxes) - min(high for _, _, high in boxes) < 1, width
        assert max(wide for _, wide, _ in boxes) - min(wide for _, wide, _ in boxes) < 1, width


def test_a_number_stays_on_one_line(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.url}/?range=7d")
    for width in (390, 768, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})

        lines = page.locator(".number:visible").evaluate_all("all => all.map((one) => one.getClientRects().length)")
        assert len(lines) > 20
        assert set(lines) == {1}, width


def test_the_period_that_is_compared_with_is_a_click_away(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.url}/?range=today&compare=week")

    page.get_by_role("link", name="a week earlier by this time", exact=True).click()

    page.wait_for_url("**range=dates**")
    last_week = datetime.now(UTC).date() - timedelta(7)
    assert f"first={last_week}&last={last_week}" in page.url
