"""Time every page and API call on stores of different sizes: `python -m benchmarks.read_speed URL [URL …]`."""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from flask.testing import FlaskClient
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from app import create_app
from app.context import EXTENSION
from app.records.model.tables import calls, dials
from app.records.reading.read_session import read_session
from config import Config

_TOKEN = "a-token-for-benchmarks"
_ROUNDS = 15
# A caller has more dials in a larger store; one dial's page costs the same in both.
_PLACES = {
    "dashboard, today": "/",
    "dashboard, 7 days": "/?range=7d",
    "dashboard, 30 days": "/?range=30d",
    "dashboard, 30 days, one target": "/?range=30d&target=%2B14155550123",
    "dashboard, 12 months": "/?range=365d",
    "one call": "/calls/{call}",
    "follow-ups": "/followups",
    "messages": "/messages",
    "documentation": "/docs",
    "API: dials": "/api/v1/dials",
    "API: outcome": "/api/v1/dials?outcome=missed",
    "API: cause": "/api/v1/dials?cause=USER_BUSY",
    "API: called number": "/api/v1/dials?to=%2B14155550101",
    "API: target": "/api/v1/dials?target=%2B14155550124",
    "API: route": "/api/v1/dials?route=night",
    "API: last digits": "/api/v1/dials?q={end}&limit=1",
    "API: caller": "/api/v1/dials?from={caller}&limit=1",
    "API: UUID": "/api/v1/dials?q={call}",
    "API: filters that seldom meet": "/api/v1/dials?outcome=failed&status=failed&cause=USER_BUSY&route=lab",
    "API: one dial": "/api/v1/dials/{dial}",
    "API: one call": "/api/v1/calls/{call}",
    "API: summary of a month by day": "/api/v1/summary?since={month}",
    "API: summary of a month by target": "/api/v1/summary?since={month}&group_by=target",
    "API: summary of everything by weekday": "/api/v1/summary?group_by=weekday",
}


_CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}


def measure(urls: Sequence[str], clock: Callable[[], float]) -> Iterator[tuple[str, list[float]]]:
    """Return for each URL the milliseconds on each store, the best of some rounds.

    The stores take turns, so that what else the machine does meets them alike.
    """
    with tempfile.TemporaryDirectory() as directory, ExitStack() as opened:
        visitors = [opened.enter_context(_visitor(url, f"{directory}/{number}")) for number, url in enumerate(urls)]
        for name, place in _PLACES.items():
            taken: list[list[float]] = [[] for _ in visitors]
            for _ in range(_ROUNDS):
                for times, (client, named) in zip(taken, visitors, strict=True):
                    times.append(_time(client, place.format(**named), clock))
            yield name, [min(times) for times in taken]


@contextmanager
def _visitor(url: str, instance: str) -> Iterator[tuple[FlaskClient, dict[str, str]]]:
    """Log in to an application on the store; yield the client, and the URLs to measure."""
    app = create_app(Config.load({"DATABASE_URL": url, "INSTANCE_DIR": instance, "REPORTS_TOKEN": _TOKEN}))
    store = app.extensions[EXTENSION].store
    with read_session(store) as connection:
        row = connection.execute(
            select(dials.c.dial_id, dials.c.from_number, calls.c.call_uuid)
            .join(calls, calls.c.call_key == dials.c.call_key)
            .order_by(dials.c.dial_key.desc())
            .offset(20)
            .limit(1)
        ).one()
    client = app.test_client()
    client.get(f"/login?token={_TOKEN}")
    yield (
        client,
        {
            "dial": row[0],
            "caller": row[1].replace("+", "%2B"),
            "end": row[1][-4:],
            "call": row[2],
            "month": time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - 30 * 86400)),
        },
    )
    store.close()


def _time(client: FlaskClient, place: str, clock: Callable[[], float]) -> float:
    started = clock()
    response = client.get(place)
    taken = 1000 * (clock() - started)
    if response.status_code != 200:
        raise SystemExit(f"{place} answered {response.status_code}: {response.text[:200]}")
    return taken


def main() -> None:
    """Measure each store and print the times side by side, the last also as a multiple of the first."""
    parser = argparse.ArgumentParser(description="Time every page and API call.")
    parser.add_argument("database_url", nargs="+")
    parser.add_argument(
        "--clock", choices=_CLOCKS, default="wall", help="processor: leave out what else the machine does meanwhile"
    )
    given = parser.parse_args()
    urls = given.database_url
    names = [url.rpartition("/")[2].partition("?")[0] for url in urls]
    table = Table(f"milliseconds ({given.clock}), best of {_ROUNDS}", *names, "times")
    for name, times in measure(urls, _CLOCKS[given.clock]):
        table.add_row(name, *(f"{each:.1f}" for each in times), f"{times[-1] / times[0]:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
