"""Time every page and API call on stores of different sizes: `python -m benchmarks.read_speed URL [URL …]`."""

import argparse
import tempfile
import time
from collections.abc import Iterator

from flask.testing import FlaskClient
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from app import create_app
from app.context import EXTENSION
from app.records.reading import reading
from app.records.tables import calls, dials
from config import Config

_TOKEN = "a-token-for-benchmarks"
_ROUNDS = 7
_PLACES = {
    "dashboard, today": "/",
    "dashboard, 7 days": "/?range=7d",
    "dashboard, 30 days": "/?range=30d",
    "dashboard, 30 days, one target": "/?range=30d&target=%2B14155550123",
    "live part, 30 days": "/live?range=30d",
    "one call": "/calls/{call}",
    "API: dials": "/api/v1/dials",
    "API: outcome": "/api/v1/dials?outcome=missed",
    "API: cause": "/api/v1/dials?cause=USER_BUSY",
    "API: called number": "/api/v1/dials?to=%2B14155550101",
    "API: target": "/api/v1/dials?target=%2B14155550124",
    "API: route": "/api/v1/dials?route=night",
    "API: last digits": "/api/v1/dials?q={end}",
    "API: caller": "/api/v1/dials?from={caller}",
    "API: UUID": "/api/v1/dials?q={call}",
    "API: filters that seldom meet": "/api/v1/dials?outcome=failed&status=failed&cause=USER_BUSY&route=lab",
    "API: one dial": "/api/v1/dials/{dial}",
    "API: one call": "/api/v1/calls/{call}",
    "API: summary of a month by day": "/api/v1/summary?since={month}",
    "API: summary of a month by target": "/api/v1/summary?since={month}&group_by=target",
    "API: summary of everything by weekday": "/api/v1/summary?group_by=weekday",
}


def measure(url: str) -> Iterator[tuple[str, float]]:
    """Give the milliseconds of each place, the best of some rounds: what else the machine does is left out."""
    with tempfile.TemporaryDirectory() as instance:
        config = Config.load({"DATABASE_URL": url, "INSTANCE_DIR": instance, "REPORTS_TOKEN": _TOKEN})
        app = create_app(config)
        store = app.extensions[EXTENSION].store
        with reading(store) as connection:
            middle = connection.scalar(select(func.max(dials.c.dial_key)))
            row = connection.execute(
                select(dials.c.dial_id, dials.c.from_number, calls.c.call_uuid)
                .join(calls, calls.c.call_key == dials.c.call_key)
                .where(dials.c.dial_key <= middle)
                .order_by(dials.c.dial_key.desc())
                .offset(20)
                .limit(1)
            ).one()
        client = app.test_client()
        client.get(f"/login?token={_TOKEN}")
        month = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - 30 * 86400))
        named = {
            "dial": row[0],
            "caller": row[1].replace("+", "%2B"),
            "end": row[1][-4:],
            "call": row[2],
            "month": month,
        }
        for name, place in _PLACES.items():
            yield name, _best(client, place.format(**named))
        store.close()


def _best(client: FlaskClient, place: str) -> float:
    taken = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        response = client.get(place)
        taken.append(1000 * (time.perf_counter() - started))
        if response.status_code != 200:
            raise SystemExit(f"{place} answered {response.status_code}: {response.text[:200]}")
    return min(taken)


def main() -> None:
    """Measure each store and print them side by side."""
    parser = argparse.ArgumentParser(description="Time every page and API call.")
    parser.add_argument("database_url", nargs="+")
    urls = parser.parse_args().database_url
    table = Table("milliseconds, best of seven", *(url.rpartition("/")[2].partition("?")[0] for url in urls))
    columns = [dict(measure(url)) for url in urls]
    for name in _PLACES:
        table.add_row(name, *(f"{column[name]:.1f}" for column in columns))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
