"""From records to the API's models."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from app.records.model.state import CallState, RecordingState
from app.records.reading.calls import ListedCall, message_of
from app.records.reading.figures import Figures, GroupBy, GroupedFigures
from app.records.reading.queries import FoundCall, FoundDial
from app.records.rollups.counting import Unit
from app.reports.api.models import (
    CallDetailsView,
    CallView,
    DialView,
    GroupView,
    LegView,
    ReceiptView,
    RecordingView,
    SummaryView,
    View,
    WaitsView,
    WholeCallView,
)
from app.voice.explanation import explain

_MADE_UP_UUIDS = ("dial-", "unnamed-")  # Prefixes of our own names for calls that came without a UUID.
_DERIVED_OF_CALL = frozenset({"caller_name", "reason", "dials", "message", "followup"})
_DERIVED = frozenset({"call_uuid", "a_leg_uuid", "targets", "explanation", "signature", "deliveries"})


def to_datetime(at: int | None) -> datetime | None:
    """Return milliseconds since 1970 UTC as a time; None for None and for what no calendar has."""
    try:
        return None if at is None else datetime.fromtimestamp(at / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def dial_view(found: FoundDial) -> DialView:
    """Return a dial as the API shows it."""
    dial = found.dial
    return DialView(
        **_fields(DialView, dial, but=_DERIVED),
        call_uuid=found.call_uuid,
        a_leg_uuid=None if found.call_uuid.startswith(_MADE_UP_UUIDS) else found.call_uuid,
        targets=json.loads(dial.targets) if dial.targets else [],
        explanation=explain(dial.outcome, dial.hangup_code, dial.dial_hangup_cause).text,
        signature=found.signature,
        deliveries=found.deliveries,
    )


def call_view(found: FoundCall) -> WholeCallView:
    """Return a call with everything about it as the API shows it."""
    return WholeCallView(
        call=CallDetailsView(
            **_call_fields(CallDetailsView, found.call, message_of(found.call, found.recordings), found.followup)
        ),
        dials=[dial_view(dial) for dial in found.dials],
        legs=[LegView(**_fields(LegView, leg)) for leg in found.legs],
        receipts=[_receipt_view(receipt) for receipt in found.receipts],
        recordings=[recording_view(recording) for recording in found.recordings],
    )


def listed_call_view(found: ListedCall) -> CallView:
    """Return a call of a list as the API shows it."""
    return CallView(**_call_fields(CallView, found.call, found.message, found.followup))


def _call_fields(
    model: type[CallView], call: CallState, message: RecordingState | None, followup: str | None
) -> dict[str, Any]:
    return {
        **_fields(model, call, but=_DERIVED_OF_CALL),
        "caller_name": call.contact_name or call.caller_name,
        "reason": call.turned_away if message else None,
        "dials": call.dial_count,
        "message": recording_view(message) if message else None,
        "followup": followup,
    }


def recording_view(recording: RecordingState) -> RecordingView:
    return RecordingView(**_fields(RecordingView, recording))


def summary_view(found: GroupedFigures, *, unit: Unit, group_by: GroupBy, zone: str) -> SummaryView:
    """Return figures as the API shows them; `zone` is the name of the time zone of hours and days."""
    return SummaryView(
        **_figures(found.whole),
        unit=unit,
        group_by=group_by,
        timezone=zone,
        series=[GroupView(group=name, **_figures(part)) for name, part in found.parts.items()],
    )


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "total": figures.total,
        "calls": figures.calls,
        "dials": figures.dials,
        "answered": figures.answered,
        "answer_rate": figures.answered / figures.ended if figures.ended else None,
        "outcomes": dict(figures.outcomes),
        "statuses": dict(figures.statuses),
        "talk_seconds": figures.talk_seconds,
        "answer_seconds": WaitsView(median=figures.wait(0.5), p90=figures.wait(0.9)),
    }


def _receipt_view(row: RowMapping) -> ReceiptView:
    values = {name: row[name] for name in ReceiptView.model_fields if name in row}
    values.update(
        params=_writable(json.loads(row["params"])),
        receipt_id=str(row["receipt_key"]),
        received_at=to_datetime(row["received_at"]),
        last_received_at=to_datetime(row["last_received_at"]),
    )
    return ReceiptView(**values)


def _writable(value: Any) -> Any:
    """Replace lone surrogates, which a receipt can hold and no encoding can write."""
    if isinstance(value, dict):
        return {_writable(name): _writable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_writable(each) for each in value]
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def _fields(model: type[View], state: Any, *, but: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the model's fields from a state that names them alike, with milliseconds as times."""
    return {
        name: to_datetime(getattr(state, name)) if name.endswith("_at") else getattr(state, name)
        for name in model.model_fields
        if name not in but
    }
