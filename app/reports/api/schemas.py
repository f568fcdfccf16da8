"""What the API reads and writes, as models: the code validates with them and the OpenAPI document is made of them."""

import re
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from app.records.reading.figures import GroupBy
from app.voice.numbers import normalise
from app.voice.outcome import Outcome

LARGEST_PAGE = 500
_ZONES = dict.fromkeys(sorted(available_timezones()))


def _written(text: object) -> object:
    if not isinstance(text, str) or not re.match(r"\d{4}-\d\d-\d\d[Tt]", text, re.ASCII):
        raise ValueError("write a time as RFC 3339 has it, such as 2026-03-01T09:00:00Z")
    return text.replace(" ", "+")  # In a URL a plus that was not escaped arrives as a space.


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("write the time with its offset, such as 2026-03-01T09:00:00Z")
    return moment


def _number(text: str) -> str:
    return normalise(f"+{text[1:]}" if text[:1] == " " and text[1:2].isdigit() else text) or ""


def _zone(name: str) -> str:
    if name not in _ZONES:
        raise ValueError("write the name of a time zone such as UTC or Europe/Paris")
    return name


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, BeforeValidator(_written), AfterValidator(_aware)]
Text = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
Number = Annotated[Text, AfterValidator(_number)]
Zone = Annotated[str, AfterValidator(_zone), Field(json_schema_extra={"enum": list(_ZONES)})]
Time = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str, when_used="json")]


# --- What is asked.


class Nothing(BaseModel):
    """No parameters. One that is not named is refused, here and in what follows."""

    model_config = ConfigDict(extra="forbid")


class Filters(Nothing):
    """Which dials are wanted."""

    since: Moment | None = Field(None, description="Dials first heard of at this time or later (RFC 3339).")
    until: Moment | None = Field(None, description="Dials first heard of before this time (RFC 3339).")
    status: Text | None = Field(None, description="Plivo's `DialStatus`, such as `no-answer`.")
    outcome: Outcome | None = Field(None, description="Our plain word for how the dial ended.")
    cause: Text | None = Field(None, description="Plivo's `DialHangupCause`, such as `USER_BUSY`.")
    from_number: Number | None = Field(None, alias="from", description="The caller's number.")
    to_number: Number | None = Field(None, alias="to", description="The number that was called.")
    target: Number | None = Field(None, description="A number or SIP user that the dial rang.")
    route: Text | None = Field(None, description="The route of the dial plan.")
    q: Number | None = Field(None, description="A number, its last four digits or more, a call's UUID or a dial's id.")


class DialsQuery(Filters):
    """The parameters of a list of dials."""

    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = Field(50, description="The most dials on one page.")
    cursor: str | None = Field(None, pattern="^[A-Za-z0-9_-]{11}$", description="`next_cursor` of the page before.")


class SummaryQuery(Filters):
    """The parameters of a summary."""

    group_by: GroupBy = Field(GroupBy.DAY, description="By what `series` is divided.")
    timezone: Zone | None = Field(None, description="Time zone of hours, days and weekdays; `TIMEZONE` when left out.")


# --- What is answered.


class Answer(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(serialize_by_alias=True)


class Dial(Answer):
    """One dial: Plivo's own words, and ours beside them. Durations in seconds."""

    dial_id: str
    call_uuid: str
    route: str | None
    step: str | None
    round: int | None = Field(description="Which dial of the call it is, from 1; null where no plan placed it.")
    a_leg_uuid: str | None
    b_leg_uuid: str | None
    from_number: str | None = Field(serialization_alias="from")
    to_number: str | None = Field(serialization_alias="to")
    targets: list[str]
    dial_status: str | None
    dial_ring_status: bool | None
    dial_hangup_cause: str | None
    outcome: str
    explanation: str
    answered_by: str | None
    hangup_code: int | None
    hangup_name: str | None
    hangup_source: str | None
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    ring_seconds: int | None
    talk_seconds: int | None
    signature: str | None = Field(description="Verdict on the signature of the report; null while there is none.")
    deliveries: int = Field(description="How often the report came; 0 while there is none.")


class Dials(Answer):
    """A page of dials, newest first. It may hold fewer than `limit`: go on until `next_cursor` is null."""

    dials: list[Dial]
    next_cursor: str | None


class Call(Answer):
    """The whole call, as Plivo told it. Durations in seconds."""

    call_uuid: str
    call_status: str | None
    from_number: str | None = Field(serialization_alias="from")
    to_number: str | None = Field(serialization_alias="to")
    direction: str | None
    caller_name: str | None
    forwarded_from: str | None
    request_uuid: str | None
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    hangup_cause: str | None
    hangup_name: str | None
    hangup_code: int | None
    hangup_source: str | None
    duration: int | None
    bill_duration: int | None
    cost: str | None
    heard_from: str = Field(description="`webhook`, or `cdr` where only a call detail record spoke of it.")


class Leg(Answer):
    """One number or SIP user that rang in a dial. Durations in seconds."""

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


class Receipt(Answer):
    """One request of Plivo's as it came, and what we replied; `reply` is null for the empty response."""

    receipt_id: str = Field(description="Names it for `flask replay`.")
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
    reply_micros: int


class Recording(Answer):
    """One recording: where Plivo keeps the audio, and how long it is."""

    recording_id: str
    dial_id: str | None
    url: str | None
    milliseconds: int | None
    recorded_at: Time


class WholeCall(Answer):
    """Everything that is kept about one call."""

    call: Call
    dials: list[Dial]
    legs: list[Leg]
    receipts: list[Receipt]
    recordings: list[Recording]


class Waits(Answer):
    """How long callers waited until somebody answered, in seconds; null where nobody did."""

    median: int | None
    p90: int | None


_CALLS = Field(description="How many of the dials are the first of their call.")
_RATE = Field(
    description="From 0 to 1: answered dials to calls, neither with what is in progress. Where the dials of a call may "
    "be counted in part (`status`, `outcome`, `cause`, `target`, `q`; parts by target, outcome or cause), to dials. "
    "Null where nothing has ended."
)


class Group(Answer):
    """The figures of one part of a summary. `group` names it; null where the dials have no such value."""

    group: str | None
    total: int
    calls: int = _CALLS
    answer_rate: float | None = _RATE
    outcomes: dict[str, int]
    statuses: dict[str, int]
    talk_seconds: int
    answer_seconds: Waits


class Summary(Answer):
    """Figures over all the dials that are wanted. `statuses` counts those with a `DialStatus` alone."""

    total: int
    calls: int = _CALLS
    answer_rate: float | None = _RATE
    outcomes: dict[str, int]
    statuses: dict[str, int]
    talk_seconds: int
    answer_seconds: Waits
    group_by: str
    timezone: str
    series: list[Group]


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = Field(default_factory=list, description="Each parameter refused, and why.")
