"""Follow-ups: who waits longest, what happened to each, and how soon callers are reached."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, func, select

from app.records.model.ids import first_key, now
from app.records.model.state import CallState, FollowupState
from app.records.model.tables import calls
from app.records.model.tables_followup import followup_calls, followup_marks, followups
from app.records.reading.messages import Message, messages_of
from app.records.reading.read_session import call_of
from app.records.reading.scope import EVERYTHING, Scope
from app.records.writing.followups import Followup
from app.voice.outcome import CallOutcome

DAYS = 30  # The figures are about the follow-ups of so many days.
_HOUR, _DAY = 3_600_000, 24 * 3_600_000  # milliseconds
_MOST_MESSAGES = 10  # Of each follow-up, the newest.
_MOST_CALLS = 200
_WAITED: ColumnElement[int] = followups.c.closed_at - followups.c.opened_at
_REACHED = followups.c.state == Followup.REACHED.value


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowupFilters:
    """Which follow-ups a list or a figure is about."""

    state: str | None = None
    route: str | None = None
    scope: Scope = EVERYTHING  # What the viewer may see at all.


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFollowup:
    """A follow-up, the last call of the caller, and the newest messages."""

    followup: FollowupState
    last_call: CallState | None
    messages: list[Message]


class Happening(NamedTuple):
    """Something that happened to a follow-up: a call, what a person did, or how it was closed."""

    at: int
    what: str  # the outcome of a call, `reached`, or the action of a person
    who: str | None = None
    note: str | None = None
    call_uuid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowupFigures:
    """How many callers wait, and how soon those of the last 30 days were reached.

    Seconds are None where nobody was reached. The shares, from 0 to 1, leave out those marked done and those who have
    not waited that long; of nobody they are None.
    """

    open: int
    reached: int
    median_seconds: int | None
    p90_seconds: int | None
    within_hour: float | None
    within_day: float | None


def find_followups(
    connection: Connection, filters: FollowupFilters, *, limit: int, beyond: int | None = None
) -> tuple[list[ListedFollowup], int | None]:
    """Return follow-ups, and the key beyond which the next page begins.

    Open ones begin with the longest waiting; any others with the newest.
    """
    key, is_open = followups.c.followup_key, filters.state == Followup.OPEN
    query = select(followups).where(*_conditions(filters)).order_by(key if is_open else key.desc()).limit(limit + 1)
    if beyond is not None:
        query = query.where(key > beyond if is_open else key < beyond)
    found = [FollowupState(**row) for row in connection.execute(query).mappings()]
    following = found[limit - 1].followup_key if len(found) > limit else None
    return _whole(connection, found[:limit]), following


def find_followup(connection: Connection, call_key: int) -> ListedFollowup | None:
    """Return the follow-up that a call belongs to, with the last call of the caller and the messages."""
    found = followup_of(connection, call_key)
    return _whole(connection, [found])[0] if found is not None else None


def followup_of(connection: Connection, call_key: int) -> FollowupState | None:
    """Return the follow-up that a call belongs to."""
    owner = select(followup_calls.c.followup_key).where(followup_calls.c.call_key == call_key).scalar_subquery()
    row = connection.execute(select(followups).where(followups.c.followup_key == owner)).mappings().first()
    return FollowupState(**row) if row is not None else None


def find_call_keys(connection: Connection, text: str) -> list[int]:
    """Return a call of each follow-up that a text names: a follow-up's id, a call's UUID, or a caller who waits."""
    if text.isascii() and text.isdigit() and len(text) > 15:
        return [min(int(text), 2**63 - 1)]
    by_call = select(calls.c.call_key).where(calls.c.call_uuid == text)
    is_waiting = (followups.c.caller == text, followups.c.state == Followup.OPEN.value)
    return list(connection.scalars(by_call)) or list(
        connection.scalars(select(followups.c.followup_key).where(*is_waiting))
    )


def history_of(connection: Connection, followup: FollowupState) -> list[Happening]:
    """Return what happened to a follow-up, in order; of very many calls the newest."""
    of_calls = (
        select(calls.c.started_at, calls.c.outcome, calls.c.call_uuid)
        .join(followup_calls, followup_calls.c.call_key == calls.c.call_key)
        .where(followup_calls.c.followup_key == followup.followup_key)
        .order_by(calls.c.call_key.desc())
        .limit(_MOST_CALLS)
    )
    following = select(func.min(followups.c.opened_at)).where(
        followups.c.caller == followup.caller,
        followups.c.route.is_not_distinct_from(followup.route),
        followups.c.opened_at > followup.opened_at,
    )
    until = connection.scalar(following)
    marks = select(followup_marks).where(
        followup_marks.c.caller == followup.caller,
        followup_marks.c.route.is_not_distinct_from(followup.route),
        followup_marks.c.at >= followup.opened_at,
    )
    found = [Happening(at, outcome or "unknown", call_uuid=uuid) for at, outcome, uuid in connection.execute(of_calls)]
    found += [
        Happening(row["at"], row["action"], row["actor"], row["note"])
        for row in connection.execute(marks).mappings()
        if until is None or row["at"] < until
    ]
    if followup.closing_call_uuid is not None and followup.closed_at is not None:
        found.append(Happening(followup.closed_at, Followup.REACHED.value, call_uuid=followup.closing_call_uuid))
    return sorted(found, key=lambda one: one.at)


def states_of(connection: Connection, call_keys: Sequence[int]) -> dict[int, str]:
    """Return the state of the follow-up of each of these calls that has one."""
    query = select(followup_calls.c.call_key, followups.c.state).join(
        followups, followups.c.followup_key == followup_calls.c.followup_key
    )
    found = connection.execute(query.where(followup_calls.c.call_key.in_(call_keys)))
    return {row.call_key: row.state for row in found}


def count_open(connection: Connection, filters: FollowupFilters) -> int:
    """Return how many callers wait to be called back."""
    is_open = followups.c.state == Followup.OPEN.value
    return _count(connection, is_open, *_conditions(filters))


def read_figures(connection: Connection, filters: FollowupFilters) -> FollowupFigures:
    """Return the figures; of the filters only those on the caller's side apply, not the state."""
    moment, filters = now(), replace(filters, state=None)
    recent = [followups.c.followup_key >= first_key(moment - DAYS * _DAY), *_conditions(filters)]
    reached = _count(connection, _REACHED, *recent)
    waits = select(_WAITED).where(_REACHED, *recent).order_by(_WAITED)
    median, p90 = (_nth(connection, waits, round(share * (reached - 1)), reached) for share in (0.5, 0.9))
    within_hour, within_day = (_share(connection, recent, longest, moment) for longest in (_HOUR, _DAY))
    return FollowupFigures(
        open=count_open(connection, filters),
        reached=reached,
        median_seconds=median,
        p90_seconds=p90,
        within_hour=within_hour,
        within_day=within_day,
    )


def _nth(connection: Connection, waits: Select[int], place: int, count: int) -> int | None:
    found = connection.scalar(waits.offset(place).limit(1)) if count else None
    return None if found is None else round(found / 1000)


def _share(connection: Connection, recent: list[ColumnElement[bool]], longest: int, moment: int) -> float | None:
    counted = followups.c.state != Followup.DONE.value, followups.c.opened_at <= moment - longest
    total = _count(connection, *counted, *recent)
    return _count(connection, *counted, *recent, _REACHED, _WAITED.between(0, longest)) / total if total else None


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).where(*conditions)).scalar_one()


def _conditions(filters: FollowupFilters) -> list[ColumnElement[bool]]:
    named = ((followups.c.state, filters.state), (followups.c.route, filters.route))
    return [
        *(column == value for column, value in named if value is not None),
        *filters.scope.on_route(followups.c.route),
    ]


def _whole(connection: Connection, found: Sequence[FollowupState]) -> list[ListedFollowup]:
    uuids = [followup.last_call_uuid for followup in found]
    last = {
        row["call_uuid"]: call_of(row)
        for row in connection.execute(select(calls).where(calls.c.call_uuid.in_(uuids))).mappings()
    }
    keys = [followup.followup_key for followup in found]
    left = (
        select(followup_calls.c.followup_key, followup_calls.c.call_key)
        .join(calls, calls.c.call_key == followup_calls.c.call_key)
        .where(followup_calls.c.followup_key.in_(keys), calls.c.outcome == CallOutcome.MESSAGE_LEFT.value)
        .order_by(followup_calls.c.call_key.desc())
    )
    of_followup: dict[int, list[int]] = {key: [] for key in keys}
    for key, call_key in connection.execute(left):
        if len(of_followup[key]) < _MOST_MESSAGES:
            of_followup[key].append(call_key)
    messages = messages_of(connection, [call_key for some in of_followup.values() for call_key in some])
    return [
        ListedFollowup(
            followup=one,
            last_call=last.get(one.last_call_uuid),
            messages=[messages[key] for key in of_followup[one.followup_key] if key in messages],
        )
        for one in found
    ]
