"""What the API returns, as models: responses and the OpenAPI document are made from them.

Each class is a view of a record; the document names it without `View`.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str, when_used="json")]


class View(BaseModel):
    """A part of a response."""

    model_config = ConfigDict(serialize_by_alias=True)


class DialView(View):
    """One `<Dial>` of a call: Plivo's words as it wrote them, ours beside them. Durations are in seconds."""

    dial_id: str
    call_uuid: str
    route: str | None
    step: str | None
    round: int | None = Field(description="The dial's place in its call, from 1; null if no plan placed it.")
    a_leg_uuid: str | None
    b_leg_uuid: str | None
    from_number: str | None = Field(serialization_alias="from")
    to_number: str | None = Field(serialization_alias="to")
    targets: list[str] = Field(description="The numbers and SIP users that rang.")
    dial_status: str | None
    dial_ring_status: bool | None
    dial_hangup_cause: str | None
    outcome: str
    explanation: str = Field(description="The outcome, and where it helps the reason, in a sentence.")
    answered_by: str | None
    hangup_code: int | None
    hangup_name: str | None
    hangup_source: str | None
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    ring_seconds: int | None
    talk_seconds: int | None
    signature: str | None = Field(description="Whether the report was signed by Plivo; null before a report.")
    deliveries: int = Field(description="How often the report was delivered; 0 before a report.")


class DialsView(View):
    """A page of dials, newest first. It may hold fewer than `limit`: read on until `next_cursor` is null."""

    dials: list[DialView]
    next_cursor: str | None
    total: int | None = Field(None, description="How many dials match; null unless `total=true` asks for it.")


class RecordingView(View):
    """One recording: where Plivo keeps the audio, its length in milliseconds, and its text where Plivo wrote one."""

    recording_id: str
    dial_id: str | None
    url: str | None
    milliseconds: int | None
    recorded_at: Time
    transcription: str | None


class CallView(View):
    """One call, with or without dials. Durations are in seconds."""

    call_uuid: str
    direction: str | None
    from_number: str | None = Field(serialization_alias="from")
    to_number: str | None = Field(serialization_alias="to")
    caller_name: str | None = Field(description="The name in the address book, else the one that Plivo reports.")
    route: str | None = Field(description="The route of the dial plan.")
    outcome: str | None = Field(
        description="How the call ended; null for a call of an older version until `flask db upgrade` has reached it."
    )
    reason: str | None = Field(description="`blocked` or `closed` where the plan turned away a caller with a message.")
    answered_by: str | None
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    waited_seconds: int | None = Field(description="Until somebody answered, or until the end of the call.")
    talk_seconds: int | None
    cost: str | None
    hangup_code: int | None
    hangup_name: str | None
    hangup_source: str | None
    dials: int = Field(description="How many dials the call has.")
    message: RecordingView | None = Field(description="The message that the caller left.")
    followup: str | None = Field(
        None, description="`open`, `reached` or `done` where the caller reached nobody and is to be called back."
    )


class CallsView(View):
    """A page of calls, newest first. It may hold fewer than `limit`: read on until `next_cursor` is null."""

    calls: list[CallView]
    next_cursor: str | None
    total: int | None = Field(None, description="How many calls match; null unless `total=true` asks for it.")


class CallDetailsView(CallView):
    """One call with all that Plivo reported about it."""

    call_status: str | None
    forwarded_from: str | None
    request_uuid: str | None
    hangup_cause: str | None
    duration: int | None
    bill_duration: int | None
    heard_from: str = Field(
        description="Best source: `webhook`, `phlo` (only a PHLO reported it) or `cdr` (only a call detail record)."
    )


class LegView(View):
    """One number or SIP user that rang in a dial. Durations are in seconds."""

    b_leg_uuid: str
    dial_id: str
    target: str | None
    position: int | None
    answered_at: Time | None
    connected_at: Time | None
    ended_at: Time | None
    hangup_cause: str | None
    hangup_name: str | None
    hangup_code: int | None
    hangup_source: str | None
    duration: int | None
    bill_duration: int | None
    cost: str | None
    digits: str | None


class ReceiptView(View):
    """One request from Plivo as received, and our reply; `reply` is null for the empty response."""

    receipt_id: str = Field(description="The id that `flask replay` takes.")
    received_at: Time
    kind: str
    dial_id: str | None
    method: str
    path: str
    query: str
    params: dict[str, Any]
    signature: str
    sender: str | None
    request_id: str | None
    deliveries: int
    last_received_at: Time
    reply_status: int
    reply: str | None
    reply_micros: int = Field(description="Microseconds from request to reply, without the commit.")


class WholeCallView(View):
    """Everything that is kept about one call."""

    call: CallDetailsView
    dials: list[DialView]
    legs: list[LegView]
    receipts: list[ReceiptView]
    recordings: list[RecordingView]


class WaitsView(View):
    """Seconds until the answer: median and 90th percentile; null if nothing was answered.

    Of calls from their beginning, of dials while they rang. Exact up to 6 s, above that off by under a third; more
    than 300 s count as 300 s.
    """

    median: int | None
    p90: int | None


class FiguresView(View):
    """Figures over a set of calls or of dials."""

    total: int = Field(description="How many calls, or with `unit=dials` how many dials.")
    calls: int = Field(description="How many calls; with `unit=dials`, how many of the dials are the first of a call.")
    dials: int = Field(description="How many dials these calls have.")
    answered: int = Field(description="How many were answered; in a group by target, by that target.")
    answer_rate: float | None = Field(
        description="From 0 to 1: `answered` divided by those that have ended; null if nothing has ended."
    )
    outcomes: dict[str, int]
    statuses: dict[str, int] = Field(description="By `DialStatus`; only with `unit=dials`.")
    talk_seconds: int
    answer_seconds: WaitsView


class GroupView(FiguresView):
    """The figures of one group. `group` is its name; null for calls or dials without such a value."""

    group: str | None


class SummaryView(FiguresView):
    """The figures of all calls or dials that match the filters, and of each group. A call may be in several groups."""

    unit: str
    group_by: str
    timezone: str
    series: list[GroupView]


class ProblemView(View):
    """An error, as RFC 9457 describes it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = Field(default_factory=list, description="Each refused parameter, and why.")
