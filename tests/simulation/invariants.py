"""What must hold at any moment, computed from the tables without the code that is tested."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC
from typing import Any

from app.records.maintenance.check import check
from app.records.model.ids import key_time
from app.records.model.receipt import first_params, placement_from_json
from app.records.model.state import CallRecord, CallState
from app.records.model.tables import WAIT_BOUNDS, metadata
from app.records.rollups.counting import HOUR, WAITS, Kind
from app.records.store.store import Store
from app.records.writing.derive import derive
from app.records.writing.fold_receipt import fold_receipt
from app.voice.cdr import parse_any
from app.voice.events import Kind as Report
from app.voice.outcome import CallOutcome
from tests.simulation.carrier import OUTCOMES, CarrierCall
from tests.simulation.node import Ledger, Node

Row = dict[str, Any]
Tables = dict[str, list[Row]]


def read_tables(store: Store) -> Tables:
    """Return every row of the store, by table."""
    with store.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        return {
            name: [dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}").mappings()]
            for name in metadata.tables
        }


def count_deliveries(tables: Tables, nodes: Sequence[Node]) -> Counter[bytes]:
    """Return how many deliveries of each receipt are stored or wait on a spool."""
    found = Counter({bytes(row["digest"]): row["deliveries"] for row in tables["receipts"]})
    assert len(found) == len(tables["receipts"]), "a receipt is stored twice"
    brought = {row["spool_id"]: row["brought"] for row in tables["spools"]}
    for node in nodes:
        place = brought.get(node.spool.identity() or "", 0)
        found.update(digest for number, digest, is_aside in node.spooled() if is_aside or number > place)
    return found


def check_receipts(tables: Tables, ledger: Ledger, nodes: Sequence[Node]) -> None:
    """Raise AssertionError where an acknowledged delivery is neither stored nor spooled, or where one counts twice."""
    found = count_deliveries(tables, nodes)
    in_flight = sum((node.in_flight() for node in nodes), Counter[bytes]())
    for digest, line in ledger.lines.items():
        least, most = line.acknowledged, line.acknowledged + line.unsure + in_flight[digest]
        assert least <= found[digest] <= most, (
            f"{least} to {most} deliveries are known, {found[digest]} are kept: {line}"
        )


def check_outcomes(tables: Tables, calls: Iterable[CarrierCall]) -> None:
    """Raise AssertionError where a call has no outcome, or after all its reports not the one that it had in truth."""
    stored = {row["call_key"]: row for row in tables["calls"]}
    reports: defaultdict[str, set[bytes]] = defaultdict(set)
    for row in tables["receipts"]:
        reports[stored[row["call_key"]]["call_uuid"]].add(bytes(row["digest"]))
    by_uuid = {row["call_uuid"]: row for row in stored.values()}
    assert len(by_uuid) == len(stored), "a call is stored twice"
    assert {row["outcome"] for row in stored.values()} <= set(CallOutcome), "a call has another outcome"
    for call in calls:
        if reports[call.uuid] >= {one.digest() for one in call.receipts()}:
            outcome, right = by_uuid[call.uuid]["outcome"], OUTCOMES[call.ending]
            assert outcome == right, f"the call {call.uuid} ended as {call.ending} and is stored as {outcome}"


def check_folds(store: Store, tables: Tables, chance: random.Random) -> None:
    """Raise AssertionError where the receipts of a call, in a random order, add up to another record."""
    stored = {name: _by_call(store, name, tables[name]) for name in ("calls", "dials", "legs", "recordings")}
    receipts: defaultdict[int, list[Row]] = defaultdict(list)
    for row in tables["receipts"]:
        receipts[row["call_key"]].append(row)
    for call_key, found in receipts.items():
        chance.shuffle(found)
        call_uuid = stored["calls"][call_key][0][1]
        record = _folded(call_key, call_uuid, found)
        fresh: dict[str, list[Any]] = {
            "calls": [record.call],
            "dials": list(record.dials.values()),
            "legs": list(record.legs.values()),
            "recordings": list(record.recordings.values()),
        }
        for name, states in fresh.items():
            rows = sorted((_values(store, name, state) for state in states), key=repr)
            assert rows == stored[name].get(call_key, []), f"{name} of {call_uuid} depend on the order of its receipts"


def _folded(call_key: int, call_uuid: str, found: Sequence[Row]) -> CallRecord:
    events = [
        parse_any(Report(row["kind"]), first_params(row["params"]), at=row["received_at"], zone=UTC) for row in found
    ]
    record = CallRecord(CallState(call_key, call_uuid, started_at=events[0].at))
    for row, event in zip(found, events, strict=True):
        placement = placement_from_json(row["placement"])
        key, at = row["receipt_key"], row["received_at"]
        fold_receipt(record, event, placement, dial_id=row["dial_id"], key=key, at=at)
    derive(record)
    return record


def _values(store: Store, name: str, state: Any) -> tuple[Any, ...]:
    """Return the values of a state without the keys that its writer made."""
    mapper = getattr(store.statements, name)
    left_out = {"dial_key", "report_key"}
    columns = metadata.tables[name].columns.keys()
    return tuple(value for column, value in zip(columns, mapper.values(state), strict=True) if column not in left_out)


def _by_call(store: Store, name: str, rows: Iterable[Row]) -> dict[int, list[tuple[Any, ...]]]:
    found: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        state = getattr(store.statements, name).read(tuple(row.values()))
        if name == "dials" and state.dial_ring_status is not None:
            state.dial_ring_status = bool(state.dial_ring_status)
        found[row["call_key"]].append(_values(store, name, state))
    return {call_key: sorted(values, key=repr) for call_key, values in found.items()}


def check_stored_records(store: Store) -> None:
    """Raise AssertionError where `flask db check` finds a difference."""
    found = check(store, zone=UTC, repair=False, step=lambda _: None)
    assert (found.damage, found.differing, found.followups) == ((), (), 0), found


def check_rollups(tables: Tables) -> bool:
    """Raise AssertionError where the figures of a counted hour are not those of its calls.

    Returns whether a counted hour has changed and is to be counted again.
    """
    hour_of: Callable[[int], int] = lambda key: key_time(key) // HOUR * HOUR  # noqa: E731
    late = {hour_of(row["call_key"]) for row in tables["late_changes"]}
    counted = {row["hour"] for row in tables["rollup_hours"] if not row["is_pruned"]}
    is_changed, counted = bool(counted & late), counted - late
    right: Counter[tuple[Any, ...]] = Counter()
    outcomes = {row["call_key"]: row for row in tables["calls"]}
    for call in tables["calls"]:
        one = (Kind.CALL.value, hour_of(call["call_key"]), call["outcome"], None)
        right.update(_measures(one, call["outcome"], call["talk_seconds"], call["waited_seconds"]))
        right[*one, "calls"] += 1
        right[*one, "dials"] += call["dial_count"]
        targets = {
            target
            for dial in tables["dials"]
            if dial["call_key"] == call["call_key"] and dial["targets"]
            for target in json.loads(dial["targets"])
        }
        for target in targets:
            right[Kind.CALL_TARGET.value, one[1], call["outcome"], target, "calls"] += 1
    for dial in tables["dials"]:
        one = (Kind.DIAL.value, hour_of(outcomes[dial["call_key"]]["call_key"]), dial["outcome"], None)
        right.update(_measures(one, dial["outcome"], dial["talk_seconds"], dial["ring_seconds"]))
        right[*one, "dials"] += 1
    found: Counter[tuple[Any, ...]] = Counter()
    for row in tables["call_rollups"]:
        is_by_target = row["kind"] == Kind.CALL_TARGET
        if row["kind"] not in {Kind.CALL, Kind.DIAL} and not (is_by_target and row["target"]):
            continue
        names = ("calls",) if is_by_target else ("calls", "dials", "talk_seconds", *WAITS)
        for name in names:
            if row["kind"] != Kind.DIAL or name != "calls":
                found[row["kind"], row["hour"], row["outcome"], row["target"], name] += row[name]
    differing = {
        key: (right[key], found[key])
        for key in right.keys() | found.keys()
        if key[1] in counted and right[key] != found[key]
    }
    assert not differing, f"figures of hours, right and stored: {differing}"
    return is_changed


def _measures(one: tuple[Any, ...], outcome: str, talked: int | None, waited: int | None) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter({(*one, "talk_seconds"): talked or 0})
    if outcome == "answered" and waited is not None:
        bound = next((str(bound) for bound in WAIT_BOUNDS if waited <= bound), "longer")
        found[*one, f"waits_{bound}"] += 1
    return found
