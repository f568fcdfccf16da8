"""`flask plivo reconcile`: many pages, unfinished runs, repeated runs, wrong usage, a store that is away."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine

from tests.account.conftest import Cli, Table
from tests.account.plivo_api import PlivoApi
from tests.account.plivo_objects import record
from tests.account.reconciling import records_of


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """Let tests say when a webhook came."""
    del environ["PUBLIC_URL"]
    return environ | {"VERIFY_SIGNATURES": "off", "SIMULATED_TIME": "true"}


@pytest.mark.parametrize("uses_cursors", [False, True])
def test_a_thousand_calls_over_many_pages_come_in_once_each_through_refusals_and_faults(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table], uses_cursors: bool
) -> None:
    plivo_api.uses_cursors = uses_cursors
    plivo_api.records = [one for _ in range(500) for one in records_of(str(uuid4()))]
    plivo_api.trouble(429, times=2, path="/Call/", headers={"Retry-After": "0"})
    name, place = ("cursor", "c400") if uses_cursors else ("offset", "400")
    plivo_api.troubles_at(name, place, status=503, times=3, headers={"Retry-After": "0"})

    result = run("reconcile")

    assert result.exit_code == 0, result.output
    assert rows("SELECT count(*) AS n FROM calls")[0].n == 500
    assert rows("SELECT count(*) AS n FROM legs")[0].n == 500
    assert rows("SELECT count(*) AS n, max(deliveries) AS most FROM receipts")[0] == (1000, 1)
    assert len(plivo_api.asked) == 55
    assert "500  calls never heard of" in result.output


@pytest.mark.parametrize("uses_cursors", [False, True])
def test_a_run_that_broke_goes_on_where_it_stopped(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table], uses_cursors: bool
) -> None:
    plivo_api.uses_cursors = uses_cursors
    plivo_api.records = [record() for _ in range(100)]
    name, place = ("cursor", "c60") if uses_cursors else ("offset", "60")
    plivo_api.troubles_at(name, place, status=500, times=4, headers={"Retry-After": "0"})
    assert run("reconcile").exit_code == 7
    assert rows("SELECT count(*) AS n FROM calls")[0].n == 60
    plivo_api.asked.clear()

    result = run("reconcile")

    assert result.exit_code == 0, result.output
    assert "Going on where the last run stopped" in result.output
    again = [asked.query.get(name) for asked in plivo_api.asked]
    assert again[:3] == [place, place.replace("60", "80"), None if uses_cursors else "0"]
    assert rows("SELECT count(*) AS n FROM receipts")[0].n == 100


def test_a_cursor_that_expired_meanwhile_starts_the_window_again(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table]
) -> None:
    plivo_api.uses_cursors = True
    plivo_api.records = [record() for _ in range(100)]
    plivo_api.troubles_at("cursor", "c60", status=500, times=4, headers={"Retry-After": "0"})
    run("reconcile")
    plivo_api.troubles_at("cursor", "c60", status=400, times=1)

    result = run("reconcile")

    assert result.exit_code == 0, result.output
    assert rows("SELECT count(*) AS n, max(deliveries) AS most FROM receipts")[0] == (100, 1)


def test_a_cursor_file_that_cannot_be_read_starts_from_the_beginning(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table], environ: dict[str, str]
) -> None:
    run("reconcile")
    (Path(environ["INSTANCE_DIR"]) / "plivo_reconcile.json").write_text(json.dumps({"since": 5}))
    plivo_api.records = [record()]

    assert run("reconcile").exit_code == 0
    assert rows("SELECT count(*) AS n FROM calls")[0].n == 1


def test_every_looks_again_from_a_little_before_where_it_ended_until_told_to_stop(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table]
) -> None:
    plivo_api.records = [record()]
    rounds = [
        lambda: None,
        lambda: plivo_api.records.append(record()),
        lambda: os.kill(os.getpid(), signal.SIGTERM),
    ]
    plivo_api.on_list = lambda: rounds.pop(0)()

    result = run("reconcile", "--every", "1s")

    assert rounds == []
    assert result.exit_code == 1
    assert "Stopped; the next run goes on from here" in result.output
    assert rows("SELECT count(*) AS n FROM calls")[0].n == 2
    windows = [asked.query for asked in plivo_api.asked]
    assert windows[1]["end_time__gte"] < windows[0]["end_time__lt"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--log", "-", "--since", "1h"), "--log names the calls itself"),
        (("--since", "yesterday"), "--since is 'yesterday'; write a number and s, m, h or d"),
        (("--since", "31d"), "Plivo lists at most 30 days at once"),
        (("--every", "0m"), "--every is '0m'"),
    ],
)
def test_wrong_durations_are_refused(plivo_api: PlivoApi, run: Cli, words: tuple[str, ...], said: str) -> None:
    result = run("reconcile", *words)

    assert result.exit_code == 2
    assert said in result.output
    assert plivo_api.asked == []


def test_a_store_that_takes_nothing_is_a_sentence(plivo_api: PlivoApi, run: Cli, environ: dict[str, str]) -> None:
    plivo_api.records = [record()]
    environ["STORE_TIMEOUT"] = "0.8"
    engine = create_engine(
        f"sqlite:///{environ['INSTANCE_DIR']}/dialstatus.db", connect_args={"check_same_thread": False}
    )
    with ExitStack() as held:
        plivo_api.on_list = lambda: held.enter_context(engine.connect()).exec_driver_sql("BEGIN IMMEDIATE")

        result = run("reconcile")

    engine.dispose()
    assert result.exit_code == 1
    assert "The store cannot be used" in result.output


def test_a_store_without_tables_is_a_sentence(plivo_api: PlivoApi, run: Cli, environ: dict[str, str]) -> None:
    plivo_api.records = [record()]
    engine = create_engine(f"sqlite:///{environ['INSTANCE_DIR']}/dialstatus.db")

    def drop() -> None:
        with engine.connect() as connection:
            for table in ("legs", "dials", "recordings", "calls"):
                connection.exec_driver_sql(f"DROP TABLE {table}")
        engine.dispose()

    plivo_api.on_list = drop
    result = run("reconcile")

    assert result.exit_code == 1
    assert "The store cannot be used" in result.output
    assert "flask doctor" in result.output
