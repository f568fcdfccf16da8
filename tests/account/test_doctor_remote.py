"""`flask doctor`: the way from outside, to a real server process, and the account at a real HTTP server."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from flask import Flask

from app.account.access import Access
from app.account.doctor import check_ngrok
from app.account.public_url import addresses_at
from app.account.setup import wanted_settings
from config import VERSION, Config
from tests.account.conftest import Examine, failing
from tests.account.plivo_api import PlivoApi
from tests.account.plivo_objects import AUTH_TOKEN
from tests.support.server import Server, until

# Nothing answers there, and nothing of these tests leaves this machine.
NOWHERE = "http://127.0.0.1:1"


NUMBER = "14155550199"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """Let PUBLIC_URL lead nowhere, until a test has something to lead it to."""
    return environ | {"PUBLIC_URL": NOWHERE}


@pytest.fixture
def server(start_server: Callable[..., Server], environ: dict[str, str]) -> Server:
    """Run our server where the doctor's PUBLIC_URL leads."""
    started = start_server(PLIVO_AUTH_TOKEN=AUTH_TOKEN)
    environ |= {"PUBLIC_URL": f"http://127.0.0.1:{started.port}", "PORT": str(started.port)}
    return started


@pytest.fixture
def stranger(environ: dict[str, str]) -> Iterator[None]:
    """Run a server that is not ours where the doctor's PUBLIC_URL leads."""

    class Hello(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        do_GET = do_POST = answer  # noqa: N815  # The standard library chose these names.

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as httpd:
        thread = threading.Thread(target=partial(httpd.serve_forever, 0.01))
        thread.start()
        environ |= {"PUBLIC_URL": f"http://127.0.0.1:{httpd.server_port}", "PORT": str(httpd.server_port)}
        yield
        httpd.shutdown()
        thread.join()


@pytest.mark.usefixtures("server")
def test_everything_is_well_but_that_loopback_is_not_public(
    plivo_api: PlivoApi, environ: dict[str, str], examine: Examine
) -> None:
    config = Config.load(environ)
    addresses = wanted_settings(
        addresses_at(environ["PUBLIC_URL"], retry_control=config.retry_control, retry_notice=config.retry_notice)
    )
    plivo_api.add_application("900", "dialstatus", **addresses)
    plivo_api.add_number(NUMBER, "900")

    checks = examine("--number", f"+{NUMBER}")

    assert failing(checks) == {"public URL", "settings"}
    assert checks["numbers"]["said"] == f"+{NUMBER}"
    assert checks["public URL by POST"]["ok"] is True
    assert checks["strangers"]["said"] == "an unsigned request is refused"
    assert set(checks) == {
        "settings",
        "plan",
        "targets",
        "migrations",
        "database",
        "orphan receipts",
        "spool",
        "disk space",
        "reports token",
        "signatures",
        "server",
        "public URL",
        "ngrok",
        "public URL by GET",
        "public URL by POST",
        "strangers",
        "token",
        "clock",
        "time zone",
        "application",
        "hangup URL",
        "application URLs",
        "numbers",
    }


def test_what_the_doctor_asks_is_no_trouble_but_a_call_without_its_answer_is(server: Server, examine: Examine) -> None:
    examine()
    until(lambda: len(server.events("fallback_tried")) == 2)
    assert not server.events("fallback_asked")

    server.plivo("POST", "/dialstatus/fallback/", {"CallUUID": "a-call"}, token=AUTH_TOKEN)

    [asked] = until(lambda: server.events("fallback_asked"))
    assert asked["level"] == "warning"
    assert {tried["level"] for tried in server.events("fallback_tried")} == {"info"}


@pytest.mark.usefixtures("server")
def test_a_token_other_than_the_servers_is_reported_from_outside(examine: Examine, environ: dict[str, str]) -> None:
    environ["PLIVO_AUTH_TOKEN"] = "another-made-up-token"

    checks = examine()

    assert "refuses our own signature" in checks["public URL by POST"]["said"]
    assert "does not accept PLIVO_AUTH_ID with PLIVO_AUTH_TOKEN" in checks["token"]["said"]
    assert "application" not in checks


@pytest.mark.usefixtures("stranger")
def test_something_else_that_answers_at_the_public_url_is_found_out(examine: Examine) -> None:
    checks = examine()

    assert "answers 200 without a type, no Plivo XML" in checks["public URL by GET"]["said"]
    assert checks["strangers"]["said"] == "an unsigned request gets 200"


def test_a_public_url_where_nothing_answers_is_a_sentence(examine: Examine) -> None:
    checks = examine()

    assert "cannot be reached (ConnectionError)" in checks["public URL by GET"]["said"]
    assert "from outside as well" in checks["public URL by GET"]["advice"]


@pytest.mark.usefixtures("server")
def test_the_address_of_ngrok_is_used_where_no_public_url_is_set(
    plivo_api: PlivoApi, examine: Examine, environ: dict[str, str]
) -> None:
    plivo_api.tunnels = [
        {"public_url": "https://127.0.0.1:1", "config": {"addr": f"http://localhost:{environ['PORT']}"}}
    ]
    del environ["PUBLIC_URL"]

    checks = examine()

    assert "https://127.0.0.1:1 (from ngrok)" in checks["public URL"]["said"]
    assert checks["ngrok"]["said"] == f"https://127.0.0.1:1 leads to port {environ['PORT']}"


@pytest.mark.parametrize(
    ("tunnels", "ok", "said"),
    [
        (["https://new.ngrok-free.app"], False, "is at https://new.ngrok-free.app now"),
        (["https://old.ngrok-free.app"], True, "leads to port 5000"),
        ([], None, "ngrok runs without an https tunnel"),
    ],
)
def test_an_address_of_ngrok_that_is_no_longer_ours_is_reported(
    plivo_api: PlivoApi, make_app: Callable[[], Flask], tunnels: list[str], ok: bool | None, said: str
) -> None:
    plivo_api.tunnels = [{"public_url": url, "config": {"addr": "http://localhost:5000"}} for url in tunnels]
    access = Access(api_url="", phlo_url="", ngrok_url=plivo_api.url, timeout=5)

    with make_app().app_context():
        check = check_ngrok("https://old.ngrok-free.app", access)

    assert (check.ok, said in check.said) == (ok, True)
    assert ("PUBLIC_URL=https://new.ngrok-free.app" in check.advice) == (ok is False)


def test_ngrok_is_not_asked_where_it_has_no_part(plivo_api: PlivoApi, examine: Examine) -> None:
    assert examine()["ngrok"]["ok"] is None
    assert not [asked for asked in plivo_api.asked if asked.path == "/api/tunnels"]


@pytest.mark.usefixtures("server")
def test_an_address_can_be_looked_at_before_it_is_set(examine: Examine, environ: dict[str, str]) -> None:
    url = environ.pop("PUBLIC_URL")

    checks = examine("--url", url)

    assert (
        checks["public URL"]["said"]
        == f"Plivo cannot reach {url} (--url): it leads to this machine or a private network"
    )
    assert checks["public URL by POST"]["ok"] is True


@pytest.mark.usefixtures("server")
def test_the_server_on_this_machine_is_found(examine: Examine, environ: dict[str, str]) -> None:
    check = examine()["server"]

    assert check["ok"] is True
    assert check["said"] == f"version {VERSION} answers on 127.0.0.1:{environ['PORT']}"


@pytest.mark.usefixtures("stranger")
def test_another_server_on_our_port_is_found(examine: Examine, environ: dict[str, str]) -> None:
    check = examine()["server"]

    assert (check["ok"], check["said"]) == (False, f"something else answers on 127.0.0.1:{environ['PORT']}")
    assert check["advice"] == "Write another PORT, or end what listens there."


def test_a_port_without_a_server_is_reported(examine: Examine, environ: dict[str, str]) -> None:
    environ["PORT"] = "1"

    check = examine()["server"]

    assert (check["ok"], check["advice"]) == (False, "Start it: `make run`.")
    assert check["said"] == "nothing answers on 127.0.0.1:1, so no call is answered"
