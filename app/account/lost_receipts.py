"""Lost receipts in a server's log: the calls that `flask plivo reconcile --log` looks up at Plivo."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

EVENT = "receipt_lost"
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class LostReceipt:
    """What a log line knows of a receipt that was stored nowhere, in Plivo's words. `at` is None in a log as text."""

    call_uuid: str
    at: datetime | None
    dial_status: str | None
    dial_hangup_cause: str | None
    dial_b_leg_uuid: str | None


def lost_receipts(lines: Iterable[str]) -> Iterator[LostReceipt]:
    """Yield the receipts that a log names as lost; lines of JSON or text, with or without a prefix such as journald's.

    Other lines are skipped, and so are those that name no call.
    """
    for line in lines:
        if EVENT not in line:
            continue
        fields = _parse_json(line) or _parse_text(line)
        if fields.get("event") == EVENT and fields.get("call_uuid"):
            yield LostReceipt(
                call_uuid=str(fields["call_uuid"]),
                at=_parse_time(fields.get("time")),
                dial_status=_text(fields.get("dial_status")),
                dial_hangup_cause=_text(fields.get("dial_hangup_cause")),
                dial_b_leg_uuid=_text(fields.get("dial_b_leg_uuid")),
            )


def _parse_json(line: str) -> Mapping[str, object]:
    try:
        fields, _ = json.JSONDecoder().raw_decode(line, line.index("{"))
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _parse_text(line: str) -> Mapping[str, object]:
    before, event, rest = line.partition(EVENT)
    if "=" in before:
        return {}  # The word is the value of a field.
    return {"event": event, **{name: _unquote(value) for name, value in _FIELD.findall(rest)}}


def _unquote(value: str) -> str:
    try:
        return str(json.loads(value)) if value.startswith('"') else value
    except ValueError:
        return value


def _parse_time(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(value: object) -> str | None:
    return str(value) if value else None
