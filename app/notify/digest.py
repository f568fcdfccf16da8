"""The digest: what happened in a day or a week, at a local hour, once."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.plan.outlets import DIGEST, NOBODY_REACHED
from app.records.reading.call_filters import CallFilters
from app.records.reading.figures import Figures, GroupBy
from app.records.reading.followups import FollowupFilters, read_figures
from app.records.reading.read_session import read_session
from app.records.reading.summaries import Summaries
from app.records.store.store import Store
from app.records.writing.deliveries import find_fact, set_fact
from app.records.writing.outbox import queue_event
from settings.notify import DigestTime

_LATEST = 12 * 3600  # Seconds; a digest that is later than that, after a server was down, is left out.
_WEEK = timedelta(days=7)
_SLOWEST = 3
_ANSWERS = 3  # A target needs so many answered calls to be called slow.


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What a digest is about; the times know their zone. It is sent at `until`."""

    since: datetime
    until: datetime


def last_period(when: DigestTime, now: datetime) -> Period:
    """Return the period of the last digest that is due at a local time."""
    until = now.replace(hour=when.minute // 60, minute=when.minute % 60, second=0, microsecond=0, fold=0)
    if until.timestamp() > now.timestamp():  # Two times of one zone would be compared without their offsets.
        until -= timedelta(days=1)
    if when.weekday is not None:
        until -= timedelta(days=(until.weekday() - when.weekday) % 7)
    return Period(since=until - (_WEEK if when.weekday is not None else timedelta(days=1)), until=until)


def queue_digest(store: Store, when: DigestTime, zone: ZoneInfo) -> None:
    """Queue the digest that is due, unless it was before; the first one is that after the next hour of `when`.

    Only the process that sends may call it. Raises `StoreUnavailable`.
    """
    now = datetime.now(zone)
    period = last_period(when, now)
    slot = period.until.isoformat()
    with read_session(store) as connection:
        known = find_fact(connection, DIGEST)
    if known == slot:
        return
    is_sent = known is not None and now.timestamp() - period.until.timestamp() < _LATEST
    body = read_digest(store, period, zone) if is_sent else {}
    with store.transaction() as connection:
        set_fact(connection, DIGEST, slot)
        if is_sent:
            queue_event(store, connection, DIGEST, subject=slot, body=body)


def read_digest(store: Store, period: Period, zone: ZoneInfo) -> dict[str, Any]:
    """Return the figures of a period, compared with the week before it. Raises `StoreUnavailable`."""
    during = _filters(period.since, period.until)
    before = _filters(period.since - _WEEK, period.since)
    with read_session(store) as connection:
        summaries = Summaries(connection, zone)
        whole = summaries.summarise(during, GroupBy.OUTCOME).whole
        earlier = summaries.summarise(before, GroupBy.OUTCOME).whole
        hours = summaries.summarise(during, GroupBy.HOUR).parts
        targets = summaries.summarise(during, GroupBy.TARGET).parts
        followups = read_figures(connection, FollowupFilters())
    return {
        "since": period.since.isoformat(),
        "until": period.until.isoformat(),
        "calls": whole.total,
        "answered": whole.answered,
        "answer_rate": _rate(whole),
        "answer_rate_before": _rate(earlier),
        "missed": _missed(whole),
        "missed_by_hour": _missed_by_hour(hours),
        "slowest": _slowest(targets),
        "followups": followups.open,
        **asdict(followups),
    }


def _filters(since: datetime, until: datetime) -> CallFilters:
    return CallFilters(since=round(since.timestamp() * 1000), until=round(until.timestamp() * 1000))


def _rate(figures: Figures) -> int | None:
    return round(100 * figures.answered / figures.ended) if figures.ended else None


def _missed(figures: Figures) -> int:
    return sum(figures.outcomes[outcome] for outcome in NOBODY_REACHED)


def _missed_by_hour(hours: dict[str | None, Figures]) -> list[dict[str, int]]:
    """Return the hours of the day in which callers reached nobody, and how many did."""
    missed = dict.fromkeys(range(24), 0)
    for label, figures in hours.items():
        missed[datetime.fromisoformat(label or "").hour] += _missed(figures)
    return [{"hour": hour, "calls": calls} for hour, calls in missed.items() if calls]


def _slowest(targets: dict[str | None, Figures]) -> list[dict[str, Any]]:
    waits = [
        (figures.wait(0.5) or 0, figures.answered, target)
        for target, figures in targets.items()
        if target is not None and figures.answered >= _ANSWERS
    ]
    slowest = sorted(waits, reverse=True)[:_SLOWEST]
    return [{"target": target, "seconds": seconds, "calls": calls} for seconds, calls, target in slowest]
