"""Plivo's times: text to milliseconds, and the account's time zone found from the times themselves.

A hangup notice mixes zones: SessionStart is in UTC; StartTime, AnswerTime and EndTime are in the time zone of the
account's console, without an offset (Plivo, Call API). StartTime and SessionStart are the same moment to within
seconds, so that the difference between them, rounded to a quarter of an hour, is the account's offset.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

# The years 2000 to 2099, in milliseconds: a time outside is a mistake, and must not become the start of a call.
_FIRST_TIME, _LAST_TIME = 946_684_800_000, 4_102_444_800_000
_QUARTER = 15 * 60_000  # Milliseconds; every zone's offset is a multiple of it.
_LOWEST_OFFSET, _HIGHEST_OFFSET = -12 * 3_600_000, 14 * 3_600_000
_SKEW = 5 * 60_000  # Milliseconds by which Plivo's clock may be ahead of ours.
_EARLIER = 60_000  # Milliseconds by which a time in whole seconds may come out before SessionStart.
# A notice comes within a minute of the end of its call, with all retries (Plivo, callback configurations).
_LATEST_NOTICE = 10 * 60_000


class CallTimes(NamedTuple):
    """When a call began, was answered and ended, in milliseconds; None where Plivo's times cannot be believed.

    `derived_offset` is the account's offset from UTC in seconds where it differs from the configured zone.
    """

    started_at: int | None
    answered_at: int | None
    ended_at: int | None
    derived_offset: int | None = None


def parse_time(text: str | None, zone: tzinfo, *, fold: int = 0) -> int | None:
    """Parse a time of Plivo's (`2024-09-26 14:05:08`, with or without fraction or offset) to milliseconds.

    `zone` applies where the text has no offset of its own, `fold` is 1 for the second of an hour that comes twice when
    summer time ends. Returns None where there is no readable time, or one that no call of Plivo's can have.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = datetime.combine(moment, moment.time(), zone)  # `replace` takes five times as long.
            if fold:
                moment = moment.replace(fold=1)
        milliseconds = round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return milliseconds if _FIRST_TIME <= milliseconds < _LAST_TIME else None


def call_times(params: Mapping[str, str], *, session_start: int | None, at: int, zone: tzinfo) -> CallTimes:
    """Return when a call was answered and ended by the times of its hangup notice.

    `at` is when the notice was received and `session_start` its SessionStart, both in milliseconds; `zone` is the
    configured one and applies unless the times show another offset. Times that come out impossible are left out.
    """
    started = params.get("StartTime")
    earliest = session_start if session_start is not None else at - _LATEST_NOTICE
    configured, as_utc = _parse_after(earliest, started, zone), parse_time(started, UTC)
    derived = None
    if session_start is not None and configured is not None and as_utc is not None:
        if round((configured - session_start) / _QUARTER):
            derived = round((as_utc - session_start) / _QUARTER) * _QUARTER
        if derived is not None and not _LOWEST_OFFSET <= derived <= _HIGHEST_OFFSET:
            return CallTimes(session_start, None, None)
    if derived is not None:
        zone = timezone(timedelta(milliseconds=derived))
        derived //= 1000
    ended_at = _possible(_parse_after(earliest, params.get("EndTime"), zone), earliest, at + _SKEW)
    if ended_at is None and params.get("EndTime"):
        return CallTimes(session_start, None, None, derived)
    if session_start is None and ended_at is not None and configured is not None:
        # The end came out right, so the zone is right.
        session_start = earliest = min(configured, ended_at)
    answered_at = _parse_after(earliest, params.get("AnswerTime"), zone)
    answered_at = _possible(answered_at, earliest, at + _SKEW if ended_at is None else ended_at)
    return CallTimes(session_start, answered_at, ended_at, derived)


def _parse_after(earliest: int, text: str | None, zone: tzinfo) -> int | None:
    """Parse a time; of an hour that comes twice, the first time unless that lies before `earliest`."""
    moment = parse_time(text, zone)
    if moment is not None and moment < earliest - _EARLIER:
        second = parse_time(text, zone, fold=1)
        return second if second is not None and second >= earliest - _EARLIER else moment
    return moment


def _possible(moment: int | None, earliest: int, latest: int) -> int | None:
    """Return a moment that lies between two others, moved up where whole seconds put it a little before them."""
    if moment is None or not earliest - _EARLIER <= moment <= latest:
        return None
    return max(moment, earliest)


def offset_text(seconds: int) -> str:
    """Return an offset from UTC as people write it, such as `+05:30`."""
    sign = "-" if seconds < 0 else "+"
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{sign}{hours:02d}:{minutes:02d}"
