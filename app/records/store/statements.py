"""The SQL of the write path, and the mapping between states and rows.

The write path executes SQL through the database driver: SQLAlchemy's execution would cost more than the database. The
SQL is generated from the tables, so that no column can be missing.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Table

from app.records.model import tables, tables_events, tables_followup
from app.records.model.ids import now
from app.records.model.state import CallState, DialState, FollowupState, LegState, RecordingState
from app.records.model.target_state import TargetState, target_states

State = TypeVar("State")


class Cursor(Protocol):
    """The part of a DBAPI cursor that the write path uses."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> object: ...
    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> object: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class RowMapper(Generic[State]):
    """The rows of one table as states. `placeholder` is the driver's mark for a parameter."""

    def __init__(self, table: Table, state: type[State], placeholder: str) -> None:
        self._state = state
        self._table = table.name
        columns = [field.name for field in fields(state)]  # type: ignore[arg-type]
        if columns != [column.name for column in table.columns]:
            raise TypeError(f"{state.__name__} and table {table.name} differ in their columns")
        self.values = attrgetter(*columns)
        self._columns = columns
        self._key = [columns.index(column.name) for column in table.primary_key]
        self._updates: dict[tuple[int, ...], str] = {}
        listed = ", ".join(columns)
        marks = ", ".join([placeholder] * len(columns))
        # This SQL contains only names of tables and columns.
        self._select = f"SELECT {listed} FROM {table.name} WHERE "  # noqa: S608
        self._placeholder = placeholder
        self.insert = f"INSERT INTO {table.name} ({listed}) VALUES ({marks})"  # noqa: S608
        others = [place for place in range(len(columns)) if place not in self._key]
        self.update = self._update_of(others)
        self.update_values = attrgetter(*(columns[place] for place in (*others, *self._key)))

    def select_by(self, column: str) -> str:
        """Return the SQL that selects the rows with one value in `column`."""
        return f"{self._select}{column} = {self._placeholder}"

    def select_among(self, column: str, among: str) -> str:
        """Return the SQL that selects the rows with any of several values in `column`."""
        return f"{self._select}{column} {among}"

    def update_changed(self, before: Sequence[Any], after: Sequence[Any]) -> tuple[str, list[Any]]:
        """Return the SQL that updates a row, and its parameters.

        It sets only what changed: SQLite writes every index with a column that is set, also to the same value.
        """
        places = tuple(place for place, value in enumerate(after) if value != before[place])
        sql = self._updates.get(places)
        if sql is None:
            sql = self._updates[places] = self._update_of(places)
        return sql, [*(after[place] for place in places), *(after[place] for place in self._key)]

    def _update_of(self, places: Sequence[int]) -> str:
        changes = ", ".join(f"{self._columns[place]} = {self._placeholder}" for place in places)
        key = " AND ".join(f"{self._columns[place]} = {self._placeholder}" for place in self._key)
        return f"UPDATE {self._table} SET {changes} WHERE {key}"  # noqa: S608

    def read(self, row: Sequence[Any]) -> State:
        """Return the state that a row holds."""
        return self._state(*row)


# What the derivation of follow-ups reads of a call. A SIP user who dials a number is no caller of ours: the number that
# was called is then among the targets.
_PAST_CALL = (
    "call_key, call_uuid, from_number, to_number, direction, route, outcome, answered_by, started_at, waited_seconds, "
    "turned_away, coalesce(contact_name, caller_name), "
    "CASE WHEN substr(from_number, 1, 4) = 'sip:' THEN (SELECT count(*) FROM dials WHERE "
    "dials.call_key = calls.call_key AND replace(targets, '\"' || calls.to_number || '\"', '') <> targets) ELSE 0 END"
)
# Calls from before the upgrade that brought follow-ups need none; the upgrade marks when it was.
_IS_FOLLOWED = "started_at >= (SELECT coalesce(max(at), 0) FROM followup_marks WHERE caller = '')"


class Statements:
    """The statements of the write path for one driver."""

    def __init__(self, placeholder: str, *, lock_rows: bool) -> None:
        self.mark = placeholder
        self._takes_lists = lock_rows
        self.calls = RowMapper(tables.calls, CallState, placeholder)
        self.dials = RowMapper(tables.dials, DialState, placeholder)
        self.legs = RowMapper(tables.legs, LegState, placeholder)
        self.recordings = RowMapper(tables.recordings, RecordingState, placeholder)
        self.targets = RowMapper(target_states, TargetState, placeholder)
        lock = " FOR UPDATE" if lock_rows else ""
        # SQLite takes no list as a parameter, but a JSON array can be one.
        among = f"= ANY({placeholder})" if lock_rows else "IN (SELECT value FROM json_each(?))"
        self._prepare_targets(among)
        self.call_by_key = self.calls.select_by("call_key") + lock
        self.calls_by_key = self.calls.select_among("call_key", among) + lock
        self.calls_by_uuid = self.calls.select_among("call_uuid", among) + lock
        self.dials_of_calls = self.dials.select_among("call_key", among)
        self.legs_of_calls = self.legs.select_among("call_key", among)
        self.recordings_of_call = self.recordings.select_by("call_key")
        self.recordings_of_calls = self.recordings.select_among("call_key", among)
        self.calls_of_dials = f"SELECT dial_id, call_key FROM dials WHERE dial_id {among}"  # noqa: S608
        self._add_receipts(placeholder, among)
        self._add_marks(placeholder)
        self._add_followups(placeholder, among)
        self.find_columns = [
            f"SELECT {', '.join(column.name for column in table.columns)} FROM {table.name} LIMIT 0"  # noqa: S608
            for table in (tables.receipts, tables.calls, tables.dials, tables.legs, tables.recordings)
        ]

    def _add_receipts(self, placeholder: str, among: str) -> None:
        columns = [column.name for column in tables.receipts.columns]
        marks = ", ".join([placeholder] * len(columns))
        self.receipt = f"INSERT INTO receipts ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
        self.known_receipt = (
            "SELECT deliveries, reply_status, reply, dial_id, last_received_at, receipt_key FROM receipts "  # noqa: S608
            f"WHERE call_key = {placeholder} AND digest = {placeholder}"
        )
        self.receipts_of_nonces = f"SELECT nonce_key, digest FROM receipts WHERE nonce_key {among}"  # noqa: S608
        self.count_receipt = (
            f"UPDATE receipts SET deliveries = {placeholder}, last_received_at = {placeholder} "  # noqa: S608
            f"WHERE receipt_key = {placeholder}"
        )

    def _add_marks(self, placeholder: str) -> None:
        """Make the statements on the outbox, late changes, spools and readiness."""
        columns = [column.name for column in tables_events.outbox.columns]
        marks = ", ".join([placeholder] * len(columns))
        self.queue_event = (
            f"INSERT INTO outbox ({', '.join(columns)}) VALUES ({marks}) "  # noqa: S608
            "ON CONFLICT (subject_key, type) DO UPDATE SET due_at = excluded.due_at"
        )
        self.late_change = f"INSERT INTO late_changes (change_key, call_key) VALUES ({placeholder}, {placeholder})"  # noqa: S608
        self.spool_place = f"SELECT brought FROM spools WHERE spool_id = {placeholder}"  # noqa: S608
        self.set_spool_place = (
            f"INSERT INTO spools (spool_id, brought) VALUES ({placeholder}, {placeholder}) "  # noqa: S608
            "ON CONFLICT (spool_id) DO UPDATE SET brought = excluded.brought"
        )
        self.prove_write = (
            f"INSERT INTO readiness (readiness_key, proved_at) VALUES (1, {placeholder}) "  # noqa: S608
            "ON CONFLICT (readiness_key) DO UPDATE SET proved_at = excluded.proved_at"
        )

    def _prepare_targets(self, among: str) -> None:
        """Write the statements on watched targets, whose rows every machine locks in one order."""
        mark, lock = self.mark, " FOR UPDATE" if self._takes_lists else ""
        self.targets_by_name = f"{self.targets.select_among('target', among)} ORDER BY target{lock}"
        self.new_target = (
            f"INSERT INTO target_states (target, failed_at, talking) VALUES ({', '.join([mark] * 3)}) "  # noqa: S608
            "ON CONFLICT (target) DO NOTHING"
        )
        self.claim_target = (
            f"UPDATE target_states SET tried_by = {mark}, tried_until = {mark} "  # noqa: S608
            f"WHERE target = {mark} AND coalesce(tried_until, 0) < {mark} RETURNING target"
        )
        self.release_targets = f"UPDATE target_states SET tried_by = NULL, tried_until = NULL WHERE tried_by = {mark}"  # noqa: S608

    def _add_followups(self, mark: str, among: str) -> None:
        """Add the statements of follow-ups."""
        self.followups = RowMapper(tables_followup.followups, FollowupState, mark)
        self.followups_of_callers = self.followups.select_among("caller", among)
        self.followup_of_call = self.followups.select_among(
            "followup_key",
            f"= (SELECT followup_key FROM followup_calls WHERE call_key = {mark})",  # noqa: S608
        )
        self.add_mark = (
            f"INSERT INTO followup_marks (caller, at, route, action, actor, note) VALUES ({', '.join([mark] * 6)})"  # noqa: S608
        )
        self.delete_followup = f"DELETE FROM followups WHERE followup_key = {mark}"  # noqa: S608
        self.marks_of_callers = (
            f"SELECT caller, at, route, action, actor, note FROM followup_marks WHERE caller {among}"  # noqa: S608
        )
        self.owners_of_calls = f"SELECT call_key, followup_key FROM followup_calls WHERE call_key {among}"  # noqa: S608
        self.disown_call = f"DELETE FROM followup_calls WHERE call_key = {mark}"  # noqa: S608
        self.own_call = (
            f"INSERT INTO followup_calls (call_key, followup_key) VALUES ({mark}, {mark}) "  # noqa: S608
            "ON CONFLICT (call_key) DO UPDATE SET followup_key = excluded.followup_key"
        )
        self.past_call = f"SELECT {_PAST_CALL} FROM calls WHERE call_uuid = {mark} AND {_IS_FOLLOWED}"  # noqa: S608
        self.delete_lone_marks = (
            f"DELETE FROM followup_marks WHERE caller {among} "  # noqa: S608
            "AND NOT EXISTS (SELECT 1 FROM followups WHERE followups.caller = followup_marks.caller)"
        )
        ways = (
            f"from_number = {mark}",
            f"to_number = {mark} AND {tables.IS_OUTGOING}",
            f"answered_by = {mark} AND {tables.WAS_CALLED}",
        )
        self.past_calls = " UNION ALL ".join(
            f"SELECT * FROM (SELECT {way}, {_PAST_CALL} FROM calls WHERE {condition} "  # noqa: S608
            f"AND call_key >= {mark} AND {_IS_FOLLOWED} ORDER BY call_key DESC LIMIT {mark}) AS way{way}"
            for way, condition in enumerate(ways)
        )

    def queue(self, cursor: Cursor, rows: Iterable[Sequence[Any]]) -> None:
        """Put rows into the outbox. Each holds the columns, and for `due_at` the milliseconds from now on."""
        at = self.clock(cursor)
        cursor.executemany(self.queue_event, [(*columns, at + delay) for *columns, delay in rows])

    def clock(self, cursor: Cursor) -> int:  # noqa: ARG002 - PostgreSQL is asked.
        """Return the time in milliseconds by the clock that all nodes of the store share."""
        return now()

    def take_turns(self, cursor: Cursor, names: Iterable[str]) -> None:
        """Lock names until the end of the transaction, which on SQLite locks the whole file anyway."""

    def insert(self, cursor: Cursor, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows with one of the INSERT statements."""
        cursor.executemany(sql, rows)

    def store(
        self, cursor: Cursor, rows: RowMapper[Any], pairs: Iterable[tuple[Sequence[Any] | None, Sequence[Any]]]
    ) -> None:
        """Insert new rows and update what changed of others. Each pair is a row as stored, None for a new one, and now.

        Never an upsert: if two nodes make the same key, one row must not overwrite the other.
        """
        new: list[Sequence[Any]] = []
        changed: defaultdict[str, list[list[Any]]] = defaultdict(list)
        for stored, values in pairs:
            if stored is None:
                new.append(values)
            elif values != stored:
                update, parameters = rows.update_changed(stored, values)
                changed[update].append(parameters)
        if new:
            self.insert(cursor, rows.insert, new)
        for update, parameters_of_rows in changed.items():
            cursor.executemany(update, parameters_of_rows)

    def many(self, values: Iterable[Any]) -> Any:
        """Return several values as the one parameter of a statement that selects among them."""
        return list(values) if self._takes_lists else json.dumps(list(values))
