"""`flask plivo setup`: URLs that Plivo cannot reach, and the address of a tunnel, followed by `--watch`."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.account.conftest import Cli
from tests.account.plivo_api import PlivoApi
from tests.account.test_setup import SETUP, application_of, ours, the_application


def tunnel(address: str, port: int = 5000) -> dict[str, object]:
    return {"public_url": address, "proto": "https", "config": {"addr": f"http://localhost:{port}"}}


def looks(plivo_api: PlivoApi, *happenings: Callable[[], object]) -> None:
    """Let one thing happen before each look at ngrok, in this order."""
    queue = list(happenings)

    def happen() -> None:
        if queue:
            queue.pop(0)()

    plivo_api.on_look = happen


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:5000",
        "http://LOCALHOST.:5000",
        "http://app.localhost",
        "http://127.0.0.1:5000",
        "http://127.1:5000",
        "http://0x7f000001",
        "http://2130706433/",
        "http://0177.0.0.1",
        "http://[::1]:5000",
        "http://[::ffff:127.0.0.1]",
        "http://[64:ff9b::7f00:1]",
        "http://[fe80::1]",
        "http://[fd00::5]",
        "http://10.1.2.3",
        "https://192.168.0.20:8443/voice",
        "http://172.16.0.1",
        "http://169.254.169.254",
        "http://100.64.0.1",
        "http://host.docker.internal:5000",
        "http://office.local",
        "http://nas.lan",
        "http://web",
    ],
)
def test_a_url_that_plivo_cannot_reach_is_refused_before_anything_is_changed(
    account: PlivoApi, run: Cli, url: str
) -> None:
    result = run(*SETUP, "--yes", "--url", url)

    assert result.exit_code == 2
    assert f"Plivo cannot reach {url}" in result.output
    assert account.writes() == []


def test_a_public_url_of_the_settings_that_plivo_cannot_reach_is_refused(
    account: PlivoApi, run: Cli, environ: dict[str, str]
) -> None:
    environ["PUBLIC_URL"] = "http://192.168.1.5:5000"

    result = run(*SETUP, "--yes")

    assert result.exit_code == 2
    assert "Plivo cannot reach http://192.168.1.5:5000" in result.output
    assert account.writes() == []


@pytest.mark.parametrize("url", ["http://127.0.0.1.example.com", "https://10.example.net", "http://8.8.8.8"])
def test_a_public_host_that_only_looks_private_is_taken(account: PlivoApi, run: Cli, url: str) -> None:
    result = run(*SETUP, "--yes", "--url", url)

    assert result.exit_code == 0, result.output
    assert str(the_application(account)["answer_url"]).startswith(f"{url}/dialstatus/")


def test_the_tunnel_is_used_where_no_url_is_known(account: PlivoApi, run: Cli, environ: dict[str, str]) -> None:
    del environ["PUBLIC_URL"]
    account.tunnels = [tunnel("https://other.ngrok.app", 8000), tunnel("https://ours.ngrok.app")]

    result = run(*SETUP, "--yes")

    assert the_application(account)["answer_url"] == ours("https://ours.ngrok.app")["answer_url"]
    assert "Set PUBLIC_URL=https://ours.ngrok.app" in result.output


@pytest.mark.parametrize(
    ("tunnels", "said"),
    [
        ([], "ngrok runs without an https tunnel"),
        ([tunnel("https://a.ngrok.app", 1), tunnel("https://b.ngrok.app", 2)], "several tunnels"),
        ([{"proto": "https"}], "is not ngrok's API"),
    ],
)
def test_a_tunnel_that_cannot_be_chosen_is_a_sentence(
    account: PlivoApi, run: Cli, environ: dict[str, str], tunnels: list[dict[str, object]], said: str
) -> None:
    del environ["PUBLIC_URL"]
    account.tunnels = tunnels

    result = run(*SETUP, "--yes")

    assert result.exit_code == 1
    assert said in result.output


def test_no_ngrok_at_all_is_a_sentence(run: Cli, environ: dict[str, str]) -> None:
    del environ["PUBLIC_URL"]

    result = run("--ngrok-url", "http://127.0.0.1:1", *SETUP, "--yes")

    assert result.exit_code == 8
    assert "No ngrok answers at http://127.0.0.1:1; start it with `ngrok http 5000`" in result.output


def test_a_watch_follows_the_tunnel_and_puts_all_back_when_it_is_stopped(account: PlivoApi, run: Cli) -> None:
    account.tunnels = [tunnel("https://one.ngrok.app")]
    seen: list[object] = []

    def move_on(asked_for: str) -> None:
        seen.append(the_application(account)["answer_url"])
        account.tunnels = [tunnel(asked_for)]

    looks(
        account,
        lambda: None,
        lambda: move_on("https://two.ngrok.app"),
        lambda: account.tunnels.clear(),
        lambda: move_on("https://two.ngrok.app"),
        lambda: os.kill(os.getpid(), signal.SIGTERM),
    )

    result = run(*SETUP, "--yes", "--watch", "--every", "0.01")

    assert result.exit_code == 0, result.output
    assert "dialstatus is at https://two.ngrok.app" in result.output
    assert seen == [ours("https://one.ngrok.app")["answer_url"], ours("https://two.ngrok.app")["answer_url"]]
    assert "ngrok runs without an https tunnel" in result.output
    assert len(account.applications) == 25
    assert application_of(account) == "107"


def test_a_watch_ends_with_what_setup_had_made(account: PlivoApi, run: Cli) -> None:
    run(*SETUP, "--yes")
    account.tunnels = [tunnel("https://one.ngrok.app")]
    looks(account, lambda: None, lambda: os.kill(os.getpid(), signal.SIGINT))

    run(*SETUP, "--yes", "--watch", "--every", "0.01")

    assert the_application(account) | ours() == the_application(account)
    assert "is on application 107 again" in run("restore", "--yes").output
