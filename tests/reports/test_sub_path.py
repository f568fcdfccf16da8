"""Below a path of a host: webhooks, pages, links, files, cookies and login, through a proxy and a real browser."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser

from app.voice.signature import make_nonce, sign_v3
from tests.reports.conftest import REPORTS_TOKEN, make_caller
from tests.reports.proxy import proxy
from tests.reports.visitor import Visitor, needs_chromium
from tests.server.calls import inbound, new_uuid
from tests.support.server import TOKEN, Reply, Server, free_port

Start = Callable[..., Server]


@dataclass
class Site:
    """A server of ours below a path, and the URL by which the world knows it."""

    server: Server
    url: str
    port: int

    def post_signed(self, path: str, fields: dict[str, str]) -> Reply:
        """Post as Plivo does, to the public URL and signed for it."""
        nonce = make_nonce()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Plivo-Signature-V3-Nonce": nonce,
            "X-Plivo-Signature-V3": sign_v3(
                method="POST", url=self.url + path, params=list(fields.items()), nonce=nonce, token=TOKEN
            ),
        }
        return self.get(path, "POST", urlencode(fields), headers)

    def get(
        self, path: str, method: str = "GET", body: str | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """Send a request to the public URL."""
        through = Server({}, port=self.port)
        return through.request(method, urlsplit(self.url).path + path, body, headers)


WAYS = {
    "the proxy strips the path": ("/voice", True),
    "the proxy keeps the path": ("/tools/voice", False),
    "the path is also ours, stripped": ("/calls", True),
    "the path is also ours, kept": ("/calls", False),
    "SCRIPT_NAME alone": ("/voice", False),
}


@pytest.fixture(params=list(WAYS))
def site(request: pytest.FixtureRequest, start_server: Start) -> Iterator[Site]:
    """Yield a site for each way to be served below a path."""
    prefix, strips = WAYS[request.param]
    port = free_port()
    url = f"http://127.0.0.1:{port}{prefix}"
    is_alone = request.param == "SCRIPT_NAME alone"
    server = start_server(WORKERS=1, **({"SCRIPT_NAME": prefix} if is_alone else {"PUBLIC_URL": url}))
    with proxy(server.port, prefix=prefix, strips=strips, port=port):
        # Without PUBLIC_URL the server goes by the Host that the proxy sends.
        yield Site(server, f"{server.url}{prefix}" if is_alone else url, port)


def test_webhooks_are_answered_and_get_urls_below_the_path(site: Site) -> None:
    reply = site.post_signed("/dialstatus/", inbound(call_uuid := new_uuid()))

    assert reply.status == 200
    assert reply.attribute("action").startswith(f"{site.url}/dialstatus/action/")
    action = urlsplit(reply.attribute("action"))
    report = {**inbound(call_uuid), "DialStatus": "busy", "DialALegUUID": call_uuid, "DialBLegUUID": ""}
    path = action.path.removeprefix(urlsplit(site.url).path)
    assert site.post_signed(f"{path}?{action.query}", report).status == 200
    headers = {"Authorization": f"Bearer {REPORTS_TOKEN}"}
    dial = site.get("/api/v1/dials", headers=headers).json()["dials"][0]
    assert (dial["call_uuid"], dial["outcome"], dial["signature"]) == (call_uuid, "busy", "valid")


def test_an_error_below_the_path_is_still_xml(site: Site) -> None:
    reply = site.get("/dialstatus/nothing/")

    assert (reply.status, reply.content_type.partition(";")[0]) == (404, "application/xml")


@needs_chromium
@pytest.mark.usefixtures("within_a_day")
def test_a_person_logs_in_reads_downloads_and_logs_out_below_the_path(site: Site, browser: Browser) -> None:
    site.post_signed("/dialstatus/", inbound(new_uuid()))
    context = browser.new_context(accept_downloads=True)
    prefix = urlsplit(site.url).path
    here = f"http://127.0.0.1:{site.port}{prefix}"
    visitor = Visitor(page := context.new_page(), here)
    visitor.watch()
    failed: list[str] = []
    page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)

    page.goto(f"{here}/login?token={REPORTS_TOKEN}")
    assert page.url == f"{here}/"
    assert [cookie["path"] for cookie in context.cookies()] == [prefix]
    page.get_by_label("Outcome", exact=True).select_option("in_progress")
    page.wait_for_url("**outcome=in_progress**")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    assert download.value.path().read_bytes().count(b"\r\n") == 2
    page.locator(".recent a").first.click()
    page.wait_for_url(f"{here}/calls/**")
    page.get_by_role("link", name="API").click()
    page.wait_for_url(f"{here}/docs")
    page.get_by_role("button", name="Dark").click()
    page.locator('html[data-bs-theme="dark"]').wait_for(state="attached")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(f"{here}/login")

    context.close()
    assert (failed, visitor.complaints, visitor.elsewhere) == ([], [], [])


@pytest.mark.parametrize("settings", [{}, {"PUBLIC_URL": "https://calls.example.com/voice"}, {"SCRIPT_NAME": "/voice"}])
def test_a_server_that_sets_script_name_is_believed(sqlite_url: str, tmp_path: Path, settings: dict[str, str]) -> None:
    with make_caller(sqlite_url, tmp_path, **settings) as caller:
        mounted = {"SCRIPT_NAME": "/voice"}
        login = caller.client.get(f"/login?token={REPORTS_TOKEN}", environ_overrides=mounted)
        page = caller.client.get("/", environ_overrides=mounted)

    assert login.location == "/voice/"
    assert "Path=/voice;" in f"{login.headers['Set-Cookie']};"
    links = re.findall(r'(?:href|src|action|data-refresh)="(/[^"]*)"', page.text)
    assert links
    assert [link for link in links if not link.startswith("/voice/")] == []


def test_the_setting_script_name_serves_below_a_path(sqlite_url: str, tmp_path: Path) -> None:
    with make_caller(sqlite_url, tmp_path, SCRIPT_NAME="/voice/") as caller:
        caller.client.get(f"/voice/login?token={REPORTS_TOKEN}")

        assert 'href="/voice/openapi.json"' in caller.client.get("/voice/docs").text
        assert caller.client.get("/voice/openapi.json").json["servers"] == [{"url": "/voice"}]  # type: ignore[index]
