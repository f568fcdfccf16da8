"""The pages: what they say about calls, and that nothing a caller sends can harm them."""

import re
from html import unescape

import pytest

from app.records.model.ids import now
from tests.reports.conftest import Caller
from tests.reports.history import make_rounds

pytestmark = pytest.mark.usefixtures("within_a_day")


@pytest.fixture
def reader(caller: Caller) -> Caller:
    """Return a caller who is logged in."""
    caller.log_in()
    return caller


def test_an_empty_dashboard_says_what_to_do(reader: Caller) -> None:
    page = reader.client.get("/?range=today").text

    assert "No calls in this range." in page
    assert "flask doctor" in page


def test_the_dashboard_shows_figures_charts_and_the_newest_calls(reader: Caller) -> None:
    call_uuid, _ = reader.ended_call("busy", DialHangupCause="USER_BUSY")
    reader.ended_call("no-answer", DialRingStatus="true")

    page = reader.client.get("/").text

    assert f'href="/calls/{call_uuid}"' in page
    assert "Busy Line" in page
    assert "<svg" in page
    assert "style=" not in page
    assert "<style" not in page
    assert "<script>" not in page


def test_a_call_of_three_dials_is_one_call(lite_caller: Caller) -> None:
    begun = now() - 600_000
    moments = [begun, begun + 30_000, begun + 60_000]
    lite_caller.services.journal.append_all(list(make_rounds(1, moments, ["no-answer", "no-answer", "completed"])))
    lite_caller.log_in()

    page = lite_caller.client.get("/?range=7d").text

    assert page.count("<tr data-call=") == 1
    tiles = re.findall(r'<span class="value">(.*?)</span><span class="help">(.*?)</span>', page)
    assert tiles[:2] == [("1", "of all outcomes, with 3 dials"), ("100%", "of calls that have ended")]


def test_bootstraps_files_are_served_below_their_own_path(lite_caller: Caller) -> None:
    page = lite_caller.client.get("/login").text

    [address] = re.findall(r'href="(/[^"]*/bootstrap\.min\.css)"', page)

    assert address == "/bootstrap/css/bootstrap.min.css"
    with lite_caller.client.get(address) as response:
        assert response.status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("outcome=in_progress", True),
        ("outcome=missed,busy", False),
        ("outcome=nonsense", True),
        ("q=0199", True),
        ("q=9999", False),
        ("number=%2B14155550100", True),
        ("number=%2B14155550111", False),
        ("target=%2B14155550123&cause=USER_BUSY", True),
        ("from=%2B14155550199&to=%2B14155550100&status=busy", True),
        ("reason=Busy+Line", True),
        ("reason=No+Answer", False),
        ("direction=outbound", False),
        ("has_message=true", False),
        ("route=nowhere", False),
        ("range=yesterday", False),
        ("range=30d&cursor=nonsense", True),
        ("range=dates&first=2020-01-01&last=2020-02-01", False),
        ("range=dates&first=nonsense&last=never", True),
        ("range=dates&first=0001-01-01&last=9999-12-31", True),
    ],
)
def test_the_address_filters_the_calls(reader: Caller, query: str, found: bool) -> None:
    call_uuid, _ = reader.ended_call("busy", DialHangupCause="USER_BUSY")

    response = reader.client.get(f"/?{query}")

    assert response.status_code == 200
    assert (f'<tr data-call="{call_uuid}"' in response.text) is found


@pytest.mark.parametrize(
    ("submitted", "address"),
    [
        ("first=2026-11-01&last=2026-11-30&range=30d&number=&route=&outcome=busy", "/?range=30d&outcome=busy"),
        (
            "first=2026-11-20&last=2026-11-21&range=dates&range=7d&number=&cause=",
            "/?range=dates&first=2026-11-20&last=2026-11-21",
        ),
        ("q=", "/?range=today"),
    ],
)
def test_a_submitted_form_leads_to_an_address_that_can_be_passed_on(
    lite_caller: Caller, submitted: str, address: str
) -> None:
    lite_caller.log_in()

    response = lite_caller.client.get(f"/?{submitted}")

    assert (response.status_code, response.location) == (303, address)
    assert lite_caller.client.get(address).status_code == 200


def test_a_search_for_too_few_digits_says_how_many_to_enter(reader: Caller) -> None:
    assert "at least its last four digits" in reader.client.get("/?q=12").text


@pytest.mark.parametrize("call_uuid", ["a/b", "a/../b", "/a", "a/", "a//b", "a\nb", "a?b#c", "ü%2Fb", "a b"])
def test_a_call_with_any_uuid_can_be_opened(lite_caller: Caller, call_uuid: str) -> None:
    lite_caller.log_in()
    lite_caller.post("/dialstatus/", CallUUID=call_uuid, From="+14155550199", To="+14155550100")

    [link] = re.findall(r'href="(/calls/[^"]*)"', lite_caller.client.get("/?range=today").text)
    page = lite_caller.client.get(link)

    assert page.status_code == 200
    assert call_uuid in unescape(page.text)
    assert lite_caller.ask(link[1:]).json["call"]["call_uuid"] == call_uuid  # type: ignore[index]


def test_a_page_says_that_the_store_cannot_be_read(lite_caller: Caller) -> None:
    lite_caller.log_in()
    lite_caller.services.store.engine.connect().exec_driver_sql("DROP TABLE dials")

    response = lite_caller.client.get("/?range=today")

    assert response.status_code == 503
    assert "The store cannot be read. Run flask --app wsgi db check." in response.text


def test_masked_numbers_are_hidden_on_every_page_and_still_found(masking_caller: Caller) -> None:
    masking_caller.log_in()
    call_uuid, _ = masking_caller.ended_call("busy", caller="+14155550142")

    dashboard = masking_caller.client.get("/?q=0142").text
    call = masking_caller.client.get(f"/calls/{call_uuid}").text

    assert "…0142" in dashboard
    assert "4155550142" not in dashboard
    assert "4155550142" not in call
    assert "4155550123" not in call
    assert "since=…" not in call
