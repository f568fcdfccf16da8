"""Read the parameters of a report from the URL's query, refusing what nobody could have meant."""

import base64
import struct
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from app.records.reading.filters import DialFilters
from app.reports.api.problems import Refused, cut
from app.reports.api.schemas import Filters, Nothing

Query = TypeVar("Query", bound=Nothing)

_WRITE_THE_CURSOR = "write next_cursor as the page before gave it"
_SAYINGS = {
    "enum": "write {expected}",
    "greater_than_equal": "write {ge} or more",
    "less_than_equal": "write {le} or less",
    "int_parsing": "write a whole number",
    "string_too_short": "write something, or leave it out",
    "string_too_long": "write at most {max_length} characters",
    "string_pattern_mismatch": "write it without null characters",
    "value_error": "{error}",
}


def read_query(model: type[Query], given: MultiDict[str, str]) -> Query:
    """Make a model of the query. Raises `Refused`."""
    repeated = {name: "write it once" for name, values in given.lists() if len(values) > 1}
    if repeated:
        raise Refused(repeated)
    try:
        return model.model_validate(given.to_dict())
    except ValidationError as error:
        raise Refused({str(each["loc"][0]): _reason(each) for each in error.errors(include_url=False)}) from error


def wanted_of(query: Filters) -> DialFilters:
    """Translate the filters for the store."""
    return DialFilters(
        since=_milliseconds(query, "since"),
        until=_milliseconds(query, "until"),
        status=query.status,
        outcome=query.outcome,
        cause=query.cause,
        from_number=query.from_number,
        to_number=query.to_number,
        target=query.target,
        route=query.route,
        search=query.q,
    )


def read_cursor(text: str | None) -> int | None:
    """Read a cursor: the key to go on before. Raises `Refused`."""
    if text is None:
        return None
    try:
        key: int = struct.unpack(">Q", base64.urlsafe_b64decode(f"{text}=".encode("ascii")))[0] >> 1
    except (ValueError, struct.error) as error:
        raise Refused({"cursor": _WRITE_THE_CURSOR}) from error
    return key


def make_cursor(before: int | None) -> str | None:
    """Write a cursor."""
    if before is None:
        return None
    return base64.urlsafe_b64encode((before << 1).to_bytes(8, "big")).decode("ascii").rstrip("=")


def _reason(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such parameter"
    if error["loc"] == ("cursor",):
        said = _WRITE_THE_CURSOR
    else:
        said = _SAYINGS[error["type"]].format(**error.get("ctx", {})) if error["type"] in _SAYINGS else error["msg"]
    return f"{said}; this was read: {cut(repr(error['input']))}"


def _milliseconds(query: Filters, name: str) -> int | None:
    moment = getattr(query, name)
    return None if moment is None else round(moment.timestamp() * 1000)
