"""The results as tables: on the terminal and in `results.md`."""

import platform
import sqlite3
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.load import WRK, Measured

_PACKAGES = (
    "flask",
    "gunicorn",
    "uvicorn",
    "uvloop",
    "httptools",
    "sqlalchemy",
    "psycopg",
    "plivo",
    "fastapi",
    "granian",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table. `pairs` are our run and the peer's in each round."""

    figure: str
    done_at: str
    goal: str
    value: float
    unit: str = ""
    spread: tuple[float, float] | None = None
    detail: str = ""


def ratio_row(figure: str, done_at: str, goal: str, pairs: Sequence[tuple[Measured, Measured]]) -> Row:
    """Return the row of a ratio of rates: the median over the pairs."""
    ratios = sorted(mine.rate / peer.rate for mine, peer in pairs)
    mine, peer = (statistics.median(one.rate for one in side) for side in zip(*pairs, strict=True))
    return Row(
        figure=figure,
        done_at=done_at,
        goal=goal,
        value=statistics.median(ratios),
        spread=(ratios[0], ratios[-1]),
        detail=f"{mine:,.0f} / {peer:,.0f} per second",
    )


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| figure | done at | goal | measured | lowest–highest | |", "|---|---|---|---|---|---|"]
    for row in rows:
        spread = f"{row.spread[0]:.2f}–{row.spread[1]:.2f}" if row.spread else ""
        lines.append(
            f"| {row.figure} | {row.done_at} | {row.goal} | **{row.value:.4g}{row.unit}** | {spread} | {row.detail} |"
        )
    return "\n".join(lines) + "\n"


def runs_table(runs: dict[str, list[Measured]], memory: dict[str, float]) -> str:
    """Return each server's own figures: medians over its runs."""
    lines = [
        "| server | connections | requests a second | p50 ms | p99 ms | processor µs a request | MB a worker |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, measured in runs.items():
        server, _, connections = name.partition("@")
        rate, p50, p99, micros = (
            statistics.median(values)
            for values in zip(*((one.rate, one.p50, one.p99, one.processor_micros) for one in measured), strict=True)
        )
        lines.append(
            f"| {server} | {connections} | {rate:,.0f} | {p50:.1f} | {p99:.1f} | {micros:.0f} | {memory.get(server, 0):.0f} |"
        )
    return "\n".join(lines) + "\n"


def machine(filesystem: str) -> str:
    """Return the machine and the versions of the measurement."""
    return (
        f"{_processors()}, Linux {platform.release()}, {filesystem}; "
        f"Python {platform.python_version()}, SQLite {_sqlite_version()}; "
        + ", ".join(f"{name} {version(name)}" for name in _PACKAGES if _is_installed(name))
        + f"; load by {'wrk' if WRK else 'the client of this directory'} on the same machine."
    )


def _processors() -> str:
    text = Path("/proc/cpuinfo").read_text()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return f"{len(names)} × {names[0] if names else platform.processor()}"


def _sqlite_version() -> str:
    return sqlite3.sqlite_version


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
