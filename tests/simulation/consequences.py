"""What must follow from the calls at any moment: who is to be called back, and which events were sent."""

import json
from collections import Counter

from tests.simulation.invariants import Row, Tables

_REACHED_NOBODY = {"missed", "busy", "rejected", "unreachable", "failed", "message_left"}
_PATIENCE = 5  # Seconds that a caller who gave up must have waited to be called back.


def check_followups(tables: Tables) -> None:
    """Raise AssertionError where a caller who reached nobody is not on the list, or one who was reached still is."""
    states = {row["followup_key"]: row["state"] for row in tables["followups"]}
    owners = {row["call_key"]: row["followup_key"] for row in tables["followup_calls"]}
    for call in tables["calls"]:
        state = states.get(owners.get(call["call_key"], 0))
        right = _followup(tables, call) if _needs_followup(call) else None
        assert state == right, f"the follow-up of {call['call_uuid']} is {state}, not {right}"


def _needs_followup(call: Row) -> bool:
    if call["direction"] == "outbound" or call["turned_away"] == "blocked" or call["from_number"] is None:
        return False
    has_waited = call["waited_seconds"] is None or call["waited_seconds"] >= _PATIENCE
    return call["outcome"] in _REACHED_NOBODY or bool(call["outcome"] == "caller_gave_up" and has_waited)


def _followup(tables: Tables, call: Row) -> str:
    """Return the state of a call's follow-up: replay what happened to its caller afterwards."""
    caller, route, state = call["from_number"], call["route"], "open"
    happened = [(each["started_at"], each["call_uuid"], each) for each in tables["calls"]]
    happened += [(mark["at"], "mark", mark) for mark in tables["followup_marks"] if mark["caller"] == caller]
    for at, name, each in sorted(happened, key=lambda one: one[:2]):
        if (at, name) <= (call["started_at"], call["call_uuid"]):
            continue
        if name == "mark":
            if each["route"] == route and each["action"] == "done" and state == "open":
                state = "done"
            elif each["route"] == route and each["action"] == "reopen" and state == "done":
                state = "open"
        elif state == "open" and _reaches(each, caller):
            return "reached"
        elif state == "done" and each["from_number"] == caller and each["route"] == route and _needs_followup(each):
            return "done"  # What people mark from now on is about the next follow-up.
    return state


def _reaches(call: Row, caller: str) -> bool:
    is_under_way = call["outcome"] == "in_progress" and call["answered_by"] is not None
    is_talk = is_under_way or call["outcome"] == "answered"
    if call["direction"] == "outbound":
        return is_talk and caller in {call["to_number"], call["answered_by"]}
    return is_talk and bool(call["from_number"] == caller or call["answered_by"] == call["to_number"] == caller)


def check_events(tables: Tables) -> None:
    """Raise AssertionError where an event was sent twice, or what is stored is neither announced nor waiting."""
    sent = Counter((row["type"], row["subject"], row["revision"]) for row in tables["events"] if _is_of_record(row))
    twice = [key for key, number in sent.items() if number > 1]
    assert not twice, f"sent more than once: {twice}"
    waiting = {(row["type"], row["subject_key"]) for row in tables["outbox"]}
    announced = {row["call_key"]: row for row in tables["announced"]}
    ends = Counter(row["subject"] for row in tables["events"] if row["type"] == "call.ended")
    for call in tables["calls"]:
        known = announced.get(call["call_key"])
        assert ends[call["call_uuid"]] == (known is not None), f"the end of {call['call_uuid']} was not sent once"
        is_over = call["outcome"] != "in_progress" and call["ended_by"] is not None
        if is_over and ("call.ended", call["call_key"]) not in waiting:
            assert known is not None, f"the end of {call['call_uuid']} is announced nowhere"
            told = (known["outcome"], known["answered_by"])
            assert told == (call["outcome"], call["answered_by"]), f"{call['call_uuid']} was announced as {told}"
    last: dict[str, Row] = {}
    for row in sorted(tables["events"], key=lambda one: one["revision"]):
        if row["type"] == "dial.ended":
            last[row["subject"]] = json.loads(row["body"])["data"]
    for dial in tables["dials"]:
        if dial["ended_at"] is not None and ("dial.ended", dial["dial_key"]) not in waiting:
            right = {"outcome": dial["outcome"], "answered_by": dial["answered_by"]}
            assert last.get(dial["dial_id"]) == right, f"the dial {dial['dial_id']} was announced otherwise"


def _is_of_record(row: Row) -> bool:
    return str(row["type"]).startswith(("call.", "dial.", "message."))
