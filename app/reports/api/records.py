"""From records to the API's models."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from app.records.model.state import CallState
from app.records.reading.figures import Figures, GroupBy, GroupedFigures, groups_whole_calls
from app.records.reading.filters import DialFilters
from app.records.reading.queries import FoundCall, FoundDial
from app.reports.api import schemas
from app.voice.hangup_causes import by_code, by_name
from app.voice.outcome import EXPLANATIONS, Outcome

_NOT_PLIVOS = ("dial-", "unnamed-")  # How a call is named that came without a UUID.
_FOUND = frozenset({"call_uuid", "a_leg_uuid", "targets", "explanation", "signature", "deliveries"})


def moment(at: int | None) -> datetime | None:
    """Turn milliseconds since 1970 into a time; None stays, and what no calendar has becomes None."""
    try:
        return None if at is None else datetime.fromtimestamp(at / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


# The other outcomes say it all: that a busy line was busy need not be said twice.
_NEED_A_REASON = frozenset({Outcome.UNREACHABLE, Outcome.FAILED, Outcome.UNKNOWN})


def explain(outcome: str, code: int | None, cause: str | None) -> str:
    """Say in plain words how a dial ended and, where Plivo's code or cause adds something, why."""
    said = EXPLANATIONS[Outcome(outcome)]
    reason = by_code(code) or by_name(cause)
    if reason is None or outcome not in _NEED_A_REASON:
        return said
    return f"{said} {reason.meaning}"


def dial_answer(found: FoundDial) -> schemas.Dial:
    """Make the API's dial."""
    dial = found.dial
    values = _fields(schemas.Dial, dial, but=_FOUND)
    return schemas.Dial(
        **values,
        call_uuid=found.call_uuid,
        a_leg_uuid=None if found.call_uuid.startswith(_NOT_PLIVOS) else found.call_uuid,
        targets=json.loads(dial.targets) if dial.targets else [],
        explanation=explain(dial.outcome, dial.hangup_code, dial.dial_hangup_cause),
        signature=found.signature,
        deliveries=found.deliveries,
    )


def call_answer(found: FoundCall) -> schemas.WholeCall:
    """Make the API's view of a whole call."""
    return schemas.WholeCall(
        call=_call(found.call),
        dials=[dial_answer(dial) for dial in found.dials],
        legs=[schemas.Leg(**_fields(schemas.Leg, leg)) for leg in found.legs],
        receipts=[_receipt(receipt) for receipt in found.receipts],
        recordings=[schemas.Recording(**_fields(schemas.Recording, recording)) for recording in found.recordings],
    )


def summary_answer(found: GroupedFigures, wanted: DialFilters, *, group_by: GroupBy, zone: str) -> schemas.Summary:
    """Make the API's summary."""
    of_calls = groups_whole_calls(wanted, group_by)
    return schemas.Summary(
        **_figures(found.whole, of_calls=groups_whole_calls(wanted, GroupBy.DAY)),
        group_by=group_by,
        timezone=zone,
        series=[schemas.Group(group=name, **_figures(part, of_calls=of_calls)) for name, part in found.parts.items()],
    )


def _figures(figures: Figures, *, of_calls: bool) -> dict[str, Any]:
    answered, ended = figures.answered(of_calls=of_calls)
    return {
        "total": figures.total,
        "calls": figures.calls,
        "answer_rate": answered / ended if ended else None,
        "outcomes": dict(figures.outcomes),
        "statuses": dict(figures.statuses),
        "talk_seconds": figures.talk_seconds,
        "answer_seconds": schemas.Waits(median=figures.wait(0.5), p90=figures.wait(0.9)),
    }


def _call(call: CallState) -> schemas.Call:
    return schemas.Call(**_fields(schemas.Call, call))


def _receipt(row: RowMapping) -> schemas.Receipt:
    values = {name: row[name] for name in schemas.Receipt.model_fields if name in row}
    values.update(
        params=_readable(json.loads(row["params"])),
        receipt_id=str(row["receipt_key"]),
        received_at=moment(row["received_at"]),
        last_received_at=moment(row["last_received_at"]),
    )
    return schemas.Receipt(**values)


def _readable(value: Any) -> Any:
    """Replace lone surrogates, which a receipt can hold and no encoding can write."""
    if isinstance(value, dict):
        return {_readable(name): _readable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_readable(each) for each in value]
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def _fields(model: type[schemas.Answer], state: Any, *, but: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Take a model's fields from a state that has them under the same names, its times turned."""
    return {
        name: moment(getattr(state, name)) if name.endswith("_at") else getattr(state, name)
        for name in model.model_fields
        if name not in but
    }
