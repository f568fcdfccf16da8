"""Which of two reports of the same thing the fold keeps: sort keys, the greatest of which wins."""

from app.voice.events import Hangup, Source
from app.voice.outcome import DOCUMENTED_STATUSES

# Call statuses, the later ones stronger. Any other word is a reason for the end, which is more than `completed`.
_STATUSES = {None: 0, "queued": 1, "ringing": 2, "in-progress": 3, "completed": 4}
_COMPLETED, _OTHER_END = 4, 5
# What a better source says replaces what weaker ones said. PHLO is not signed.
SOURCE_RANK: dict[str, int] = {Source.CDR: 0, Source.PHLO: 1, Source.WEBHOOK: 2}


def status_rank(status: str | None) -> tuple[int, str]:
    """Return the sort key of a call status."""
    return _STATUSES.get(status, _OTHER_END), status or ""


def ended_status(status: str | None) -> str:
    """Return the status of a call that has ended, although some notices of the end still say `in-progress`."""
    return "completed" if status is None or status_rank(status) < (_COMPLETED, "") else status


def end_rank(
    source: str | None, hangup: Hangup, status: str | None, ended_at: int | None, answered_at: int | None
) -> tuple[object, ...]:
    """Return the sort key of a report of an end: source, number of values, then the greater words, the earlier time."""
    values = (hangup.code, hangup.cause, hangup.name, hangup.source, hangup.duration, hangup.bill_duration, hangup.cost)
    known = sum(value is not None for value in (*values, answered_at))
    return (
        source == Source.WEBHOOK,
        known,
        tuple("" if value is None else str(value) for value in (*values, status)),
        -(ended_at or 0),
        -(answered_at or 0),
    )


def report_rank(
    status: str | None, b_leg_uuid: str | None, cause: str | None, rang: bool | None, code: int | None
) -> tuple[object, ...]:
    """Return the sort key of a report of a dial: an answered leg first, then a documented status, then any."""
    if status == "completed" and b_leg_uuid:
        rank = 3
    elif status in DOCUMENTED_STATUSES:
        rank = 2
    else:
        rank = 1 if status else 0
    return rank, status or "", b_leg_uuid or "", cause or "", str(rang), -1 if code is None else code
