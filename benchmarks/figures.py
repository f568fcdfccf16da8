"""The ratios that are measured, each with its goal."""

from dataclasses import dataclass

from benchmarks.bench import Side
from benchmarks.webhooks import answer

_ACTION = Side("ours")
_ANSWER = Side("ours", answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One ratio of rates. `pairs` is the least number of pairs; more are taken where the ratio is close to its goal."""

    name: str
    figure: str
    done_at: str
    goal: str
    ours: Side = _ACTION
    peer: Side
    connections: int = 32
    pairs: int = 5


COMPARISONS = (
    Comparison(
        name="bare", figure="action / bare Flask view, 32 connections", done_at="0.55", goal="0.75", peer=Side("bare")
    ),
    Comparison(
        name="bare128",
        figure="action / bare Flask view, 128 connections",
        done_at="0.55",
        goal="0.75",
        peer=Side("bare"),
        connections=128,
    ),
    Comparison(
        name="sample", figure="action / the sample, same settings", done_at="0.75", goal="1.0", peer=Side("sample")
    ),
    Comparison(
        name="plain",
        figure="action / the sample under plain `gunicorn -w 2`, 32 connections",
        done_at="1.1",
        goal="1.5",
        peer=Side("sample, plain"),
        pairs=11,
    ),
    Comparison(
        name="plain128",
        figure="action / the sample under plain `gunicorn -w 2`, 128 connections",
        done_at="1.1",
        goal="1.5",
        peer=Side("sample, plain"),
        connections=128,
    ),
    Comparison(
        name="flask",
        figure="action / an afternoon's Flask + SQLAlchemy",
        done_at="2",
        goal="3",
        peer=Side("afternoon, Flask"),
    ),
    Comparison(
        name="fastapi",
        figure="action / an afternoon's FastAPI + SQLAlchemy",
        done_at="2",
        goal="3",
        peer=Side("afternoon, FastAPI"),
    ),
    Comparison(
        name="answer",
        figure="answer / bare Flask view",
        done_at="0.6",
        goal="0.8",
        ours=_ANSWER,
        peer=Side("bare", answer),
    ),
    Comparison(
        name="xml",
        figure="answer / sample that builds its XML",
        done_at="1.0",
        goal="1.5",
        ours=_ANSWER,
        peer=Side("sample", answer),
    ),
    Comparison(
        name="postgresql",
        figure="action on PostgreSQL / on SQLite",
        done_at="0.7",
        goal="0.9",
        ours=Side("ours on PostgreSQL"),
        peer=_ACTION,
    ),
)
