"""The ratios that are measured, each with its goal."""

from dataclasses import dataclass

from benchmarks.bench import Side
from benchmarks.webhooks import answer

_ACTION = Side("ours")
_ANSWER = Side("ours", answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One ratio of rates. `pairs` is how many pairs of runs it gets in each start of the servers."""

    name: str
    figure: str
    done_at: str
    goal: str
    ours: Side = _ACTION
    peer: Side
    connections: int = 32
    pairs: int = 1


COMPARISONS = (
    Comparison(
        name="bare",
        figure="action / bare Flask view, 32 connections",
        done_at="0.80",
        goal="1.0",
        peer=Side("bare"),
        pairs=2,
    ),
    Comparison(
        name="bare128",
        figure="action / bare Flask view, 128 connections",
        done_at="0.95",
        goal="1.2",
        peer=Side("bare"),
        connections=128,
    ),
    Comparison(
        name="sample", figure="action / the sample, same settings", done_at="0.95", goal="1.2", peer=Side("sample")
    ),
    Comparison(
        name="plain",
        figure="action / the sample under plain `gunicorn -w 2`, 32 connections",
        done_at="1.1",
        goal="1.5",
        peer=Side("sample, plain"),
        pairs=2,
    ),
    Comparison(
        name="plain128",
        figure="action / the sample under plain `gunicorn -w 2`, 128 connections",
        done_at="1.3",
        goal="1.7",
        peer=Side("sample, plain"),
        connections=128,
    ),
    Comparison(
        name="flask",
        figure="action / an afternoon's Flask + SQLAlchemy",
        done_at="8",
        goal="15",
        peer=Side("afternoon, Flask"),
    ),
    Comparison(
        name="fastapi",
        figure="action / an afternoon's FastAPI + SQLAlchemy",
        done_at="10",
        goal="15",
        peer=Side("afternoon, FastAPI"),
    ),
    Comparison(
        name="ceiling",
        figure="action / bare Flask view on our own server",
        done_at="0.36",
        goal="0.6",
        peer=Side("bare, our server"),
    ),
    Comparison(
        name="granian",
        figure="action / bare Flask view on Granian",
        done_at="written down",
        goal="0.8",
        peer=Side("bare, Granian"),
    ),
    Comparison(
        name="answer",
        figure="answer / bare Flask view",
        done_at="0.75",
        goal="0.95",
        ours=_ANSWER,
        peer=Side("bare", answer),
    ),
    Comparison(
        name="xml",
        figure="answer / sample that builds its XML",
        done_at="1.05",
        goal="1.5",
        ours=_ANSWER,
        peer=Side("sample", answer),
    ),
    Comparison(
        name="postgresql",
        figure="action on PostgreSQL / on SQLite",
        done_at="0.8",
        goal="1.0",
        ours=Side("ours on PostgreSQL"),
        peer=_ACTION,
    ),
)
