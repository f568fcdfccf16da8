"""The pages of follow-ups and messages: without JavaScript, on a phone, with the keyboard, behind the same guard."""

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from app.records.model.ids import now
from app.records.reading.messages import count_unheard
from app.records.reading.read_session import read_session
from tests.records.histories import HOUR, Story
from tests.reports.caller import Caller, make_caller
from tests.reports.test_login import csrf_of
from tests.reports.visitor import PHONE, Visitor, needs_chromium, served

NUMBER = "+14155550142"


def fill(caller: Caller) -> None:
    """Store a caller who called twice and left a message, one who is anonymous, and one who was reached."""
    at = now() - 5 * HOUR
    stories = [
        Story(NUMBER, at, "missed", uuid="first"),
        Story(NUMBER, at + HOUR, "message", uuid="second"),
        Story("anonymous", at + 2 * HOUR, "message", uuid="hidden"),
        Story("+14155550143", at, "busy"),
        Story("+14155550143", at + HOUR, "callback"),
    ]
    caller.services.journal.append_all([one for story in stories for one in story.receipts()])


@pytest.fixture
def filled(caller: Caller) -> Caller:
    """Return an application with follow-ups and messages, and a session."""
    fill(caller)
    caller.log_in()
    return caller


def press(caller: Caller, page: str, action: str, path: str, **fields: str) -> int:
    """Send a form of a page."""
    data = {"csrf": csrf_of(page), "action": action, **fields}
    return caller.client.post(path, data=data).status_code


def first_form(page: str, path: str) -> str:
    found = re.search(rf'action="({path}/[0-9]+)[^"]*"', page)
    assert found
    return found[1]


def test_the_list_shows_who_waits_and_every_button_works_without_a_script(filled: Caller) -> None:
    page = filled.client.get("/followups").text
    assert 'href="tel:+14155550142"' in page
    assert "+1 415-555-0142" in page
    assert "called 2 times" in page
    assert "Anonymous" in page
    form = first_form(page, "/followups")

    assert press(filled, page, "take", form, note="at noon", noted="") == 303
    taken = filled.client.get("/followups").text
    assert press(filled, taken, "done", form, note="at noon", noted="at noon") == 303
    done = filled.client.get("/followups").text

    assert "Taken by admin" in taken
    assert 'value="at noon"' in taken
    assert "done by admin" in done
    assert done.count('class="card card-body mb-2 followup"') == 1
    assert press(filled, done, "reopen", form) == 303
    assert filled.client.get("/followups").text.count('class="card card-body mb-2 followup"') == 2


def test_a_message_is_heard_once_it_is_played_or_marked(filled: Caller) -> None:
    page = filled.client.get("/messages").text
    assert '<span class="count">2<' in page
    link = re.findall(r'src="(/recordings/[^"]+)"', page)[0]

    response = filled.app.test_client().get(link)  # The signed link needs no session.
    with read_session(filled.services.store) as connection:
        left = count_unheard(connection)

    assert (response.status_code, urlsplit(response.location).hostname) == (302, "media.plivo.com")
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert left == 1
    heard = filled.client.get("/messages").text
    assert "Heard by admin" in heard
    assert press(filled, heard, "unheard", first_form(heard, "/messages")) == 303
    assert "Heard by" not in filled.client.get("/messages").text
    assert filled.client.get("/messages?unheard=1").text.count("Unheard<") == 2


@pytest.mark.parametrize(
    "change",
    [lambda link: link[:-1], lambda _: "/recordings/guessed", lambda link: f"{link}x"],
    ids=["cut", "guessed", "longer"],
)
def test_a_forged_link_plays_nothing(lite_caller: Caller, change: object) -> None:
    fill(lite_caller)
    lite_caller.log_in()
    link = re.findall(r'src="(/recordings/[^"]+)"', lite_caller.client.get("/messages").text)[0]
    assert callable(change)

    assert lite_caller.client.get(change(link)).status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/r.mp3",
        "http://media.plivo.com/r.mp3",
        "https://a:b@media.plivo.com/r.mp3",
        "https://plivo.com.evil.example/r",
        "javascript:1",
    ],
)
def test_audio_elsewhere_is_never_led_to(lite_caller: Caller, url: str) -> None:
    fill(lite_caller)
    with lite_caller.services.store.engine.connect() as connection:
        connection.exec_driver_sql(f"UPDATE recordings SET url = '{url}'")
    lite_caller.log_in()

    page = lite_caller.client.get("/messages").text

    assert "<audio" not in page
    assert url not in page


@pytest.mark.parametrize("path", ["/followups", "/messages"])
def test_strangers_see_nothing_and_other_sites_change_nothing(lite_caller: Caller, path: str) -> None:
    fill(lite_caller)
    assert lite_caller.client.get(path).status_code == 401
    lite_caller.log_in()
    page = lite_caller.client.get(path).text
    form = first_form(page, path)

    assert lite_caller.client.post(form, data={"action": "done", "csrf": "guessed"}).status_code == 400
    headers = {"Sec-Fetch-Site": "cross-site"}
    data = {"action": "done", "csrf": csrf_of(page)}
    assert lite_caller.client.post(form, data=data, headers=headers).status_code == 403
    assert press(lite_caller, page, "forget", "/followups/1") == 400
    assert press(lite_caller, page, "done", f"{path}/1") == 404
    assert "done by" not in lite_caller.client.get("/followups").text


def test_numbers_are_masked_where_the_setting_says_so(masking_caller: Caller) -> None:
    fill(masking_caller)
    masking_caller.log_in()

    for path in ("/followups", "/messages"):
        page = masking_caller.client.get(path).text
        assert "…0142" in page
        assert "5550142" not in page
        assert "tel:" not in page


@pytest.mark.parametrize("java_script_enabled", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@needs_chromium
def test_somebody_works_through_the_list_with_the_keyboard(
    browser: Browser, tmp_path: Path, width: int, scheme: str, java_script_enabled: bool
) -> None:
    with make_caller(f"sqlite:///{tmp_path / 'store.db'}", tmp_path) as caller, served(caller) as site:
        fill(caller)
        options: dict[str, Any] = {"viewport": PHONE | {"width": width}, "color_scheme": scheme}
        context = browser.new_context(java_script_enabled=java_script_enabled, **options)
        visitor = Visitor(context.new_page(), site.url)
        visitor.watch()
        visitor.log_in()
        page = visitor.page
        page.goto(f"{site.url}/followups")
        page.get_by_label("Note on this caller").first.fill("at noon")
        page.keyboard.press("Enter")
        page.wait_for_url("**/followups")
        assert page.get_by_label("Note on this caller").first.input_value() == "at noon"
        page.get_by_role("button", name="Mine").first.focus()
        page.keyboard.press("Enter")
        page.get_by_text("Taken by admin").wait_for()
        page.get_by_role("button", name="Done").first.focus()
        page.keyboard.press("Space")
        page.get_by_text("done by admin").wait_for()
        _screenshot(visitor, tmp_path / "followups.png")
        page.get_by_role("link", name="Messages").click()
        page.get_by_role("button", name="Mark heard").first.click()
        page.get_by_text("Heard by admin").wait_for()
        _screenshot(visitor, tmp_path / "messages.png")
        context.close()
        assert (visitor.complaints, visitor.elsewhere) == ([], [])


def _screenshot(visitor: Visitor, path: Path) -> None:
    """Keep what the page looks like; the picture is wider than the screen where the page scrolls sideways."""
    size = visitor.page.viewport_size
    assert size
    picture = visitor.page.screenshot(path=path, full_page=True)
    assert int.from_bytes(picture[16:20], "big") == size["width"]


def test_the_audio_plays_from_plivos_host_alone(lite_caller: Caller) -> None:
    policy = lite_caller.client.get("/login").headers["Content-Security-Policy"]

    assert "media-src 'self' https://*.plivo.com" in policy


def test_the_list_of_calls_shows_follow_ups_and_filters_by_them(filled: Caller) -> None:
    page = filled.client.get("/?range=7d").text
    select = page[page.index('id="filter-followup"') :]
    choices = re.findall(r'<option value="(\w+)"[^>]*>[^<]*\((\d+)\)', select[: select.index("</select>")])

    assert choices == [("open", "3"), ("reached", "1")]
    assert (page.count("pill followup-open"), page.count("pill followup-reached")) == (3, 1)
    for state, calls in choices:
        listed = filled.client.get(f"/?range=7d&followup={state}").text
        assert f'<span id="total">{calls} call' in listed
        assert listed.count("<tr data-call=") == listed.count(f"pill followup-{state}") == int(calls)
    assert "followup: use open, reached, done" in re.sub("<.*?>", "", filled.client.get("/?followup=lost").text)


def test_a_call_shows_its_follow_up_with_the_buttons_and_leads_back_to_itself(filled: Caller) -> None:
    [uuid] = [call["call_uuid"] for call in filled.read("calls")["calls"] if call["call_uuid"].endswith("second")]
    page = filled.client.get(f"/calls/{uuid}").text
    form = unescape(re.findall(r'action="(/followups/[^"]*)"', page)[0])

    taken = filled.client.post(form, data={"csrf": csrf_of(page), "action": "take"})
    after = filled.client.get(f"/calls/{uuid}").text
    press(filled, page, "done", form)
    done = filled.client.get(f"/calls/{uuid}").text

    assert (taken.status_code, taken.location) == (303, f"/calls/{uuid}")
    assert "taken by admin" in after
    assert 'value="reopen"' in done
    assert 'value="take"' not in done
    assert filled.client.get("/calls/nothing").status_code == 404


def test_messages_play_from_the_list_and_the_call_by_links_of_this_server(filled: Caller) -> None:
    [uuid] = [call["call_uuid"] for call in filled.read("calls")["calls"] if call["call_uuid"].endswith("second")]
    for page in (filled.client.get("/?range=7d").text, filled.client.get(f"/calls/{uuid}").text):
        link = re.findall(r'(?:href|src)="(/recordings/[^"]+)"', page)[0]

        assert urlsplit(filled.client.get(link).location).hostname == "media.plivo.com"
        assert 'href="https://media.plivo.com' not in page


def test_every_link_of_every_page_leads_somewhere_and_keeps_the_filters(filled: Caller) -> None:
    kept = "range=30d&direction=inbound"
    seen: dict[str, int] = {}
    waiting = [f"/{path}?{kept}" for path in ("", "followups", "messages", "events", "welcome", "docs/glossary")]
    while waiting:
        address = waiting.pop()
        page = filled.client.get(address)
        seen[address] = page.status_code
        for found in re.findall(r'<a [^>]*href="(/[^"#]*)', page.text):
            link = unescape(found)
            is_page = link.startswith(("/calls/", "/messages", "/followups"))
            if is_page and link not in seen and link not in waiting:
                waiting.append(link)

    assert {address: status for address, status in seen.items() if status != 200} == {}
    calls = [address for address in seen if address.startswith("/calls/")]
    assert len(calls) > 4
    assert [address for address in calls if kept not in address] == []
