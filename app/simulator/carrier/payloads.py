"""The parameters of Plivo's voice webhooks: names, values and formats as documented or seen on the wire.

Sources: Plivo, "Request parameters", "Dial", "Record", "Application"; real bodies in public code.
docs/simulator.md names every assumption.
"""

import math
from dataclasses import dataclass
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
class CallContext:
    """What all requests of one call have in common. Times in seconds from `begun_at`.

    Without a `caller_name` Plivo repeats the caller's number.
    """

    call_uuid: str
    from_number: str
    to_number: str
    begun_at: datetime
    zone: ZoneInfo
    outbound: bool = False
    answered_at: float | None = None
    caller_name: str | None = None

    def at(self, seconds: float) -> datetime:
        """Return the simulated time, in UTC."""
        return self.begun_at + timedelta(seconds=seconds)

    def session_start(self) -> str:
        """Return the start of the session in UTC, with microseconds."""
        return self.begun_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

    def local(self, seconds: float | None) -> str:
        """Return a time in the account's zone, without offset; empty for None."""
        if seconds is None:
            return ""
        return self.at(seconds).astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def standard(self, status: str, *, plus: bool = False) -> Params:
        """Return the parameters of every request; only some carry `From` with its + (seen on the wire)."""
        params = {
            "CallUUID": self.call_uuid,
            "From": self.from_number if plus else self.from_number.removeprefix("+"),
            "To": self.to_number.removeprefix("+"),
            "Direction": "outbound" if self.outbound else "inbound",
            "CallStatus": status,
            "ParentAuthID": PARENT_AUTH_ID,
        }
        if not self.outbound:
            params["CallerName"] = self.caller_name or self.from_number
        elif self.answered_at is not None:
            params |= {"ALegUUID": self.call_uuid, "ALegRequestUUID": self.call_uuid}
        if self.outbound:
            params["RequestUUID"] = self.call_uuid
        return params


def ring(context: CallContext) -> Params:
    """Return the ring URL's parameters, for calls placed through the API."""
    own = {"Event": "Ring", "SessionStart": context.session_start(), "CallerName": ""}
    return context.standard("ringing", plus=True) | own


def answer(context: CallContext) -> Params:
    """Return the answer or fallback URL's parameters."""
    return context.standard(_status(context)) | {
        "Event": "StartApp",
        "BillRate": f"{BILL_RATE:g}",
        "CountryCode": "US",
        "RouteType": "",
        "STIRAttestation": "Not Applicable",
        "STIRVerification": "Not Applicable",
        "SessionStart": context.session_start(),
    }


def redirected(context: CallContext) -> Params:
    """Return the parameters of a Redirect element's URL: the standard ones (assumed)."""
    return context.standard(_status(context))


def action(context: CallContext, dial: DialTruth, end: CallEnd | None) -> Params:
    """Return the Dial action URL's parameters; `end` if the A leg has ended already."""
    status = _status(context) if end is None else end.call_status
    params = context.standard(status) | dial_fields(context, dial)
    return params if end is None else params | {"HangupCause": end.cause}


def leg_event(context: CallContext, leg: LegTruth, event: str) -> Params:
    """Return a Dial callback's parameters for `answer`, `connected` or `hangup`."""
    params = {
        "CallUUID": context.call_uuid,
        "DialAction": event,
        "Event": {"answer": "DialAnswer", "connected": "DialConnected", "hangup": "DialHangup"}[event],
        "DialALegUUID": context.call_uuid,
        "DialBLegUUID": leg.b_leg_uuid,
        "DialBLegStatus": event,
        "DialBLegFrom": _with_plus(context.from_number),
        "DialBLegTo": leg.target.removeprefix("+"),
        "DialBLegPosition": str(leg.position),
        "DialBLegBillRate": f"{B_LEG_BILL_RATE:g}",
        "STIRVerification": "Not Applicable",
    }
    return params | _leg_hangup(leg) if event == "hangup" else params


def digits(context: CallContext, leg: LegTruth, pressed: str, by: str) -> Params:
    """Return a Dial callback's parameters for matched digits; `by` is ALeg or BLeg."""
    return context.standard("in-progress") | {
        "DialAction": "digits",
        "Event": "DialDigitsMatch",
        "DialALegUUID": context.call_uuid,
        "DialBLegUUID": leg.b_leg_uuid,
        "DialDigitsMatch": pressed,
        "DialDigitsPressedBy": by,
    }


def hangup(context: CallContext, end: CallEnd, ended_at: float) -> Params:
    """Return the hangup URL's parameters: Duration and BillDuration in seconds."""
    answered = context.answered_at is not None
    seconds = round(ended_at - context.answered_at) if context.answered_at is not None else 0
    billed = _billed(seconds)
    return context.standard(end.call_status, plus=not answered) | {
        "Event": "Hangup",
        "StartTime": context.local(0),
        "AnswerTime": context.local(context.answered_at),
        "EndTime": context.local(ended_at),
        "SessionStart": context.session_start(),
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


def recording(context: CallContext, recording_id: str, started_at: float, seconds: float | None) -> Params:
    """Return a Record's parameters; `seconds` is None while it still records, reported as -1."""
    begun = round(context.at(started_at).timestamp() * 1000)
    length = -1 if seconds is None else round(seconds * 1000)
    return context.standard("in-progress") | {
        "RecordUrl": f"https://media.plivo.com/v1/Account/{PARENT_AUTH_ID}/Recording/{recording_id}.mp3",
        "RecordingID": recording_id,
        "RecordingDuration": str(-1 if seconds is None else round(seconds)),
        "RecordingDurationMs": str(length),
        "RecordingStartMs": str(begun),
        "RecordingEndMs": str(-1 if seconds is None else begun + length),
    }


def transcription(recorded: Params) -> Params:
    """Return the parameters of a transcription's URL; unlike a recording's they are in snake case."""
    return {
        "transcription": "Hello, please call me back.",
        "transcription_charge": "0.04750",
        "transcription_rate": "0.04750",
        "duration": recorded["RecordingDuration"],
        "call_uuid": recorded["CallUUID"],
        "recording_id": recorded["RecordingID"],
        "error": "",
    }


def dial_fields(context: CallContext, dial: DialTruth) -> Params:
    """Return the five fields of a Dial, as Plivo's guide sends them from a PHLO's HTTP Request node."""
    return {
        "DialStatus": dial.status,
        "DialRingStatus": "true" if dial.rang else "false",
        "DialHangupCause": dial.cause,
        "DialALegUUID": context.call_uuid,
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


def _status(context: CallContext) -> str:
    return "ringing" if context.answered_at is None else "in-progress"


def _billed(seconds: int) -> int:
    return math.ceil(seconds / BILLING_PULSE) * BILLING_PULSE


def _with_plus(number: str) -> str:
    return number if number.startswith(("+", "sip:")) else f"+{number}"
