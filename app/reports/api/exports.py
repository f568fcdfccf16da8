"""Dials as files: CSV and JSON lines, as many as there are, in constant memory."""

import csv
import io
import re
from collections.abc import Iterator

from app.records.reading.filters import DialFilters
from app.records.reading.queries import FoundDial, find_dials
from app.records.reading.read_session import read_session
from app.records.store.store import Store
from app.reports.api.records import dial_answer
from app.reports.api.schemas import Dial

_BATCH = 500
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_FORMULA = "=+-@\t\r\n＝＋－＠"  # Spreadsheets read the wide ones as the narrow ones.
COLUMNS = [field.serialization_alias or name for name, field in Dial.model_fields.items()]


def all_dials(store: Store, wanted: DialFilters) -> Iterator[list[FoundDial]]:
    """Give every dial that is wanted, newest first, some at a time.

    Each some is read for itself, so that a long export holds neither memory nor a moment of the store.
    """
    before: int | None = None
    while True:
        with read_session(store) as connection:
            page = find_dials(connection, wanted, limit=_BATCH, before=before)
        yield page.dials
        if page.before is None:
            return
        before = page.before


def csv_lines(batches: Iterator[list[FoundDial]]) -> Iterator[str]:
    """Write dials as RFC 4180 has it, with a header."""
    yield _csv([COLUMNS])
    for batch in batches:
        if batch:
            yield _csv([[_cell(dial_row[name]) for name in COLUMNS] for dial_row in map(_row, batch)])


def json_lines(batches: Iterator[list[FoundDial]]) -> Iterator[str]:
    """Write one JSON object a line."""
    for batch in batches:
        if batch:
            yield "".join(f"{dial_answer(found).model_dump_json()}\n" for found in batch)


def _row(found: FoundDial) -> dict[str, object]:
    return dial_answer(found).model_dump(mode="json")


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    # A spreadsheet takes such text for a formula; a plain number, also a telephone's, is none.
    return f"'{text}" if text and text[0] in _FORMULA and not _NUMBER.fullmatch(text) else text
