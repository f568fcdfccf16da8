"""The state of a call: the call itself, its dials, their legs and its recordings.

Each class holds the columns of one table under the same names. Only the fold and `derive` change a state.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

# A call holds at most so many dials, legs and recordings each, which bounds the cost of a receipt. Later receipts are
# stored and not folded.
MOST_OF_A_CALL = 100


@dataclass(slots=True)
class CallState:
    """One call. Times in milliseconds since 1970 UTC, durations in seconds.

    `turned_away` and `ending` are what the plan decided. The fields from `route` on are derived from the rest of the
    call: `outcome` is None for a call of an older version until `derive_calls` has reached it, and `recording_id` is
    the first recording of a second or more.
    """

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
    turned_away: str | None = None
    ending: str | None = None
    contact_name: str | None = None
    route: str | None = None
    outcome: str | None = "in_progress"
    answered_by: str | None = None
    waited_seconds: int | None = None
    talk_seconds: int | None = None
    dial_count: int = 0
    recording_id: str | None = None

    @property
    def message_id(self) -> str | None:
        """The recording that is the caller's message."""
        return self.recording_id if self.outcome == "message_left" else None


@dataclass(slots=True)
class DialState:
    """One dial. The fields from `outcome` on are derived from the rest of the call."""

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
    report_code: int | None = None
    starts_with_prompt: bool | None = None
    reported_by: str | None = None
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
    """One number or SIP user that rang in a dial. `answer_time` is when Plivo says it picked up, in milliseconds."""

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
    """One recording: the URL of the audio at Plivo, its length once known, and what was said where Plivo wrote it."""

    call_key: int
    recording_id: str
    dial_id: str | None = None
    url: str | None = None
    milliseconds: int | None = None
    recorded_at: int = 0
    transcription: str | None = None


@dataclass(slots=True)
class FollowupState:
    """A caller who reached nobody: their calls on one route, from the first until they were reached.

    `followup_key` is the key of the first call. Times in milliseconds since 1970 UTC; each call counts at its start.
    """

    followup_key: int
    caller: str
    route: str | None
    state: str
    caller_name: str | None
    opened_at: int
    first_call_uuid: str
    last_at: int
    last_call_uuid: str
    call_count: int = 0
    closed_at: int | None = None
    closed_by: str | None = None
    closing_call_uuid: str | None = None
    taken_at: int | None = None
    taken_by: str | None = None
    note: str | None = None


@dataclass(slots=True)
class CallRecord:
    """Everything stored about one call except its receipts."""

    call: CallState
    dials: dict[str, DialState] = field(default_factory=dict)
    legs: dict[str, LegState] = field(default_factory=dict)
    recordings: dict[str, RecordingState] = field(default_factory=dict)


class Placement(NamedTuple):
    """What our reply starts: a dial, or the ending of the plan.

    A dial has an id, the targets it rings and its place in the plan; `round` is its number within the call, from 1, and
    `starts_with_prompt`: the caller hears something before the targets ring. An ending has no `dial_id`; `ending` is
    its kind (`say`, `hangup`, `voicemail` or `redirect`), and `turned_away` is `blocked` or `closed` where the plan
    turned the caller away. `trials` are the dead phones among the targets that this dial tries again.
    `contact_name` is the caller's name in the address book.
    """

    dial_id: str | None
    targets: tuple[str, ...] = ()
    route: str | None = None
    step: str | None = None
    round: int | None = None
    starts_with_prompt: bool = False
    turned_away: str | None = None
    ending: str | None = None
    trials: tuple[str, ...] = ()
    contact_name: str | None = None
