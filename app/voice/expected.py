"""What the reference expects of Plivo's parameters: their names, where they come, and the form of their values.

From Plivo's pages on requests, Dial, Record, the Call API and hangup causes, and from requests seen in public code. A
value outside is not wrong: it is news, and `drift.py` reports it.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from app.voice.events import Kind
from app.voice.hangup_causes import by_code, by_name
from app.voice.outcome import DOCUMENTED_STATUSES


class Form(NamedTuple):
    """The form of a value: its name in plain words, and the check. A closed one has a text for each of its values."""

    name: str
    accepts: Callable[[str], object]
    is_closed: bool = False


def _form(name: str, pattern: str) -> Form:
    return Form(name, re.compile(pattern, re.ASCII).fullmatch)


def _words(*words: str) -> Form:
    return Form("documented word", frozenset(words).__contains__, is_closed=True)


_UUID = _form("UUID", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID = _form("id", r"[0-9A-Za-z_-]{1,64}")
_WHOLE = _form("whole number", r"[0-9]{1,9}")
_LENGTH = _form("whole number or -1", r"-1|[0-9]{1,15}")
_DECIMAL = _form("decimal number", r"[0-9]{1,9}(\.[0-9]{1,9})?")
_TIME = _form("time", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?([+-]\d\d:\d\d)?")
_PARTY = _form("telephone number or SIP address", r"\+?[0-9]{3,20}|sip:[^@\s]{1,128}@\S{1,128}|[A-Za-z]{1,20}")
_KEYS = _form("keys", r"[0-9A-D*#]{1,64}")
_URL = _form("URL", r"https?://\S{1,2000}")
_FLAG = Form("true or false", frozenset({"true", "false"}).__contains__, is_closed=True)
_TEXT = Form("text of at most 255 characters", lambda value: len(value) <= 255)
_CODE = Form(
    "documented hangup code", lambda value: value.isdecimal() and len(value) < 9 and by_code(int(value)), is_closed=True
)
_CAUSE = Form("documented cause", by_name, is_closed=True)
_CALL_STATUS = _words("ringing", "in-progress", "completed", "no-answer", "busy", "cancel", "timeout", "failed")
_SOURCE = _words(
    *("Caller", "Callee", "Call recipient", "Plivo", "Carrier", "API Request", "Answer XML", "Error", "Unknown")
)
_EVENT = _words(
    *("Ring", "StartApp", "Hangup", "MachineDetection", "DialAnswer", "DialConnected", "DialDigitsMatch", "DialHangup"),
    *("DialAction", "Redirect"),
)
_VERIFICATION = _words("Verified", "Not Verified", "Not Applicable")
_ATTESTATION = _words("A", "B", "C", "Not Applicable")
_DIRECTION = _words("inbound", "outbound")

_STANDARD = {
    **dict.fromkeys(("CallUUID", "ALegUUID", "ALegRequestUUID", "RequestUUID"), _UUID),
    **dict.fromkeys(("From", "To", "ForwardedFrom"), _PARTY),
    **dict.fromkeys(("SessionStart", "StartTime", "AnswerTime", "EndTime"), _TIME),
    **dict.fromkeys(("BillRate", "TotalCost"), _DECIMAL),
    **dict.fromkeys(("Duration", "BillDuration"), _WHOLE),
    **dict.fromkeys(("HangupCause", "HangupCauseName"), _CAUSE),
    **dict.fromkeys(("Machine", "machine", "CarrierFailoverTriggered"), _FLAG),
    **dict.fromkeys(("CallerName", "SIP-H-To", "SIPAuthType", "SIPAuthUser", "SIPSourceIP", "RouteType"), _TEXT),
    **dict.fromkeys(("ParentAuthID", "ComplianceApplicationId", "ComplianceStatus", "CountryCode"), _ID),
    "Direction": _DIRECTION,
    "CallStatus": _CALL_STATUS,
    "Event": _EVENT,
    "Digits": _KEYS,
    "HangupCauseCode": _CODE,
    "HangupSource": _SOURCE,
    "STIRVerification": _VERIFICATION,
    "STIRAttestation": _ATTESTATION,
}
_DIAL = {
    **dict.fromkeys(("DialALegUUID", "DialBLegUUID"), _UUID),
    "DialStatus": _words(*DOCUMENTED_STATUSES),
    "DialRingStatus": _FLAG,
    "DialHangupCause": _CAUSE,
}
_LEG = {
    **dict.fromkeys(("DialALegUUID", "DialBLegUUID"), _UUID),
    **dict.fromkeys(("DialBLegFrom", "DialBLegTo"), _PARTY),
    **dict.fromkeys(("DialBLegBillRate", "DialBLegTotalCost"), _DECIMAL),
    **dict.fromkeys(("DialBLegPosition", "DialBLegDuration", "DialBLegBillDuration"), _WHOLE),
    **dict.fromkeys(("DialBLegHangupCause", "DialBLegHangupCauseName"), _CAUSE),
    "DialAction": _words("answer", "connected", "hangup", "digits"),
    "DialBLegStatus": _words("answer", "connected", "hangup"),
    "DialBLegHangupCauseCode": _CODE,
    "DialBLegHangupSource": _SOURCE,
    "DialDigitsMatch": _KEYS,
    "DialDigitsPressedBy": _words("ALeg", "BLeg", "aleg", "bleg"),
    "DialBLegSTIRVerification": _VERIFICATION,
    "DialBLegSTIRAttestation": _ATTESTATION,
    "DialSession": _ID,
}
_RECORDING = {
    **dict.fromkeys(("RecordUrl", "RecordFile", "record_url", "recording_url"), _URL),
    **dict.fromkeys(("RecordingID", "recording_id", "api_id"), _ID),
    **{
        name: _LENGTH
        for unit in ("Duration", "DurationMs", "StartMs", "EndMs")
        for name in (f"Recording{unit}", "recording_" + unit.replace("Ms", "_ms").lower())
    },
    **dict.fromkeys(("transcription", "response", "error"), Form("text", lambda _: True)),
    **dict.fromkeys(("transcription_charge", "transcription_rate", "duration"), _DECIMAL),
    "call_uuid": _UUID,
}
_RECORD = {
    **dict.fromkeys(("call_uuid", "parent_call_uuid", "conference_uuid"), _UUID),
    **dict.fromkeys(("from_number", "to_number"), _PARTY),
    **dict.fromkeys(("initiation_time", "answer_time", "end_time"), _TIME),
    **dict.fromkeys(("call_duration", "bill_duration", "billed_duration"), _WHOLE),
    **dict.fromkeys(("total_amount", "total_rate"), _DECIMAL),
    **dict.fromkeys(("call_state", "stir_attestation", "voice_network_group", "source_ip"), _TEXT),
    "call_direction": _DIRECTION,
    "hangup_cause_code": _CODE,
    "hangup_cause_name": _CAUSE,
    "hangup_source": _SOURCE,
    "stir_verification": _VERIFICATION,
}

PARAMETERS: dict[Kind, dict[str, Form]] = {
    Kind.ACTION: _STANDARD | _DIAL,
    Kind.CALLBACK: _STANDARD | _LEG,
    Kind.RECORDING: _STANDARD | _RECORDING,
    Kind.VOICEMAIL: _STANDARD | _RECORDING,
    Kind.CDR: _RECORD,
    **dict.fromkeys((Kind.ANSWER, Kind.RING, Kind.HANGUP, Kind.FALLBACK, Kind.CONFIRM, Kind.MUSIC), _STANDARD),
}
"""Each kind of receipt with the parameters that may come with it. A PHLO's author chooses names, so it is left out."""

ANYWHERE: dict[str, Form] = _RECORD | _RECORDING | _LEG | _DIAL | _STANDARD
"""Every parameter of the reference."""

CUSTOM_HEADERS = ("X-PH-", "SIP-H-")
"""How the names of headers begin that a caller or the API sets."""

FORMS = (_FLAG, _UUID, _WHOLE, _DECIMAL, _TIME, _URL, _form("SIP address", r"sip:\S+"))
"""The forms by which an unexpected value is described, the narrowest first."""
