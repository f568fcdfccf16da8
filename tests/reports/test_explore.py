"""Exploring the calls: every figure of the page is a link to exactly the calls that it counts."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest

from app.records.maintenance.prune import prune
from app.records.model.ids import now
from app.records.reading.call_filters import CallFilters
from app.records.rollups.update import update_rollups
from app.reports.pages.query import read_dashboard_query
from app.reports.pages.ranges import hours_of_week, read_range
from app.voice.outcome import CallOutcome
from tests.reports.conftest import Caller
from tests.reports.outcomes import COUNTS, store_every_outcome
from tests.reports.test_calls import message

pytestmark = pytest.mark.usefixtures("within_a_day")


def listed(caller: Caller, address: str) -> int:
    """Return how many calls are listed at an address, on all of its pages."""
    rows = 0
    while address:
        page = caller.client.get(address.partition("#")[0]).text
        rows += len(re.findall(r'<tr data-call="', page))
        following = re.search(r'rel="next" href="([^"]*)"', page)
        address = unescape(following[1]) if following else ""
    return rows


def total(caller: Caller, address: str) -> int:
    """Return the number of calls in the heading of the list."""
    found = re.search(r'<span id="total">([\d,]+) calls?</span>', caller.client.get(address.partition("#")[0]).text)
    assert found
    return int(found[1].replace(",", ""))


def links(page: str, pattern: str) -> list[tuple[str, int]]:
    """Return the addresses and numbers that a pattern with the groups `href` and `calls` finds."""
    found = [
        (unescape(one["href"]), int(one["calls"].replace(",", ""))) for one in re.finditer(pattern, page, re.DOTALL)
    ]
    assert found, pattern
    return found


TILE = r'<a class="tile[^"]*" href="(?P<href>[^"]*)"[^>]*>.*?<span class="value">(?P<calls>[\d,]+)</span>'
LEGEND = r'data-legend="[^"]*" href="(?P<href>[^"]*)">.*?</svg>[^<]*? (?P<calls>\d+)</a>'
BAR = r'<a href="(?P<href>[^"]*)" tabindex="-1"><rect [^>]*data-calls="(?P<calls>\d+)"'
HEAT = r'<td class="heat-\d"><a href="(?P<href>[^"]*)"[^>]*>(?P<calls>\d+)</a>'
TARGET = r'<a href="(?P<href>[^"]*)" data-target="[^"]*">.*?<td class="text-end">(?P<calls>\d+)</td>'
REASON = r'<a href="(?P<href>[^"]*)" data-reason="[^"]*">.*?<td class="text-end" [^>]*>(?P<calls>\d+)</td>'


def test_every_outcome_has_a_tile_and_the_tiles_add_up(caller: Caller) -> None:
    everything = store_every_outcome(caller)
    caller.log_in()

    tiles = dict(
        re.findall(
            r'data-outcome="([a-z_]*)">.*?<span class="value">([\d,]+)</span>',
            caller.client.get("/?range=7d").text,
            re.DOTALL,
        )
    )

    assert {word: int(calls) for word, calls in tiles.items() if word} == {
        one.value: COUNTS[one] for one in CallOutcome
    }
    assert int(tiles[""]) == everything == sum(COUNTS.values())


@pytest.mark.parametrize("is_counted", [False, True], ids=["from calls", "from counted hours"])
def test_every_figure_leads_to_exactly_its_calls(lite_caller: Caller, is_counted: bool) -> None:
    store_every_outcome(lite_caller)
    if is_counted:
        assert update_rollups(lite_caller.services.store)
    lite_caller.log_in()
    for query in ("range=7d", "range=7d&route=main&tz=Asia/Kathmandu", "range=90d&to=%2B14155550101"):
        page = lite_caller.client.get(f"/?{query}").text
        for pattern in (TILE, LEGEND, BAR, HEAT, TARGET, REASON):
            for address, calls in links(page, pattern)[:3]:
                assert total(lite_caller, address) == calls, address
                assert listed(lite_caller, address) == calls, address


def test_the_counts_of_the_filters_are_those_of_their_lists(lite_caller: Caller) -> None:
    store_every_outcome(lite_caller)
    lite_caller.log_in()
    page = unescape(lite_caller.client.get("/?range=7d&outcome=busy,missed").text)

    for name in ("outcome", "to", "route", "target", "reason"):
        select = page[page.index(f'id="filter-{name}"') :]
        options = re.findall(
            r'<option value="([^"]+)"[^>]*>[^<]* \((\d+)\)</option>', select[: select.index("</select>")]
        )
        assert options
        for value, calls in options:
            shown = {"range": "7d", "outcome": "busy,missed", name: value}
            response = lite_caller.client.get("/", query_string=shown)
            assert f'<span id="total">{calls} call' in response.text, (name, value)


def test_the_hours_of_a_day_lead_to_their_calls(lite_caller: Caller) -> None:
    for number in range(8):
        message(lite_caller, number, hours_ago=0.1 * number)
    lite_caller.log_in()

    for query in ("range=today", "range=today&tz=America/St_Johns"):
        page = lite_caller.client.get(f"/?{query}").text
        bars = links(page, BAR) if "data-calls" in page else []
        assert sum(calls for _, calls in bars) == total(lite_caller, f"/?{query}")
        assert all(listed(lite_caller, address) == calls for address, calls in bars)


@pytest.mark.parametrize(("days", "column"), [("7d", "day"), ("90d", "week"), ("365d", "month"), ("today", "hour")])
def test_longer_ranges_have_wider_columns(lite_caller: Caller, days: str, column: str) -> None:
    message(lite_caller, 1)
    lite_caller.log_in()

    assert f"Calls by {column}</h2>" in lite_caller.client.get(f"/?range={days}").text


def test_the_figures_are_compared_with_the_period_before_or_the_week_before(lite_caller: Caller) -> None:
    for number, hours_ago in enumerate((0, 0, 0, 24, 7 * 24, 7 * 24)):
        message(lite_caller, number, hours_ago=hours_ago + 0.001 * number)
    lite_caller.log_in()

    before = lite_caller.client.get("/").text
    week = lite_caller.client.get("/?compare=week").text

    assert "▲ 2 more<span" in before.replace("</span>", "<span")
    assert "compared with the day before by this time" in before
    assert "▲ 1 more<span" in week.replace("</span>", "<span")
    assert "compared with a week earlier by this time" in week


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("range=fortnight", "range: use today, yesterday"),
        ("range=dates&first=yesterday&last=2026-01-01", "first: enter a date such as 2026-03-01"),
        ("range=dates&first=1900-01-01&last=2026-01-01", "first: shortened to 2020-12-29 to 2026-01-01"),
        ("outcome=missed,lost", "outcome: use answered"),
        ("weekday=moonday", "weekday: use monday"),
        ("hour=24", "hour: use 0 to 23"),
        ("direction=up", "direction: use inbound, outbound"),
        ("has_message=perhaps", "has_message: use true, false"),
        ("sort=colour", "sort: use newest"),
        ("tz=Mars/Olympus", "tz: use a time zone such as Europe/Berlin"),
        ("cursor=nonsense", "cursor: follow a link of the list"),
        ("colour=blue", "colour: there is no such filter"),
    ],
)
def test_the_page_names_what_it_cannot_read_in_the_address(lite_caller: Caller, query: str, problem: str) -> None:
    lite_caller.log_in()

    response = lite_caller.client.get(f"/?{query}")

    assert response.status_code == 200
    assert problem in re.sub("<.*?>", "", unescape(response.text))


def test_a_good_address_is_not_criticised(lite_caller: Caller) -> None:
    lite_caller.log_in()
    good = "range=7d&number=%2B14155550100&outcome=missed,busy&hour=9&weekday=monday&sort=waited&tz=UTC&compare=week"

    assert "Part of the address" not in lite_caller.client.get(f"/?{good}").text


def test_the_time_zone_of_the_viewer_is_in_the_address_and_in_a_cookie(lite_caller: Caller) -> None:
    message(lite_caller, 1)
    lite_caller.log_in()
    at = datetime.now(UTC) - timedelta(seconds=10)

    chosen = lite_caller.client.get("/?tz=Asia/Kathmandu").text
    later = lite_caller.client.get("/").text
    back = lite_caller.client.get("/?range=today&tz=UTC&q=").headers["Location"]

    local = at.astimezone(ZoneInfo("Asia/Kathmandu"))
    assert all(f"{local:%-d %b, %H:%M}" in page for page in (chosen, later))
    assert "times in Asia/Kathmandu" in later
    assert "tz=Asia%2FKathmandu" in re.findall(r'class="brand" href="([^"]*)"', later)[0]
    assert "tz=" not in back
    assert "times in UTC" in lite_caller.client.get("/").text


def test_every_page_leads_back_to_the_filtered_list(lite_caller: Caller) -> None:
    call_uuid = message(lite_caller, 1)
    lite_caller.log_in()
    page = lite_caller.client.get("/?range=7d&outcome=message_left&sort=waited").text

    [link] = re.findall(rf'href="(/calls/{call_uuid}[^"]*)"', page)
    call = lite_caller.client.get(unescape(link)).text
    docs = lite_caller.client.get(unescape(re.findall(r'href="(/docs[^"]*)"', call)[0])).text

    for other in (call, docs):
        [logo] = re.findall(r'class="brand" href="([^"]*)"', other)
        assert unescape(logo) == "/?range=7d&outcome=message_left&sort=waited"


def test_a_page_without_choices_has_bare_links(lite_caller: Caller) -> None:
    call_uuid = message(lite_caller, 1)
    lite_caller.log_in()

    assert f'href="/calls/{call_uuid}"' in lite_caller.client.get("/").text


def test_calls_sort_by_their_wait_and_their_talk(lite_caller: Caller) -> None:
    store_every_outcome(lite_caller)
    lite_caller.log_in()

    for sort, column in (("waited", 6), ("talked", 7)):
        page = lite_caller.client.get(f"/?range=7d&outcome=answered,missed&sort={sort}").text
        rows = [
            re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)
            for row in re.findall(r"<tr data-call.*?</tr>", page, re.DOTALL)
        ]
        seconds = [int(row[column - 1].split()[0]) for row in rows]
        assert seconds == sorted(seconds, reverse=True)


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Europe/Berlin", "2026-10-25"), ("Europe/Berlin", "2026-03-29"), ("Australia/Lord_Howe", "2026-04-05")],
)
def test_the_hours_of_a_day_cover_it_also_where_clocks_change(zone: str, day: str) -> None:
    at = round(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000)
    days, _ = read_range("dates", day, day, compare="before", zone=ZoneInfo(zone), now=at)

    hours = [span for hour in range(24) for span in hours_of_week(days, None, hour, ZoneInfo(zone))]

    assert hours[0][0] == days.since
    assert hours[-1][1] == days.until
    assert all(one[1] == other[0] for one, other in itertools.pairwise(hours))


def test_a_search_ignores_the_range() -> None:
    query = read_dashboard_query({"q": "0199", "range": "yesterday"}, zone=UTC, now=now())

    assert query.filters == CallFilters(search="0199")


def test_a_range_that_reaches_pruned_hours_says_how_many_calls_were_deleted(lite_caller: Caller) -> None:
    for number, hours_ago in enumerate((1, 240, 241, 242)):
        message(lite_caller, number, hours_ago=hours_ago)
    update_rollups(lite_caller.services.store)
    prune(lite_caller.services.store, before=now() - 5 * 24 * 3_600_000, step=lambda _done: None)
    lite_caller.log_in()

    month = lite_caller.client.get("/?range=30d").text

    assert "3 calls of this range were deleted" in month
    assert (total(lite_caller, "/?range=30d"), listed(lite_caller, "/?range=30d")) == (4, 1)
    for address in ("/", "/?range=30d&outcome=busy", "/?range=30d&q=0199"):
        assert "of this range w" not in lite_caller.client.get(address).text
