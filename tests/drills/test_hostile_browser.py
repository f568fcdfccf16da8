"""What strangers write, shown in a real Chromium, stays text."""

import shutil
from collections.abc import Callable, Iterator
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.server.calls import new_uuid
from tests.support.server import REPORTS_TOKEN, Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; apt-get install chromium runs these tests"),
    pytest.mark.usefixtures("within_a_day"),
]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ATTACKS = (
    "<script data-injected>window.injected=1</script>",
    "\"'><img data-injected src=x onerror='window.injected=1'>",
    "</code></title></textarea></style><svg data-injected onload=window.injected=1>",
    "javascript:window.injected=1//<b data-injected>",
    "' data-injected onmouseover='window.injected=1' x='",
    "{{ 99999*99999*99999 }}<b data-injected>${99999*99999*99999}",
)
# What the last attack becomes if anything evaluates it; too long to appear in a random key by chance.
WORKED_OUT = str(99999**3)
# Every text of a payload that a page shows on its own; raw parameters are shown in full.
SHOWN = (
    *("From", "To", "CallerName", "Direction", "CallStatus", "ForwardedFrom", "DialStatus", "DialHangupCause"),
    *("DialBLegUUID", "DialBLegTo", "DialBLegFrom", "DialBLegStatus", "HangupCause", "HangupCauseName", "HangupSource"),
    *("DialBLegHangupCauseName", "DialBLegHangupSource", "X-PH-Note", "X-PH-<i data-injected>", "SIP-H-To", "Digits"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a running Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture
def server(start_server: Callable[..., Server], sqlite_url: str) -> Server:
    """Return a server that does not check signatures."""
    return start_server(DATABASE_URL=sqlite_url, VERIFY_SIGNATURES="off", PLIVO_AUTH_TOKEN="")


def report(server: Server, call_uuid: str, attack: str) -> None:
    """Report a call in which every text is the attack, on every route that stores one."""
    fields = dict.fromkeys(SHOWN, attack) | {"CallUUID": call_uuid, "X-Request-ID": attack}
    at_end = {"DialALegUUID": call_uuid, "DialStatus": attack}
    recording = {"RecordUrl": attack, "RecordFile": attack, "RecordingID": attack, "RecordingDuration": "1"}
    for route, more in (
        ("", {}),
        ("callback/", {"DialAction": "answer"}),
        ("callback/", {"DialAction": "hangup"}),
        ("action/", at_end),
        ("hangup/", {"Event": "Hangup"}),
        ("ring/", {}),
        ("recording/", recording),
        ("recording/", recording | {"RecordUrl": f" {attack}", "RecordingID": "second"}),
        ("recording/", recording | {"RecordUrl": f"https://x/{attack}", "RecordingID": "third"}),
    ):
        target = f"/dialstatus/{route}?{urlencode({'dial': attack, 'note': attack})}"
        assert server.request("POST", target, urlencode(fields | more), FORM).status == 200


def look(page: Page) -> None:
    """Open everything on a page, and check that no attack became markup or script."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    for element in page.locator("main *").all()[:50]:
        element.dispatch_event("mouseover")
    assert page.evaluate("window.injected") is None
    assert page.locator("[data-injected], main script, main img, [onerror], [onload], [onmouseover]").count() == 0
    links = page.locator("a[href]")  # Those of a chart are SVG, whose `href` is an object.
    for address in links.evaluate_all("all => all.map(one => new URL(one.getAttribute('href'), location).href)"):
        assert urlsplit(address).scheme in {"http", "https"}, address
    assert WORKED_OUT not in page.inner_text("body")


def test_no_text_of_a_payload_becomes_part_of_a_page(server: Server, browser: Browser) -> None:
    page = browser.new_context().new_page()
    complaints: list[str] = []
    elsewhere: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)

    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda asked: elsewhere.append(asked.url) if not asked.url.startswith(server.url) else None)
    page.goto(f"{server.url}/login?token={REPORTS_TOKEN}")

    for attack in ATTACKS:
        call_uuid = new_uuid()
        report(server, call_uuid, attack)

        page.goto(f"{server.url}/calls/{call_uuid}")
        look(page)
        assert attack in page.inner_text("main"), "the attack never reached the page"
    for path in (
        "/",
        *(f"/?{urlencode(dict.fromkeys(('q', 'cause', 'range', 'target'), a))}" for a in ATTACKS),
    ):
        page.goto(server.url + path)
        look(page)

    assert complaints == []
    assert elsewhere == []


def test_a_call_named_by_an_attacker_can_be_opened_and_does_nothing(server: Server, browser: Browser) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{server.url}/login?token={REPORTS_TOKEN}")
    for attack in ("javascript:window.injected=1", '"><b data-injected>', "..", "//elsewhere.example"):
        server.request("POST", "/dialstatus/", urlencode({"CallUUID": attack, "From": attack, "To": attack}), FORM)

    page.goto(f"{server.url}/")
    look(page)
    addresses = page.locator(".recent a").evaluate_all("links => links.map(link => link.href)")

    assert addresses
    assert all(address.startswith(server.url) for address in addresses), addresses


@pytest.mark.parametrize(
    "path", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "javascript:1"]
)
def test_the_login_leads_to_no_other_place(server: Server, path: str) -> None:
    reply = server.connect()
    reply.request("GET", f"/login?{urlencode({'token': REPORTS_TOKEN, 'next': path})}")
    answer = reply.getresponse()

    assert (answer.status, answer.headers["Location"]) == (303, "/")
    reply.close()


def test_no_page_may_run_a_script_of_its_own_text(server: Server) -> None:
    connection = server.connect()
    for path in ("/login", "/", "/calls/x", "/docs", "/api/v1/dials"):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        policy = answer.headers["Content-Security-Policy"]
        assert "'unsafe-inline'" not in policy
        assert "'unsafe-eval'" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    connection.close()
