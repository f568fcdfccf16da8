"""Every page by WCAG 2.2 AA: axe in light and dark at four widths, keyboard alone, zoom, print, high contrast."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from app.voice.outcome import CallOutcome
from tests.reports.visitor import Site, Visitor, needs_chromium

WIDTHS = (390, 768, 1024, 1440)
SCHEMES = ("light", "dark")
# 640 is half of 1280: what a person sees at 200 % zoom. 700 is A4 between its margins, in CSS pixels.
VIEWS = (*((width, "screen") for width in (*WIDTHS, 640)), (700, "print"))
NARROWEST_AND_WIDEST = ((WIDTHS[0], "screen"), (WIDTHS[-1], "screen"))
# Text and controls that are wider than the paper or the screen, with what they stick out of.
STICKING_OUT = """() => {
  const room = document.documentElement.clientWidth + 1;
  return [...document.querySelectorAll('main *, header *, footer *')]
    .filter((one) => one.getClientRects().length && one.getBoundingClientRect().right > room
      && !one.closest('.visually-hidden, .skip, svg') && getComputedStyle(one).clipPath === 'none')
    .map((one) => `${one.tagName} ${one.className} ${one.textContent.trim().slice(0, 40)}`);
}"""
SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, input, select, summary')]
  .filter((one) => {
    const box = one.getBoundingClientRect();
    const isInText = one.matches(':is(p, li, td, th, dd, h3, summary) a') && getComputedStyle(one).display === 'inline';
    const isHidden = one.type === 'hidden' || !one.getClientRects().length || one.matches('.skip')
      || one.closest('svg'); // The table below a chart has the links of its bars.
    return !isHidden && !isInText && (box.width < 24 || box.height < 24);
  })
  .map((one) => one.outerHTML.slice(0, 120))"""
FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  return {
    tag: one.tagName, text: (one.textContent || one.name || '').trim().slice(0, 30),
    seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    onScreen: box.bottom > 0 && box.top < innerHeight && box.width > 0,
  };
}"""

pytestmark = [needs_chromium, pytest.mark.usefixtures("within_a_day")]


@pytest.fixture(scope="module")
def pages(site: Site) -> dict[str, str]:
    """Return every page of ours by name, as paths."""
    call_uuid = site.caller.read("calls")["calls"][0]["call_uuid"]
    return {
        "calls": "/?range=7d",
        "search": "/?q=0142",
        "nothing found": "/?q=99999",
        "call": f"/calls/{call_uuid}",
        "first page": "/welcome",
        "docs": "/docs",
        "glossary": "/docs/glossary",
        "missing": "/nothing-here",
        "follow-ups": "/followups",
        "messages": "/messages",
        "events": "/events",
    }


@pytest.fixture(scope="module", params=SCHEMES)
def reader(request: pytest.FixtureRequest, browser: Browser, site: Site) -> Iterator[Visitor]:
    """Yield somebody who is logged in, in light or dark."""
    context = browser.new_context(color_scheme=request.param, reduced_motion="reduce")
    visitor = Visitor(context.new_page(), site.url, scheme=request.param)
    visitor.log_in()
    yield visitor
    context.close()


def open_everything(page: Page) -> None:
    """Open every part that is folded away."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def barriers_in(reader: Visitor, pages: dict[str, str], views: Iterable[tuple[int, str]]) -> dict[str, list[str]]:
    """Return what axe finds on each page in each view: a width, and screen or print."""
    found: dict[str, list[str]] = {}
    for name, path in pages.items():
        reader.page.goto(reader.url + path)
        open_everything(reader.page)
        for width, media in views:
            reader.page.emulate_media(media=media)  # type: ignore[arg-type]
            reader.page.set_viewport_size({"width": width, "height": 900})
            if barriers := reader.barriers():
                found[f"{name} at {width}, {media}"] = barriers
    reader.page.emulate_media(media="screen")
    return found


def test_axe_finds_nothing_on_any_page_at_any_width_zoomed_or_printed(reader: Visitor, pages: dict[str, str]) -> None:
    # Colours do not depend on the width: in the dark the extremes are enough, and the drill looks at every pair.
    views = VIEWS if reader.scheme == "light" else NARROWEST_AND_WIDEST

    assert barriers_in(reader, pages, views) == {}


@pytest.mark.drill
def test_axe_finds_nothing_in_any_view_in_light_or_dark(reader: Visitor, pages: dict[str, str]) -> None:
    assert barriers_in(reader, pages, VIEWS) == {}


def test_axe_finds_nothing_on_the_login_page(browser: Browser, site: Site) -> None:
    for scheme in SCHEMES:
        context = browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 800})  # type: ignore[arg-type]
        stranger = Visitor(context.new_page(), site.url)
        stranger.page.goto(f"{site.url}/login")

        assert stranger.barriers() == []

        context.close()


def test_nothing_sticks_out_of_the_screen_and_every_target_is_large_enough(
    reader: Visitor, pages: dict[str, str]
) -> None:
    found: dict[str, Any] = {}
    for width in (320, *WIDTHS, 640):
        reader.page.set_viewport_size({"width": width, "height": 900})
        for name, path in pages.items():
            reader.page.goto(reader.url + path)
            wide = reader.page.evaluate(STICKING_OUT) if reader.width() > width else []
            small = reader.page.evaluate(SMALL_TARGETS)
            if wide or small:
                found[f"{name} at {width}"] = wide[:3] + small[:3]

    assert found == {}, json.dumps(found, indent=1)


def test_print_cuts_no_column_off(reader: Visitor, pages: dict[str, str]) -> None:
    found: dict[str, Any] = {}
    reader.page.emulate_media(media="print")
    reader.page.set_viewport_size({"width": 700, "height": 1000})
    for name, path in pages.items():
        reader.page.goto(reader.url + path)
        if cut := reader.page.evaluate(
            f"() => [...({STICKING_OUT})(), ...[...document.querySelectorAll('.table-responsive')]"
            ".filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.getAttribute('aria-label'))]"
        ):
            found[name] = cut[:3]
    reader.page.emulate_media(media="screen")

    assert found == {}


def test_the_keyboard_reaches_everything_in_sight_and_skips_to_the_content(reader: Visitor) -> None:
    page = reader.page
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{reader.url}/?range=7d")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS)["text"] == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"

    reached = []
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUS))

    assert [one for one in reached if not one["seen"] or not one["onScreen"]] == []
    assert len({one["text"] for one in reached}) > 8


def test_every_page_has_its_landmarks_one_heading_and_a_title_of_its_own(
    reader: Visitor, pages: dict[str, str]
) -> None:
    titles = set()
    for name, path in pages.items():
        page = reader.page
        page.goto(reader.url + path)
        titles.add(page.title())

        assert page.locator("main").count() == 1, name
        assert page.get_by_role("navigation", name="Main").count() == 1, name
        assert page.get_by_role("search").count() >= 1, name
        assert page.locator("h1").count() == 1, name
        assert page.locator("html").get_attribute("lang") == "en", name
    assert len(titles) >= len(pages) - 2  # The lists of calls share one.


def test_in_forced_colours_pills_and_tiles_keep_their_borders(browser: Browser, site: Site) -> None:
    context = browser.new_context(forced_colors="active")
    visitor = Visitor(context.new_page(), site.url)
    visitor.log_in()
    visitor.page.goto(f"{site.url}/?range=7d")

    borders = visitor.page.locator(".pill, .tile, .figures .card").evaluate_all(
        "all => all.map((one) => getComputedStyle(one).borderTopStyle + getComputedStyle(one).borderTopWidth)"
    )

    assert len(borders) > 5
    assert set(borders) == {"solid1px"}
    context.close()


def test_a_screen_reader_hears_each_tile_as_a_sentence(reader: Visitor) -> None:
    reader.page.set_viewport_size({"width": 1280, "height": 900})
    reader.page.goto(f"{reader.url}/?range=7d")

    sentences = reader.page.locator(".tiles > li").all_inner_texts()

    assert len(sentences) >= len(CallOutcome)
    assert [one for one in sentences if not re.fullmatch(r"[A-Z0-9][^:]*:\s+\S.*\.", one, re.DOTALL)] == []
    assert [one for one in sentences if "compared with" not in one and "no comparison" not in one] == []
