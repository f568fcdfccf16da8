"""The first page leads to the first call: URLs, checks, and a test call that arrives."""

import re
from collections.abc import Callable

import pytest
import requests

from tests.reports.conftest import REPORTS_TOKEN, Caller, make_caller
from tests.server.calls import dial_report, new_uuid
from tests.support.server import REPORTS_TOKEN as SERVER_TOKEN
from tests.support.server import Server, until


def test_before_the_first_call_the_page_leads_instead_of_counting(lite_caller: Caller) -> None:
    page = lite_caller.log_in()

    assert "Waiting for the first call" in page
    assert "Plivo cannot reach this address yet" in page
    assert re.search(r'<code data-copy="the Answer URL">http://127.0.0.1:5000/dialstatus/#', page)
    assert "<strong>Database</strong>" in page
    assert "Play a test call" in page


def test_with_the_first_call_the_dashboard_takes_its_place_and_the_guide_stays_in_reach(lite_caller: Caller) -> None:
    lite_caller.log_in()
    lite_caller.ended_call("busy")

    assert "Waiting for the first call" not in lite_caller.client.get("/").text
    assert "Calls have arrived" in lite_caller.client.get("/welcome").text
    assert 'href="/welcome"' in lite_caller.client.get("/").text


def test_with_a_public_url_these_are_the_urls(sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    public = "https://calls.example.com/voice"
    with make_caller(sqlite_url, tmp_path_factory.mktemp("public"), PUBLIC_URL=public) as caller:
        caller.client.get(f"/voice/login?token={REPORTS_TOKEN}", base_url="https://calls.example.com")
        page = caller.client.get("/voice/welcome", base_url="https://calls.example.com").text

    assert f">{public}/dialstatus/hangup/#" in page
    assert f"PUBLIC_URL is {public}." in page


def test_a_test_call_needs_a_form_of_this_session(lite_caller: Caller) -> None:
    lite_caller.log_in()

    assert lite_caller.client.post("/test-call").status_code == 400


def test_a_test_call_is_signed_arrives_and_cannot_be_started_through_a_proxy(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    page = requests.Session()
    first = page.get(f"http://127.0.0.1:{server.port}/login", params={"token": SERVER_TOKEN}, timeout=20)
    form = {"csrf": re.findall(r'name="csrf" value="([^"]+)"', first.text)[0]}
    url = f"http://127.0.0.1:{server.port}/test-call"

    assert page.post(url, form, headers={"X-Forwarded-For": "192.0.2.7"}, timeout=20).status_code == 403
    assert page.post(url, form, timeout=20).status_code == 200

    [call] = until(lambda: page.get(f"http://127.0.0.1:{server.port}/api/v1/calls", timeout=20).json()["calls"])
    assert call["caller_name"] == "GREEN PHARMACY"
    assert call["outcome"] == "in_progress"


def test_a_webhook_is_sent_again_by_a_button_with_the_rules_of_the_command(
    start_server: Callable[..., Server],
) -> None:
    server, other = start_server(), start_server()
    call_uuid = new_uuid()
    server.plivo("POST", "/dialstatus/action/?dial=a-dial", dial_report(call_uuid, "busy"))
    [receipt] = server.api(f"/calls/{call_uuid}").json()["receipts"]
    page = requests.Session()
    page.get(f"{server.url}/login", params={"token": SERVER_TOKEN}, timeout=20)
    call_page = page.get(f"{server.url}/calls/{call_uuid}", timeout=20).text
    url = f"{server.url}/receipts/{receipt['receipt_id']}/replay"
    assert f'action="/receipts/{receipt["receipt_id"]}/replay"' in call_page
    form = {"csrf": re.findall(r'name="csrf" value="([^"]+)"', call_page)[0], "call": call_uuid}

    def replay(**fields: str) -> requests.Response:
        return page.post(url, {**form, **fields}, timeout=60)

    to_itself, to_another, away = replay(), replay(to=other.url), replay(to="https://example.com")

    assert "The webhook was sent again" in to_itself.text
    assert "&lt;Response&gt;" in to_another.text
    assert "is not on this machine" in away.text
    [again] = server.api(f"/calls/{call_uuid}").json()["receipts"]
    assert again["deliveries"] == 2
    [dial] = other.api(f"/calls/{call_uuid}").json()["dials"]
    assert (dial["outcome"], dial["signature"]) == ("busy", "valid")
    assert replay(csrf="guessed").status_code == 400
    assert replay(to="http://127.0.0.1\0:80").status_code == 400
    assert page.post(url, form, headers={"X-Forwarded-For": "192.0.2.7"}, timeout=20).status_code == 403
    assert requests.post(url, form, timeout=20).status_code == 401
