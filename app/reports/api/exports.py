"""Dials as files, in constant memory however many there are: CSV and JSON lines for programs, CSV for people."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, tzinfo
from itertools import chain
from typing import TypeVar

from flask import Response, current_app, request

from app.context import services
from app.records.reading.call_filters import CallFilters
from app.records.reading.calls import ListedCall, find_calls
from app.records.reading.filters import DialFilters
from app.records.reading.queries import FoundDial, find_dials
from app.records.reading.read_session import read_session
from app.records.store.store import Store
from app.reports.api.call_queries import CallFilterQuery
from app.reports.api.models import CallView, DialView
from app.reports.api.queries import FilterQuery, read_query
from app.reports.api.views import dial_view, listed_call_view

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
NUMBER_COLUMNS = frozenset({"from", "to", "targets", "answered_by"})


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


def spreadsheet_lines(batches: Batches, zone: tzinfo, show_number: Callable[[str], str]) -> Iterator[str]:
    """Yield dials as CSV that Excel and LibreOffice open right, with the columns of `csv_lines`.

    It begins with a byte order mark, which is how Excel recognises UTF-8. Times are local to `zone`, in the one
    form that both take for a time. Telephone numbers, passed through `show_number`, and ids stay text.
    """
    yield "\ufeff"
    yield from _csv(batches, lambda found: list(_spreadsheet_row(found, zone, show_number)))


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


def call_json_lines(batches: CallBatches) -> Iterator[str]:
    """Yield calls as JSON lines: one object per line."""
    for batch in batches:
        if batch:
            yield "".join(f"{listed_call_view(found).model_dump_json()}\n" for found in batch)


def stream_dials(lines: Callable[[Batches], Iterator[str]], mimetype: str, name: str) -> Response:
    """Return a download of all dials that match the query. Raises InvalidParameters, TooMany, StoreUnavailable."""
    return _stream(
        lines, iter_dials(services().store, read_query(FilterQuery, request.args).to_filters()), mimetype, name
    )


def stream_calls(lines: Callable[[CallBatches], Iterator[str]], mimetype: str, name: str) -> Response:
    """Return a download of all calls that match the query. Raises InvalidParameters, TooMany, StoreUnavailable."""
    return _stream(
        lines, iter_calls(services().store, read_query(CallFilterQuery, request.args).to_filters()), mimetype, name
    )


def _stream(
    lines: Callable[[Iterator[list[Found]]], Iterator[str]], batches: Iterator[list[Found]], mimetype: str, name: str
) -> Response:
    first = next(batches)  # An error in the query is raised here, before the response begins.
    response = current_app.response_class(lines(chain([first], batches)), mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _csv(batches: Batches, row_of: Callable[[FoundDial], list[str]]) -> Iterator[str]:
    yield _csv_rows([COLUMNS])
    for batch in batches:
        if batch:
            yield _csv_rows(map(row_of, batch))


def _csv_rows(rows: Iterable[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _call_row(found: ListedCall) -> list[str]:
    values = listed_call_view(found).model_dump(mode="json")
    values["message"] = found.message.url if found.message else None
    return [_cell(values[name]) for name in CALL_COLUMNS]


def _values(found: FoundDial, *, mode: str) -> Iterator[object]:
    values = dial_view(found).model_dump(mode=mode)
    return (values[name] for name in COLUMNS)


def _spreadsheet_row(found: FoundDial, zone: tzinfo, show_number: Callable[[str], str]) -> Iterator[str]:
    for name, value in zip(COLUMNS, _values(found, mode="python"), strict=True):
        if name in NUMBER_COLUMNS and value:
            value = ", ".join(map(show_number, value if isinstance(value, list) else [str(value)]))
        if isinstance(value, datetime):
            yield f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        elif isinstance(value, str) and _NUMERIC_TEXT.fullmatch(value):
            yield f'="{value}"'  # A formula whose result is this very text: no plainer form stays text in Excel.
        else:
            yield _cell(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    # A spreadsheet evaluates such text; a plain number, also a telephone's, is harmless.
    return f"'{text}" if text and text[0] in _FORMULA and not _NUMBER.fullmatch(text) else text
