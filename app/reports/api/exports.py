"""Calls and dials as files, in constant memory however many there are: for programs, and CSV for people."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TypeVar
from zoneinfo import ZoneInfo

from flask import Response, current_app, request

from app.context import services
from app.records.reading.call_filters import CallFilters
from app.records.reading.calls import ListedCall, find_calls
from app.records.reading.filters import DialFilters
from app.records.reading.queries import FoundDial, find_dials
from app.records.reading.read_session import read_session
from app.records.store.store import Store
from app.reports.access.viewers import bounded
from app.reports.api.call_queries import CallFilterQuery
from app.reports.api.models import CallView, DialView
from app.reports.api.queries import FilterQuery, read_query
from app.reports.api.views import dial_view, listed_call_view
from app.reports.pages.formatting import CALL_OUTCOMES

Batches = Iterator[list[FoundDial]]
CallBatches = Iterator[list[ListedCall]]

Found = TypeVar("Found")

_BATCH = 500
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_FORMULA = "=+-@\t\r\n＝＋－＠"  # Spreadsheets read the wide ones as the narrow ones.
# Text that a spreadsheet would turn into a number or a date: telephone numbers, ids of digits, 1E5.
_NUMERIC_TEXT = re.compile(r"[+-]?[0-9][0-9.,:/ eE+-]*", re.ASCII)
COLUMNS = [field.serialization_alias or name for name, field in DialView.model_fields.items()]
CALL_COLUMNS = [field.serialization_alias or name for name, field in CallView.model_fields.items()]
_PEOPLE_COLUMNS = (
    "Began ({zone})",
    "Caller",
    "From",
    "To",
    "Route",
    "Outcome",
    "Answered by",
    "Phones",
    "Waited (s)",
    "Talked (s)",
    "Message (s)",
    "Message",
    "Reason",
    "Follow-up",
    "Direction",
    "Answered at",
    "Ended at",
    "Dials",
    "Hangup",
    "Hung up by",
    "Cost",
    "Call UUID",
)
# Where numbers have a decimal comma, spreadsheets expect semicolons between cells.
_SEMICOLON_LANGUAGES = frozenset(re.findall("..", "bgcsdadeelesetfifrhrhuidisitltlvnbnlnnnoplptroruskslsrsvtrukvi"))


def iter_dials(store: Store, filters: DialFilters) -> Batches:
    """Yield all dials that match, newest first, in batches. Raises StoreUnreadable.

    Each batch is a read of its own, so a long export holds neither memory nor a snapshot of the store.
    """
    before: int | None = None
    while True:
        with read_session(store) as connection:
            page = find_dials(connection, filters, limit=_BATCH, before=before)
        yield page.dials
        if page.before is None:
            return
        before = page.before


def iter_calls(store: Store, filters: CallFilters) -> CallBatches:
    """Yield all calls that match, as `iter_dials` yields dials."""
    before: int | None = None
    while True:
        with read_session(store) as connection:
            page = find_calls(connection, filters, limit=_BATCH, before=before)
        yield page.calls
        if page.before is None:
            return
        before = page.before


def csv_lines(batches: Batches) -> Iterator[str]:
    """Yield dials as RFC 4180 CSV with a header; a cell that looks like a formula begins with an apostrophe."""
    return _csv(batches, lambda found: [_cell(value) for value in _values(found, mode="json")])


def json_lines(batches: Batches) -> Iterator[str]:
    """Yield dials as JSON lines: one object per line."""
    for batch in batches:
        if batch:
            yield "".join(f"{dial_view(found).model_dump_json()}\n" for found in batch)


def call_csv_lines(batches: CallBatches) -> Iterator[str]:
    """Yield calls as RFC 4180 CSV with a header; of a message, its URL."""
    yield _csv_rows([CALL_COLUMNS])
    for batch in batches:
        if batch:
            yield _csv_rows([_call_row(found) for found in batch])


def people_lines(
    batches: CallBatches, zone: ZoneInfo, show_number: Callable[[str], str], *, separator: str
) -> Iterator[str]:
    """Yield calls as CSV that Excel and LibreOffice open right: names and local times first, UUIDs last.

    It begins with a byte order mark, which is how Excel recognises UTF-8. Times are local to `zone`, in the one
    form that both take for a time. Telephone numbers, passed through `show_number`, and ids stay text.
    """
    yield "\ufeff" + _csv_rows([[name.format(zone=zone.key) for name in _PEOPLE_COLUMNS]], separator)
    for batch in batches:
        if batch:
            yield _csv_rows([list(_people_row(found, zone, show_number)) for found in batch], separator)


def separator_for(languages: Iterable[str]) -> str:
    """Return the separator that a spreadsheet in the first of these languages expects in a file."""
    first = next(iter(languages), "en")
    return ";" if first.partition("-")[0].lower() in _SEMICOLON_LANGUAGES else ","


def call_json_lines(batches: CallBatches) -> Iterator[str]:
    """Yield calls as JSON lines: one object per line."""
    for batch in batches:
        if batch:
            yield "".join(f"{listed_call_view(found).model_dump_json()}\n" for found in batch)


def stream_dials(lines: Callable[[Batches], Iterator[str]], mimetype: str, name: str) -> Response:
    """Return a download of all dials that match the query. Raises InvalidParameters, TooMany, StoreUnavailable."""
    return stream_file(
        lines, iter_dials(services().store, bounded(read_query(FilterQuery, request.args).to_filters())), mimetype, name
    )


def stream_calls(lines: Callable[[CallBatches], Iterator[str]], mimetype: str, name: str) -> Response:
    """Return a download of all calls that match the query. Raises InvalidParameters, TooMany, StoreUnavailable."""
    return stream_file(
        lines,
        iter_calls(services().store, bounded(read_query(CallFilterQuery, request.args).to_filters())),
        mimetype,
        name,
    )


def stream_file(
    lines: Callable[[Iterator[list[Found]]], Iterator[str]], batches: Iterator[list[Found]], mimetype: str, name: str
) -> Response:
    """Return a download of batches of calls or dials as lines. Raises TooMany, StoreUnavailable."""
    first = next(batches)  # An error in the query is raised here, before the response begins.
    response = current_app.response_class(lines(chain([first], batches)), mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _csv(batches: Batches, row_of: Callable[[FoundDial], list[str]]) -> Iterator[str]:
    yield _csv_rows([COLUMNS])
    for batch in batches:
        if batch:
            yield _csv_rows(map(row_of, batch))


def _csv_rows(rows: Iterable[list[str]], separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n", delimiter=separator).writerows(rows)
    return text.getvalue()


def _people_row(found: ListedCall, zone: ZoneInfo, show_number: Callable[[str], str]) -> Iterator[str]:
    call, message = listed_call_view(found), found.message
    targets = dict.fromkeys(target for dial in found.dials for target in json.loads(dial.targets or "[]"))
    numbers = (call.from_number, call.to_number, call.answered_by)
    caller, called, answered_by = (_text_cell(show_number(number)) if number else "" for number in numbers)
    times = (call.started_at, call.answered_at, call.ended_at)
    began, answered_at, ended_at = (f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}" if at else "" for at in times)
    name = call.caller_name if call.caller_name != call.from_number else None
    yield from (began, _text_cell(show_number(name) if name else ""), caller, called, _text_cell(call.route or ""))
    yield CALL_OUTCOMES.get(call.outcome or "", "")
    yield from (answered_by, _text_cell(", ".join(map(show_number, targets))))
    seconds = round((message.milliseconds or 0) / 1000) if message else None
    yield from map(_cell, (call.waited_seconds, call.talk_seconds, seconds, message.url if message else None))
    yield from (_text_cell(word or "") for word in (call.reason, call.followup, call.direction))
    yield from (answered_at, ended_at, str(call.dials))
    yield from (_text_cell(word or "") for word in (call.hangup_name, call.hangup_source, call.cost, call.call_uuid))


def _call_row(found: ListedCall) -> list[str]:
    values = listed_call_view(found).model_dump(mode="json")
    values["message"] = found.message.url if found.message else None
    return [_cell(values[name]) for name in CALL_COLUMNS]


def _values(found: FoundDial, *, mode: str) -> Iterator[object]:
    values = dial_view(found).model_dump(mode=mode)
    return (values[name] for name in COLUMNS)


def _text_cell(value: str) -> str:
    """Return text as a spreadsheet keeps it, also where it looks like a number."""
    # A formula whose result is this very text: no plainer form stays text in Excel.
    return f'="{value}"' if _NUMERIC_TEXT.fullmatch(value) else _cell(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    # A spreadsheet evaluates such text; a plain number, also a telephone's, is harmless.
    return f"'{text}" if text and text[0] in _FORMULA and not _NUMBER.fullmatch(text) else text
