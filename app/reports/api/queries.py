"""The parameters of the API's URLs: declared once, for validation and for the OpenAPI document."""

import base64
import re
import struct
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, TypeVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from app.context import services
from app.records.reading.filters import DialFilters
from app.reports.api.problems import InvalidParameters, shorten
from app.voice.numbers import normalise
from app.voice.outcome import Outcome

LARGEST_PAGE = 500
_AGE = re.compile(r"([0-9]{1,5})([hd])", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ZONES = dict.fromkeys(sorted(available_timezones()))
_COPY_THE_CURSOR = "copy next_cursor from the previous page"
# By pydantic's type of error, the advice; other types keep pydantic's own message.
_ADVICE = {
    "enum": "use {expected}",
    "literal_error": "use {expected}",
    "bool_parsing": "enter true or false",
    "greater_than_equal": "enter {ge} or more",
    "less_than_equal": "enter {le} or less",
    "int_parsing": "enter a whole number",
    "string_too_short": "enter a value, or leave the parameter out",
    "string_too_long": "enter at most {max_length} characters",
    "string_pattern_mismatch": "remove the null characters",
    "value_error": "{error}",
}


def _parse_moment(text: object) -> object:
    """Return the text of an RFC 3339 time for pydantic to read. Raises ValueError for any other text."""
    if not isinstance(text, str) or not re.match(r"\d{4}-\d\d-\d\d[Tt]", text, re.ASCII):
        raise ValueError("enter an RFC 3339 time such as 2026-03-01T09:00:00Z")
    return text.replace(" ", "+")  # In a URL a plus that was not escaped arrives as a space.


def _require_offset(moment: datetime) -> datetime:
    """Return the moment. Raises ValueError where it does not know its offset."""
    if moment.tzinfo is None:
        raise ValueError("add the time's offset, as in 2026-03-01T09:00:00Z")
    return moment


def parse_since(text: object, info: ValidationInfo) -> object:
    """Return the moment of an age (`24h`, `7d`), of a date's beginning, or of an RFC 3339 time."""
    if isinstance(text, str) and (age := _AGE.fullmatch(text)):
        return datetime.now(UTC) - timedelta(**{"hours" if age[2] == "h" else "days": int(age[1])})
    if isinstance(text, str) and _DAY.fullmatch(text):
        return datetime.combine(date.fromisoformat(text), time(), (info.context or {}).get("zone", UTC))
    try:
        return _parse_moment(text)
    except ValueError:
        raise ValueError("enter 24h, 7d, a date such as 2026-03-01 or a time such as 2026-03-01T09:00:00Z") from None


def _parse_number(text: str) -> str:
    return normalise(f"+{text[1:]}" if text[:1] == " " and text[1:2].isdigit() else text) or ""


def _parse_zone(name: str) -> str:
    if name not in _ZONES:
        raise ValueError("enter a time zone such as UTC or Europe/Paris")
    return name


Since = Annotated[datetime, BeforeValidator(parse_since), AfterValidator(_require_offset)]
Text = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
Number = Annotated[Text, AfterValidator(_parse_number)]
Zone = Annotated[str, AfterValidator(_parse_zone), Field(json_schema_extra={"enum": list(_ZONES)})]


ANY_TIME = "An RFC 3339 time, a date (its beginning in `TIMEZONE`), or an age such as `24h` or `7d`."


class NoQuery(BaseModel):
    """No parameters. An unknown parameter is refused, here and in every subclass."""

    model_config = ConfigDict(extra="forbid")


class FilterQuery(NoQuery):
    """Which dials a list, a file or a summary covers."""

    since: Since | None = Field(None, description=f"Dials that began at this time or later. {ANY_TIME}")
    until: Since | None = Field(None, description=f"Dials that began before this time. {ANY_TIME}")
    status: Text | None = Field(None, description="Plivo's `DialStatus`, such as `no-answer`.")
    outcome: Outcome | None = Field(None, description="How the dial ended, in our plain word.")
    cause: Text | None = Field(None, description="Plivo's `DialHangupCause`, such as `USER_BUSY`.")
    from_number: Number | None = Field(None, alias="from", description="The caller's number.")
    to_number: Number | None = Field(None, alias="to", description="The number that was called.")
    target: Number | None = Field(None, description="A number or SIP user that the dial rang.")
    route: Text | None = Field(None, description="The route of the dial plan.")
    q: Number | None = Field(
        None, description="Search: a number, at least its last four digits, a call's UUID or a dial's id."
    )

    def to_filters(self) -> DialFilters:
        """Return the filters for the store; times in milliseconds since 1970 UTC."""
        return DialFilters(
            since=milliseconds(self.since),
            until=milliseconds(self.until),
            status=self.status,
            outcome=self.outcome,
            cause=self.cause,
            from_number=self.from_number,
            to_number=self.to_number,
            target=self.target,
            route=self.route,
            search=self.q,
        )


class DialsQuery(FilterQuery):
    """The parameters of a list of dials."""

    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = Field(50, description="Dials per page, at most.")
    cursor: str | None = Field(None, pattern="^[A-Za-z0-9_-]{11}$", description="`next_cursor` of the previous page.")
    total: bool = Field(False, description="Whether to count all dials that match.")


Query = TypeVar("Query", bound=NoQuery)


def read_query(model: type[Query], given: MultiDict[str, str]) -> Query:
    """Return the query as a model. Raises InvalidParameters with a reason for each parameter that is refused."""
    repeated = {name: "give it once" for name, values in given.lists() if len(values) > 1}
    if repeated:
        raise InvalidParameters(repeated)
    try:
        return model.model_validate(given.to_dict(), context={"zone": services().config.timezone})
    except ValidationError as error:
        raise InvalidParameters(
            {str(each["loc"][0]): _reason(each) for each in error.errors(include_url=False)}
        ) from error


def read_cursor(text: str | None) -> int | None:
    """Return the dial key that a cursor stands for, None without one. Raises InvalidParameters."""
    if text is None:
        return None
    try:
        key: int = struct.unpack(">Q", base64.urlsafe_b64decode(f"{text}=".encode("ascii")))[0] >> 1
    except (ValueError, struct.error) as error:
        raise InvalidParameters({"cursor": _COPY_THE_CURSOR}) from error
    return key


def make_cursor(before: int | None) -> str | None:
    """Return the cursor for a dial key: 11 characters of base64; None at the end of a list."""
    if before is None:
        return None
    return base64.urlsafe_b64encode((before << 1).to_bytes(8, "big")).decode("ascii").rstrip("=")


def _reason(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such parameter"
    if error["loc"] == ("cursor",):
        advice = _COPY_THE_CURSOR
    else:
        advice = _ADVICE.get(error["type"], error["msg"]).format(**error.get("ctx", {}))
    return f"{advice}; got {shorten(repr(error['input']))}"


def milliseconds(moment: datetime | None) -> int | None:
    """Return a moment in milliseconds since 1970 UTC; None for None."""
    return None if moment is None else round(moment.timestamp() * 1000)
