"""Calendars are read in the background; whatever their server does, callers keep the last good copy."""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.ops.feeds import Feeds
from app.ops.fetch import MOST_BYTES, FeedError, fetch
from app.plan.load import PlanError
from app.plan.model import Plan
from app.plan.snapshot import LiveState, Source
from settings.outgoing import public_or_any
from settings.urls import Address
from tests.ops.calendar_server import CalendarServer, calendar_of, calendar_server
from tests.plan.support import plan_of

NOW = datetime.now(UTC).replace(microsecond=0)
RUNNING = (NOW - timedelta(hours=1)).strftime("%Y%m%dT%H%M%SZ")
ANN, BOB = calendar_of("Ann +14155550161", RUNNING), calendar_of("Bob +14155550162", RUNNING)

EVERY_15_MINUTES = calendar_of("Bob +14155550162", RUNNING, "PT1M", "RRULE:FREQ=MINUTELY;INTERVAL=15")


@pytest.fixture
def server() -> Iterator[CalendarServer]:
    """Return a server whose calendar has Ann on call."""
    with calendar_server() as running:
        running.body, running.headers = ANN, {"ETag": '"1"'}
        yield running


def stands_for_public(address: Address) -> bool:
    """Return whether an address is the one that plays the open internet here."""
    return str(address) == "127.0.0.1"


def rota(address: str) -> Plan:
    """Return a plan with a rota."""
    return plan_of(f'[routes.main.steps.a]\nring = [{{ rota = "{address}" }}]')


def feeds_of(address: str, tmp_path: Path) -> Feeds:
    """Return the feeds of such a plan, which may be on this machine."""
    return Feeds(rota(address), tmp_path / "feeds", allow_private=True)


def on_call(feeds: Feeds, address: str, *, live: LiveState | None = None) -> tuple[str, ...] | None:
    """Return who is on call after a look at the copies; None where nothing is known."""
    live = live or LiveState()
    feeds.publish(live, NOW)
    timeline = live.oncall.get(Source(address, "UTC"))
    return timeline.at(NOW) if timeline is not None else None


def notes_in(tmp_path: Path) -> dict[str, object]:
    """Return what is noted about the one calendar."""
    [path] = (tmp_path / "feeds").glob("*.json")
    notes: dict[str, object] = json.loads(path.read_text())
    return notes


def test_a_calendar_is_read_kept_and_expanded(server: CalendarServer, tmp_path: Path) -> None:
    feeds = feeds_of(server.url, tmp_path)
    assert on_call(feeds, server.url) is None

    feeds.refresh()

    assert on_call(feeds, server.url) == ("+14155550161",)
    assert all(path.stat().st_mode & 0o077 == 0 for path in [tmp_path / "feeds"])


def test_a_calendar_that_has_not_changed_is_not_sent_again(server: CalendarServer, tmp_path: Path) -> None:
    feeds = feeds_of(server.url, tmp_path)
    server.headers = {"ETag": '"1"', "Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}
    feeds.refresh()
    server.status, server.body = 304, b""

    feeds.refresh(at_once=True)

    assert server.asked[1]["if-none-match"] == '"1"'
    assert server.asked[1]["if-modified-since"] == "Mon, 23 Nov 2026 10:00:00 GMT"
    assert notes_in(tmp_path)["problem"] is None
    assert on_call(feeds, server.url) == ("+14155550161",)


def test_a_changed_calendar_replaces_the_copy_for_every_process(server: CalendarServer, tmp_path: Path) -> None:
    feeds, other = feeds_of(server.url, tmp_path), feeds_of(server.url, tmp_path)
    feeds.refresh()
    assert on_call(other, server.url) == ("+14155550161",)
    server.body = BOB

    feeds.refresh(at_once=True)

    assert on_call(other, server.url) == ("+14155550162",)


def test_a_calendar_is_read_again_only_when_it_is_due(server: CalendarServer, tmp_path: Path) -> None:
    feeds = feeds_of(server.url, tmp_path)

    feeds.refresh()
    feeds.refresh()
    feeds_of(server.url, tmp_path).refresh()

    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status", "problem"),
    [
        (b"<html>Sign in</html>", {}, 200, "Content line could not be parsed"),
        (b"", {}, 200, "no components"),
        (BOB[:150], {}, 200, "no components"),
        (BOB[:150], {"Content-Length": str(len(BOB))}, 200, "sent a part of it"),
        (b"\xff\xfe\x00nonsense", {}, 200, "UnicodeDecodeError"),
        (b"gone", {}, 404, "replied with status 404"),
        (b"", {}, 500, "replied with status 500"),
        (b"x" * (MOST_BYTES + 1), {}, 200, "it is larger than 2 MB"),
        (b"", {"Content-Length": "9999999999"}, 200, "sent a part of it"),
        (EVERY_15_MINUTES, {}, 200, "more than 5000 events"),
        (b"", {"Location": "file:///etc/passwd"}, 302, "a redirect leads to no web address"),
        (b"", {"Location": "/secret/team.ics"}, 302, "more than 3 redirects"),
    ],
)  # fmt: skip
def test_a_bad_calendar_changes_nothing_for_callers(
    server: CalendarServer, tmp_path: Path, body: bytes, headers: dict[str, str], status: int, problem: str
) -> None:
    feeds = feeds_of(server.url, tmp_path)
    feeds.refresh()
    server.body, server.headers, server.status = body, headers, status

    feeds.refresh(at_once=True)

    assert on_call(feeds, server.url) == ("+14155550161",)
    assert on_call(feeds_of(server.url, tmp_path), server.url) == ("+14155550161",)  # After a restart too.
    assert problem in str(notes_in(tmp_path)["problem"])
    assert "secret" not in str(notes_in(tmp_path)["problem"])


def test_a_calendar_that_has_been_away_for_a_week_changes_nothing_but_its_age(
    server: CalendarServer, tmp_path: Path
) -> None:
    feeds, live = feeds_of(server.url, tmp_path), LiveState()
    server.body = calendar_of("Ann +14155550161", RUNNING, "P30D")
    feeds.refresh()
    server.stop()
    [notes] = (tmp_path / "feeds").glob("*.json")
    notes.write_text(json.dumps(json.loads(notes.read_text()) | {"read_at": time.time() - 7 * 86_400}))

    feeds.refresh(at_once=True)

    assert on_call(feeds, server.url, live=live) == ("+14155550161",)
    [state] = live.feeds
    assert state.is_stale
    assert str(state) == (
        "routes.main.steps.a (127.0.0.1) was last read 168 hours ago: 127.0.0.1 did not send it: ConnectionRefusedError"
    )


def test_a_slow_calendar_is_given_up(server: CalendarServer) -> None:
    server.pause = 6.0  # Longer than one read may take.

    with pytest.raises(FeedError, match="did not send it"):
        fetch(server.url, etag=None, modified=None, allows=public_or_any(allow_private=True))


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/a.ics", "http://localhost:1/a.ics", "http://[::1]:1/a.ics"])
def test_an_address_on_a_private_network_is_refused(address: str) -> None:
    with pytest.raises(FeedError, match="is a private address; set FEEDS_ALLOW_PRIVATE=true to allow it"):
        fetch(address, etag=None, modified=None, allows=public_or_any(allow_private=False))


@pytest.mark.parametrize("location", ["{url}", "//{host}/team.ics"])
def test_a_redirect_from_a_public_to_a_private_address_is_refused(server: CalendarServer, location: str) -> None:
    with calendar_server("127.0.0.2") as private:
        private.body = BOB
        target = location.format(url=private.url, host=urlsplit(private.url).netloc)
        server.status, server.headers = 302, {"Location": target}

        with pytest.raises(FeedError, match=r"127\.0\.0\.2 is a private address; set FEEDS_ALLOW_PRIVATE=true"):
            fetch(server.url, etag=None, modified=None, allows=stands_for_public)
        reached = fetch(server.url, etag=None, modified=None, allows=public_or_any(allow_private=True))

    assert reached.body == BOB
    assert len(private.asked) == 1  # By the request that was allowed.


def test_a_redirect_between_public_addresses_is_followed(server: CalendarServer) -> None:
    with calendar_server() as other:
        other.body = BOB
        server.status, server.headers = 302, {"Location": other.url}

        assert fetch(server.url, etag=None, modified=None, allows=stands_for_public).body == BOB


def test_a_file_is_read_beside_the_plan_and_outlives_its_removal(tmp_path: Path) -> None:
    (tmp_path / "oncall.ics").write_bytes(ANN)
    plan = rota("oncall.ics").model_copy(update={"folder": tmp_path})
    feeds = Feeds(plan, tmp_path / "feeds", allow_private=False)
    feeds.refresh()
    (tmp_path / "oncall.ics").unlink()

    feeds.refresh(at_once=True)

    assert on_call(feeds, "oncall.ics") == ("+14155550161",)
    assert notes_in(tmp_path)["problem"] == "it cannot be read: FileNotFoundError"


def test_files_of_one_name_beside_two_plans_are_two_calendars(tmp_path: Path) -> None:
    found = {}
    for name, calendar in {"ann": ANN, "bob": BOB}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "oncall.ics").write_bytes(calendar)
        plan = rota("oncall.ics").model_copy(update={"folder": tmp_path / name})
        found[name] = Feeds(plan, tmp_path / "feeds", allow_private=False)
        found[name].refresh()

    assert {name: on_call(feeds, "oncall.ics") for name, feeds in found.items()} == {
        "ann": ("+14155550161",),
        "bob": ("+14155550162",),
    }


def test_one_calendar_closes_a_route_and_names_who_is_on_call(server: CalendarServer, tmp_path: Path) -> None:
    plan = plan_of(f"""
        [routes.main]
        ending = "hangup"
        hours = {{ time_zone = "UTC", otherwise = "busy", monday = ["09:00-17:00"], calendar = "{server.url}" }}
        steps = {{ a = {{ ring = [{{ rota = "{server.url}" }}] }} }}
        """)
    feeds, live, source = Feeds(plan, tmp_path, allow_private=True), LiveState(), Source(server.url, "UTC")
    feeds.refresh()
    feeds.publish(live, NOW)

    assert live.days[source].at(NOW) == ("Ann +14155550161",)
    assert live.oncall[source].at(NOW) == ("+14155550161",)


def test_a_damaged_copy_is_read_again_although_the_calendar_has_not_changed(
    server: CalendarServer, tmp_path: Path
) -> None:
    feeds_of(server.url, tmp_path).refresh()
    copy = next((tmp_path / "feeds").glob("*.ics"))
    copy.write_bytes(b"")  # What a power cut may leave.
    feeds = feeds_of(server.url, tmp_path)
    feeds.refresh(at_once=True)

    assert on_call(feeds, server.url) == ("+14155550161",)
    assert "if-none-match" not in server.asked[-1]


def test_a_calendar_may_begin_with_a_byte_order_mark(server: CalendarServer, tmp_path: Path) -> None:
    server.body = b"\xef\xbb\xbf" + ANN
    feeds = feeds_of(server.url, tmp_path)
    feeds.refresh()

    assert on_call(feeds, server.url) == ("+14155550161",)


def test_holidays_need_no_network_and_an_unknown_country_is_a_mistake(tmp_path: Path) -> None:
    bavaria, nowhere = (
        plan_of(f"""
            [routes.main]
            ending = "hangup"
            hours = {{ time_zone = "Europe/Berlin", otherwise = "busy", monday = ["09:00-17:00"], holidays = "{code}" }}
            """)
        for code in ("DE-BY", "QQ")
    )
    live = LiveState()
    Feeds(bavaria, tmp_path, allow_private=False).publish(live, datetime(2026, 12, 20, tzinfo=UTC))

    assert live.days[Source("DE-BY", "Europe/Berlin")].at(datetime(2026, 12, 25, 9, tzinfo=UTC)) == ("Christmas Day",)
    with pytest.raises(PlanError, match=r"\[routes.main.hours\]: holidays is 'QQ'; QQ is no country"):
        Feeds(nowhere, tmp_path, allow_private=False).check_holidays()


def test_only_one_process_of_a_node_reads(server: CalendarServer, tmp_path: Path) -> None:
    children = []
    for _ in range(3):
        child = os.fork()
        if not child:
            feeds_of(server.url, tmp_path).refresh()
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]

    assert len(server.asked) == 1
