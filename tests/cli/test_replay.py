"""`flask replay` sends a stored receipt again, and the other server accepts it as Plivo's."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app import create_app
from app.cli.replay import replay
from config import Config
from tests.server.calls import dial_report, new_uuid
from tests.support.server import TOKEN, Server


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_server_accepts_a_stored_receipt(
    start_server: Callable[..., Server], sqlite_url: str, tmp_path: Path, method: str
) -> None:
    call_uuid = new_uuid()
    first = start_server(DATABASE_URL=sqlite_url)
    first.plivo(method, "/dialstatus/action/?dial=a-dial", dial_report(call_uuid, "busy"))
    [receipt] = first.api(f"/calls/{call_uuid}").json()["receipts"]
    other = start_server()

    done = run(sqlite_url, tmp_path, receipt["receipt_id"], "--to", other.url)

    assert done.exit_code == 0, done.output
    assert "<Speak>" in done.output
    [dial] = other.api(f"/calls/{call_uuid}").json()["dials"]
    assert (dial["dial_id"], dial["outcome"], dial["signature"]) == ("a-dial", "busy", "valid")


@pytest.mark.parametrize("public_url", ["", "https://calls.example.com"])
def test_without_a_url_the_receipt_goes_to_the_server_of_the_checkout(
    start_server: Callable[..., Server], sqlite_url: str, tmp_path: Path, public_url: str
) -> None:
    call_uuid = new_uuid()
    first = start_server(DATABASE_URL=sqlite_url)
    first.plivo("POST", "/dialstatus/action/?dial=a-dial", dial_report(call_uuid, "busy"))
    [receipt] = first.api(f"/calls/{call_uuid}").json()["receipts"]
    first.stop()
    server = start_server(DATABASE_URL=sqlite_url, PUBLIC_URL=public_url)

    done = run(sqlite_url, tmp_path, receipt["receipt_id"], PORT=str(server.port), PUBLIC_URL=public_url)

    assert done.exit_code == 0, done.output
    [again] = server.api(f"/calls/{call_uuid}").json()["receipts"]
    assert again["deliveries"] == 2


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (("1", "--to", "http://127.0.0.1:9"), "there is no receipt 1", 2),
        (("not-a-number", "--to", "http://127.0.0.1:9"), "is not a valid integer", 2),
        (("1", "--to", "127.0.0.1"), "there is no receipt 1", 2),
    ],
)
def test_an_impossible_replay_names_its_reason(
    start_server: Callable[..., Server],
    sqlite_url: str,
    tmp_path: Path,
    arguments: tuple[str, ...],
    sentence: str,
    code: int,
) -> None:
    start_server(DATABASE_URL=sqlite_url).stop()

    done = run(sqlite_url, tmp_path, *arguments)

    assert (done.exit_code, sentence in done.output) == (code, True), done.output


def run(database_url: str, scratch: Path, *arguments: str, **settings: str) -> Result:
    """Run the command on a store, in a checkout with these settings."""
    config = Config.load(
        {
            "DATABASE_URL": database_url,
            "INSTANCE_DIR": str(scratch),
            "PLIVO_AUTH_TOKEN": TOKEN,
            "DIAL_TO": "+14155550123",
            **settings,
        }
    )
    with create_app(config).app_context():
        return CliRunner().invoke(replay, [*arguments])
