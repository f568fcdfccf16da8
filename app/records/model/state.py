"""What is known about one call: the call itself, its dials, their legs and its recordings.

Each state holds the columns of one row of its table, under the same names. They are changed by `fold` alone.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(slots=True)
class CallState:
    """One call. Times in milliseconds since 1970 UTC, durations in seconds."""

    call_key: int
    call_uuid: str
    from_number: str | None = None
    to_number: str | None = None
    direction: str | None = None
    call_status: str | None = None
    caller_name: str | None = None
    forwarded_from: str | None = None
    request_uuid: str | None = None
    started_at: int = 0
    answered_at: int | None = None
    ended_at: int | None = None
    ended_by: str | None = None
    hangup_cause: str | None = None
    hangup_name: str | None = None
    hangup_code: int | None = None
    hangup_source: str | None = None
    duration: int | None = None
    bill_duration: int | None = None
    cost: str | None = None
    heard_from: str = "cdr"


@dataclass(slots=True)
class DialState:
    """One dial. From `outcome` on, each value follows from the rest of the record."""

    dial_key: int
    dial_id: str
    call_key: int
    route: str | None = None
    step: str | None = None
    round: int | None = None
    targets: str | None = None
    started_at: int = 0
    dial_status: str | None = None
    dial_ring_status: bool | None = None
    dial_hangup_cause: str | None = None
    b_leg_uuid: str | None = None
    reported_at: int | None = None
    report_key: int | None = None
    outcome: str = "in_progress"
    from_number: str | None = None
    to_number: str | None = None
    answered_by: str | None = None
    hangup_name: str | None = None
    hangup_code: int | None = None
    hangup_source: str | None = None
    answered_at: int | None = None
    ended_at: int | None = None
    ring_seconds: int | None = None
    talk_seconds: int | None = None


@dataclass(slots=True)
class LegState:
    """One number or SIP user that rang in a dial. `answer_time` is Plivo's own word for when it picked up."""

    call_key: int
    b_leg_uuid: str
    dial_id: str
    target: str | None = None
    position: int | None = None
    answered_at: int | None = None
    connected_at: int | None = None
    answer_time: int | None = None
    ended_at: int | None = None
    ended_by: str | None = None
    hangup_cause: str | None = None
    hangup_name: str | None = None
    hangup_code: int | None = None
    hangup_source: str | None = None
    duration: int | None = None
    bill_duration: int | None = None
    cost: str | None = None
    digits: str | None = None


@dataclass(slots=True)
class RecordingState:
    """One recording: where Plivo keeps the audio, and how long it is, once known."""

    call_key: int
    recording_id: str
    dial_id: str | None = None
    url: str | None = None
    milliseconds: int | None = None
    recorded_at: int = 0


@dataclass(slots=True)
class CallRecord:
    """All that is kept about one call, apart from its receipts."""

    call: CallState
    dials: dict[str, DialState] = field(default_factory=dict)
    legs: dict[str, LegState] = field(default_factory=dict)
    recordings: dict[str, RecordingState] = field(default_factory=dict)


class Placement(NamedTuple):
    """A dial that a reply of ours starts: its id, whom it rings, and where in the plan it stands: the route, the
    step, and the count of the call's dials so far."""

    dial_id: str
    targets: tuple[str, ...]
    route: str | None = None
    step: str | None = None
    round: int | None = None
