"""The parameters of the API's URLs about calls."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from app.records.reading.call_filters import CallFilters
from app.records.reading.figures import GroupBy
from app.records.reading.filters import DialFilters
from app.records.rollups.counting import Unit
from app.reports.api.queries import (
    ANY_TIME,
    LARGEST_PAGE,
    NoQuery,
    Number,
    Since,
    Text,
    Zone,
    milliseconds,
)
from app.voice.outcome import CallOutcome


def _require_outcomes(text: str) -> str:
    if not set(text.split(",")) <= set(CallOutcome):
        raise ValueError(f"use {', '.join(CallOutcome)}, several with commas between them")
    return text


_ANY_OUTCOME = f"({'|'.join(CallOutcome)})"
Outcomes = Annotated[
    Text,
    AfterValidator(_require_outcomes),
    Field(json_schema_extra={"pattern": f"^{_ANY_OUTCOME}(,{_ANY_OUTCOME})*$"}),
]


class CallFilterQuery(NoQuery):
    """Which calls a list or a file covers."""

    since: Since | None = Field(None, description=f"Calls that began at this time or later. {ANY_TIME}")
    until: Since | None = Field(None, description=f"Calls that began before this time. {ANY_TIME}")
    outcome: Outcomes | None = Field(None, description="How the call ended; several words with commas between them.")
    direction: Literal["inbound", "outbound"] | None = Field(None, description="Whether the call came in or went out.")
    from_number: Number | None = Field(None, alias="from", description="The caller's number.")
    to_number: Number | None = Field(None, alias="to", description="The number that was called.")
    route: Text | None = Field(None, description="The route of the dial plan.")
    has_message: bool | None = Field(None, description="Whether the caller left a message.")
    status: Text | None = Field(None, description="Plivo's `DialStatus` of one of its dials, such as `no-answer`.")
    cause: Text | None = Field(None, description="Plivo's `DialHangupCause` of one of its dials.")
    reason: Text | None = Field(None, description="Why one of its dials ended: a group of `group_by=reason`.")
    target: Number | None = Field(None, description="A number or SIP user that one of its dials rang.")

    q: Number | None = Field(
        None, description="Search: a number, at least its last four digits, a call's UUID or a dial's id."
    )

    followup: Literal["open", "reached", "done"] | None = Field(
        None, description="Calls of callers who are to be called back, or were."
    )

    def to_filters(self) -> CallFilters:
        """Return the filters for the store; times in milliseconds since 1970 UTC."""
        return CallFilters(
            since=milliseconds(self.since),
            until=milliseconds(self.until),
            outcomes=tuple(dict.fromkeys(self.outcome.split(","))) if self.outcome else (),
            direction=self.direction,
            from_number=self.from_number,
            to_number=self.to_number,
            route=self.route,
            has_message=self.has_message,
            status=self.status,
            cause=self.cause,
            reason=self.reason,
            target=self.target,
            search=self.q,
            followup=self.followup,
        )


class CallsQuery(CallFilterQuery):
    """The parameters of a list of calls."""

    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = Field(50, description="Calls per page, at most.")
    cursor: str | None = Field(None, pattern="^[A-Za-z0-9_-]{11}$", description="`next_cursor` of the previous page.")
    total: bool = Field(False, description="Whether to count all calls that match.")


class SummaryQuery(CallFilterQuery):
    """The parameters of a summary."""

    unit: Unit = Field(Unit.CALLS, description="What is counted: calls, or the dials in them.")
    group_by: GroupBy = Field(GroupBy.DAY, description="What the figures in `series` are grouped by.")
    timezone: Zone | None = Field(None, description="Time zone of hours, days and weekdays. Default: `TIMEZONE`.")

    @field_validator("unit")
    @classmethod
    def _require_filters_of_dials(cls, unit: Unit, info: ValidationInfo) -> Unit:
        of_calls = [name for name in ("direction", "has_message", "reason") if info.data.get(name) is not None]
        if unit is Unit.DIALS and of_calls:
            raise ValueError(f"leave out {', '.join(of_calls)}: a filter of calls only")
        return unit

    def to_dial_filters(self) -> DialFilters:
        """Return the filters of dials."""
        of_call = self.to_filters()
        names = (
            "since",
            "until",
            "outcomes",
            "from_number",
            "to_number",
            "route",
            "status",
            "cause",
            "target",
            "search",
        )
        return DialFilters(**{name: getattr(of_call, name) for name in names})
