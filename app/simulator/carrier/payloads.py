"""The parameters of Plivo's voice webhooks: names, values and formats as seen on the wire or documented.

Sources: Plivo, "Request parameters", "Dial", "Record", "Application"; real bodies in public code. What is
assumed is named in docs/simulator.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.simulator.ground_truth import DialTruth, LegTruth
from app.simulator.hangups import CallEnd

Params = dict[str, str]

PARENT_AUTH_ID = "MASIMULATEDACCOUNT00"
BILL_RATE = 0.005
B_LEG_BILL_RATE = 0.01781
BILLING_PULSE = 60


@dataclass(slots=True, kw_only=True)
class Line:
    """What all requests of one call have in common. Times are seconds from `begun_at`."""

    call_uuid: str
    from_number: str
    to_number: str
    begun_at: datetime
    zone: ZoneInfo
    outbound: bool = False
    answered_at: float | None = None
    sip_headers: Mapping[str, str] = field(default_factory=dict)

    def at(self, seconds: float) -> datetime:
        """Return the simulated time, in UTC."""
        return self.begun_at + timedelta(seconds=seconds)

    def session_start(self) -> str:
        """Return the session's start: UTC with microseconds."""
        return self.begun_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

    def local(self, seconds: float | None) -> str:
        """Return a time in the account's zone without offset; empty where it never came."""
        if seconds is None:
            return ""
        return self.at(seconds).astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def standard(self, status: str, *, plus: bool = False) -> Params:
        """Return what accompanies every request. `From` carries its + only in some (seen on the wire)."""
        params = {
            "CallUUID": self.call_uuid,
            "From": self.from_number if plus else self.from_number.removeprefix("+"),
            "To": self.to_number.removeprefix("+"),
            "Direction": "outbound" if self.outbound else "inbound",
            "CallStatus": status,
            "ParentAuthID": PARENT_AUTH_ID,
        }
        if not self.outbound:
            params["CallerName"] = self.from_number
        elif self.answered_at is not None:
            params |= {"ALegUUID": self.call_uuid, "ALegRequestUUID": self.call_uuid}
        if self.outbound:
            params["RequestUUID"] = self.call_uuid
        return params


def ring(line: Line) -> Params:
    """Return the ring URL's parameters, for calls made by the API."""
    own = {"Event": "Ring", "SessionStart": line.session_start(), "CallerName": ""}
    return line.standard("ringing", plus=True) | own


def answer(line: Line) -> Params:
    """Return the answer or fallback URL's parameters."""
    return line.standard(_status(line)) | {
        "Event": "StartApp",
        "BillRate": f"{BILL_RATE:g}",
        "CountryCode": "US",
        "RouteType": "",
        "STIRAttestation": "Not Applicable",
        "STIRVerification": "Not Applicable",
        "SessionStart": line.session_start(),
    }


def redirected(line: Line) -> Params:
    """Return the parameters of a Redirect element's URL: the standard ones (assumed)."""
    return line.standard(_status(line))


def action(line: Line, dial: DialTruth, end: CallEnd | None) -> Params:
    """Return the Dial action URL's parameters; `end` when the A leg has gone already."""
    gone = {} if end is None else {"HangupCause": end.cause}
    status = _status(line) if end is None else end.call_status
    return (
        line.standard(status)
        | gone
        | {
            "DialStatus": dial.status,
            "DialRingStatus": "true" if dial.rang else "false",
            "DialHangupCause": dial.cause,
            "DialALegUUID": line.call_uuid,
            "DialBLegUUID": dial.b_leg_uuid,
        }
    )


def leg_event(line: Line, leg: LegTruth, event: str) -> Params:
    """Return a Dial callback's parameters for `answer`, `connected` or `hangup`."""
    params = {
        "CallUUID": line.call_uuid,
        "DialAction": event,
        "Event": {"answer": "DialAnswer", "connected": "DialConnected", "hangup": "DialHangup"}[event],
        "DialALegUUID": line.call_uuid,
        "DialBLegUUID": leg.b_leg_uuid,
        "DialBLegStatus": event,
        "DialBLegFrom": _with_plus(line.from_number),
        "DialBLegTo": leg.target.removeprefix("+"),
        "DialBLegPosition": str(leg.position),
        "DialBLegBillRate": f"{B_LEG_BILL_RATE:g}",
        "STIRVerification": "Not Applicable",
    }
    return params | _leg_hangup(leg) if event == "hangup" else params


def digits(line: Line, leg: LegTruth, pressed: str, by: str) -> Params:
    """Return a Dial callback's parameters for matched digits; `by` is ALeg or BLeg."""
    return line.standard("in-progress") | {
        "DialAction": "digits",
        "Event": "DialDigitsMatch",
        "DialALegUUID": line.call_uuid,
        "DialBLegUUID": leg.b_leg_uuid,
        "DialDigitsMatch": pressed,
        "DialDigitsPressedBy": by,
    }


def hangup(line: Line, end: CallEnd, ended_at: float) -> Params:
    """Return the hangup URL's parameters: Duration and BillDuration in seconds."""
    answered = line.answered_at is not None
    seconds = round(ended_at - line.answered_at) if line.answered_at is not None else 0
    billed = _billed(seconds)
    return line.standard(end.call_status, plus=not answered) | {
        "Event": "Hangup",
        "StartTime": line.local(0),
        "AnswerTime": line.local(line.answered_at),
        "EndTime": line.local(ended_at),
        "SessionStart": line.session_start(),
        "Duration": str(seconds),
        "BillDuration": str(billed),
        "BillRate": f"{BILL_RATE:g}",
        "TotalCost": f"{BILL_RATE * billed / 60:.5f}",
        "HangupCause": end.cause,
        "HangupCauseCode": str(end.code),
        "HangupCauseName": end.name,
        "HangupSource": end.source,
        "STIRAttestation": "Not Applicable",
        "STIRVerification": "Not Applicable",
    }


def recording(line: Line, recording_id: str, started_at: float, seconds: float | None) -> Params:
    """Return a Record action's or callback's own parameters; `seconds` None while it still runs (-1)."""
    begun = round(line.at(started_at).timestamp() * 1000)
    length = -1 if seconds is None else round(seconds * 1000)
    return line.standard("in-progress") | {
        "RecordUrl": f"https://media.plivo.com/v1/Account/{PARENT_AUTH_ID}/Recording/{recording_id}.mp3",
        "RecordingID": recording_id,
        "RecordingDuration": str(-1 if seconds is None else round(seconds)),
        "RecordingDurationMs": str(length),
        "RecordingStartMs": str(begun),
        "RecordingEndMs": str(-1 if seconds is None else begun + length),
    }


def phlo(line: Line, dial: DialTruth) -> Params:
    """Return the five fields that Plivo's guide tells PHLO's HTTP Request node to send."""
    return {
        "DialStatus": dial.status,
        "DialRingStatus": "true" if dial.rang else "false",
        "DialHangupCause": dial.cause,
        "DialALegUUID": line.call_uuid,
        "DialBLegUUID": dial.b_leg_uuid,
    }


def _leg_hangup(leg: LegTruth) -> Params:
    if leg.end is None:
        raise ValueError(f"leg {leg.b_leg_uuid} has not ended")
    billed = _billed(leg.seconds)
    return {
        "DialBLegDuration": str(leg.seconds),
        "DialBLegBillDuration": str(billed),
        "DialBLegTotalCost": f"{B_LEG_BILL_RATE * billed / 60:.5f}",
        "DialBLegHangupCause": leg.end.cause,
        "DialBLegHangupCauseCode": str(leg.end.code),
        "DialBLegHangupCauseName": leg.end.name,
        "DialBLegHangupSource": leg.end.source,
    }


def _status(line: Line) -> str:
    return "ringing" if line.answered_at is None else "in-progress"


def _billed(seconds: int) -> int:
    return math.ceil(seconds / BILLING_PULSE) * BILLING_PULSE


def _with_plus(number: str) -> str:
    return number if number.startswith(("+", "sip:")) else f"+{number}"
