"""Fill a store with believable dials: `python -m benchmarks.fill --database-url sqlite:////tmp/big.db --dials 1000000`.

The rows are made by the database itself, from their number alone, so that the same command gives the same dials. They
end at the last full minute and reach back as far as `--days` says. For each dial there is a call, its report and, for
most, a leg. Then the hours and days that are over are counted, as the server does by itself.
"""

# Every word of the SQL below is written here.

import argparse
import sys
import time

from sqlalchemy import Connection

from app.records.model.ids import now
from app.records.rollups.update import update_rollups
from app.records.store import migrate
from app.records.store.store import Store
from config import Config

_CHUNK = 100_000
# A column: its name, and the SQL that makes it from the row's number n, three hashes a, b, c of n, and its time t.
# Outcomes, numbers and times of day are distributed roughly as in real traffic.
_ENDS = (
    # up to this share of 1000, outcome, status, cause, rang, hangup code, hangup name
    (560, "answered", "completed", "NORMAL_CLEARING", 1, 4000, "Normal Hangup"),
    (720, "missed", "no-answer", "NO_ANSWER", 1, 3000, "No Answer"),
    (850, "caller_gave_up", "cancel", "ORIGINATOR_CANCEL", 1, None, None),
    (920, "busy", "busy", "USER_BUSY", 1, 3010, "Busy Line"),
    (955, "rejected", "no-answer", "CALL_REJECTED", 1, 3020, "Rejected"),
    (985, "unreachable", "no-answer", "USER_NOT_REGISTERED", 0, 2020, "Endpoint Not Registered"),
    (1000, "failed", "failed", "NORMAL_TEMPORARY_FAILURE", 0, 5010, "Network Error"),
)
_ROUTES = (
    (400, "sales", "+14155550100", '["+14155550123","+14155550124"]', "+14155550123"),
    (700, "support", "+14155550101", '["+14155550125","+14155550126","+14155550127"]', "+14155550126"),
    (850, "office", "+14155550102", '["+14155550128"]', "+14155550128"),
    (950, "night", "+14155550103", '["sip:alice@phone.plivo.com"]', "sip:alice@phone.plivo.com"),
    (1000, "lab", "+14155550104", '["+14155550129","sip:bob@phone.plivo.com"]', "+14155550129"),
)


def _ended(column: int) -> str:
    return _pick("a", _ENDS, column)


def _pick(share: str, choices: tuple[tuple[object, ...], ...], column: int) -> str:
    """Return the CASE that chooses by share."""
    whens = " ".join(f"WHEN {share} < {choice[0]} THEN {_literal(choice[column])}" for choice in choices)
    return f"(CASE {whens} END)"


def _literal(value: object) -> str:
    return "NULL" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


_ANSWERED, _SHARE = f"a < {_ENDS[0][0]}", "(b % 1000)"
_ROUTE, _TO, _TARGET = (_pick(_SHARE, _ROUTES, column) for column in (1, 2, 4))


def fill(store: Store, *, dials: int, days: int) -> None:
    """Fill an empty store."""
    migrate.upgrade(store)
    end = now() // 60_000 * 60_000
    start = end - days * 24 * 3_600_000
    with store.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        if store.is_sqlite:
            connection.exec_driver_sql("PRAGMA synchronous = OFF")
            connection.exec_driver_sql("PRAGMA cache_size = -400000")
        for first in range(0, dials, _CHUNK):
            last = min(first + _CHUNK, dials)
            connection.exec_driver_sql("BEGIN")
            for statement in _statements(store, first, last, start, (end - start) / dials):
                # psycopg takes a single % for a placeholder.
                connection.exec_driver_sql(statement if store.is_sqlite else statement.replace("%", "%%"))
            connection.exec_driver_sql("COMMIT")
        _analyse(connection, store)


def _analyse(connection: Connection, store: Store) -> None:
    if store.is_sqlite:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        connection.exec_driver_sql("VACUUM ANALYZE")


def _statements(store: Store, first: int, last: int, start: int, step: float) -> list[str]:
    """Return the four inserts for a range of rows."""
    rows, words = _rows(store, first, last, start, step), _words(store)
    return [
        _insert("calls", _call(words), rows),
        _insert("receipts", _receipt(words), rows),
        _insert("dials", _dial(words), rows),
        f"{_insert('legs', _leg(words), rows)} WHERE {_ANSWERED}",
    ]


def _words(store: Store) -> dict[str, str]:
    """Return the SQL of the values that several tables share."""
    # As with Plivo's, a call's UUID falls at a random place in its index; a dial's id begins with its time.
    scattered = "substr(CAST(10000000000 + n * 2654435761 % 4294967296 AS TEXT), 2, 8)"
    number = "substr(CAST(1000000000000 + n AS TEXT), 2)"
    digest = "CAST(substr('0000000000000000' || CAST(n AS TEXT), length(CAST(n AS TEXT)) + 1) AS BLOB)"
    return {
        "uuid": f"{scattered} || '-0000-4000-8000-' || {number}",
        "leg": f"'b0000000-0000-4000-8000-' || {number}",
        "dial_id": f"'dial' || {number}",
        "over": f"t + waited * 1000 + CASE WHEN {_ANSWERED} THEN talked * 1000 ELSE 0 END",
        "digest": digest if store.is_sqlite else "decode(lpad(to_hex(n), 32, '0'), 'hex')",
        "true": "1" if store.is_sqlite else "true",
        "false": "0" if store.is_sqlite else "false",
    }


def _call(words: dict[str, str]) -> dict[str, str]:
    return {
        "call_key": "k",
        "call_uuid": words["uuid"],
        "from_number": "caller",
        "to_number": _TO,
        "direction": "'inbound'",
        "call_status": "'completed'",
        "started_at": "t",
        "ended_at": words["over"],
        "ended_by": "'webhook'",
        "duration": f"({words['over']} - t) / 1000",
        "heard_from": "'webhook'",
        "route": _ROUTE,
        "outcome": _ended(1),
        "answered_by": f"CASE WHEN {_ANSWERED} THEN {_TARGET} END",
        "waited_seconds": "waited",
        "talk_seconds": f"CASE WHEN {_ANSWERED} THEN talked END",
        "dial_count": "1",
    }


def _receipt(words: dict[str, str]) -> dict[str, str]:
    params = f"""'{{"CallUUID":"' || {words["uuid"]} || '","From":"' || caller || '","DialStatus":"' || {_ended(2)} || '"}}'"""
    return {
        "receipt_key": "k",
        "call_key": "k",
        "digest": words["digest"],
        "kind": "'action'",
        "dial_id": words["dial_id"],
        "method": "'POST'",
        "path": "'/dialstatus/action/'",
        "query": f"'dial=' || {words['dial_id']}",
        "params": params,
        "signature": "'valid'",
        "sender": "'192.0.2.1'",
        "received_at": words["over"],
        "deliveries": "1",
        "last_received_at": words["over"],
        "reply_status": "200",
        "reply_micros": "700",
    }


def _dial(words: dict[str, str]) -> dict[str, str]:
    return {
        "dial_key": "k",
        "dial_id": words["dial_id"],
        "call_key": "k",
        "route": _ROUTE,
        "step": "'all'",
        "round": "1",
        "targets": _pick(_SHARE, _ROUTES, 3),
        "started_at": "t",
        "dial_status": _ended(2),
        "dial_ring_status": f"CASE WHEN {_ended(4)} = 1 THEN {words['true']} ELSE {words['false']} END",
        "dial_hangup_cause": _ended(3),
        "b_leg_uuid": f"CASE WHEN {_ANSWERED} THEN {words['leg']} END",
        "reported_at": words["over"],
        "report_key": "k",
        "outcome": _ended(1),
        "from_number": "caller",
        "to_number": _TO,
        "answered_by": f"CASE WHEN {_ANSWERED} THEN {_TARGET} END",
        "hangup_code": _ended(5),
        "hangup_name": _ended(6),
        "answered_at": f"CASE WHEN {_ANSWERED} THEN t + waited * 1000 END",
        "ended_at": words["over"],
        "ring_seconds": "waited",
        "talk_seconds": f"CASE WHEN {_ANSWERED} THEN talked END",
    }


def _leg(words: dict[str, str]) -> dict[str, str]:
    return {
        "call_key": "k",
        "b_leg_uuid": words["leg"],
        "dial_id": words["dial_id"],
        "target": _TARGET,
        "position": "1",
        "answered_at": "t + waited * 1000",
        "ended_at": words["over"],
        "ended_by": "'webhook'",
        "duration": "talked",
    }


def _rows(store: Store, first: int, last: int, start: int, step: float) -> str:
    """Return the table expression `rows`: numbers, their hashes, times, keys, callers."""
    numbers = (
        f"WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last - 1})"
        if store.is_sqlite
        else f"WITH numbers AS (SELECT generate_series({first}, {last - 1})::bigint AS n)"
    )
    # Multiplied by primes and reduced, numbers lose their order; every run makes the same rows.
    return (
        f"{numbers}, hashed AS (SELECT n, (n * 7919 + 104729) % 1000 AS a, (n * 15485863 + 32452843) % 999983 AS b, "
        f"(n * 86028121 + 49979687) % 86028157 AS c, CAST({start} + n * {step:.6f} AS BIGINT) AS t FROM numbers), "
        "rows AS (SELECT n, a, b, c, t, "
        "(t - 1577836800000) * 4194304 + c % 4194304 AS k, 3 + b % 22 AS waited, 5 + (b * 13) % 400 AS talked, "
        "'+1415' || substr(CAST(10000000 + (b * b + c) % 200000 * 37 AS TEXT), 2) AS caller FROM hashed) "
    )


def _insert(table: str, columns: dict[str, str], rows: str) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) {rows} SELECT {', '.join(columns.values())} FROM rows"


def main() -> None:
    """Read the command line, fill, count, and print the time it took."""
    parser = argparse.ArgumentParser(description="Fill an empty store with believable dials.")
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--dials", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
    given = parser.parse_args()
    url = Config.load(
        {"DATABASE_URL": given.database_url, "REPORTS_TOKEN": "x" * 16, "SECRET_KEY": "x" * 16}
    ).database_url
    store = Store(url, timeout=5)
    started = time.monotonic()
    fill(store, dials=given.dials, days=given.days)
    filled = time.monotonic()
    spans = update_rollups(store)
    store.close()
    counted = time.monotonic()
    sys.stdout.write(
        f"{given.dials:,} dials in {filled - started:.1f} s; {spans:,} hours counted in {counted - filled:.1f} s\n"
    )


if __name__ == "__main__":
    main()
