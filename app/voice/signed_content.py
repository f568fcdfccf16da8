"""Whether the parameters that V3 covers can be read in one way only.

V3 joins names and values without their lengths, so the signed text of one request is also that of requests cut
elsewhere. Plivo's names are known and come in order; where a text could be cut in a second way that yields other
parameters of Plivo's, one of the rules below fails for the second way.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

Pairs = Sequence[tuple[str, str]]

_NAME = re.compile("[A-Za-z][A-Za-z0-9_-]{0,63}", re.ASCII)
# Plivo's names that are no words of a language: they stand in no caller's name and in no address.
_UNMISTAKABLE = (
    *("ALegRequestUUID", "ALegUUID", "AnswerTime", "BillDuration", "BillRate", "CallStatus", "CallUUID", "CallerName"),
    *("CarrierFailoverTriggered", "ComplianceApplicationId", "ComplianceStatus", "CountryCode", "DialALegUUID"),
    *("DialAction", "DialBLegBillDuration", "DialBLegBillRate", "DialBLegDuration", "DialBLegFrom"),
    *("DialBLegHangupCause", "DialBLegHangupCauseCode", "DialBLegHangupCauseName", "DialBLegHangupSource"),
    *("DialBLegPosition", "DialBLegStatus", "DialBLegTo", "DialBLegTotalCost", "DialBLegUUID", "DialDigitsMatch"),
    *("DialDigitsPressedBy", "DialHangupCause", "DialRingStatus", "DialStatus", "EndTime", "ForwardedFrom"),
    *("HangupCause", "HangupCauseCode", "HangupCauseName", "HangupSource", "ParentAuthID", "RecordFile", "RecordUrl"),
    *("RecordingDuration", "RecordingDurationMs", "RecordingEndMs", "RecordingID", "RecordingStartMs", "RequestUUID"),
    *("RouteType", "SIP-H-To", "STIRAttestation", "STIRVerification", "SessionStart", "StartTime", "TotalCost"),
)
_WORDS = ("Direction", "Duration", "Event", "From", "To")
_KNOWN = sorted((*_UNMISTAKABLE, *_WORDS))
_KNOWN_SET = frozenset(_KNOWN)
_CUSTOM_HEADER = "X-PH-"
_RECORD_API = re.compile("api_id|call_uuid|record(ing)?_[a-z_]+|response|machine", re.ASCII)
_ANY_UNMISTAKABLE = re.compile("|".join(_UNMISTAKABLE))
# Every request of Plivo's has a Direction: no unknown parameter can hold it.
_ANY_HIDDEN = re.compile("|".join((*_UNMISTAKABLE, "Direction")))
_ANY_WORD = re.compile("|".join(_WORDS))
_STARTS_KNOWN = re.compile("|".join(sorted(_KNOWN, reverse=True)))  # The longer of two names first.
# Names that go on where another ends.
_LONGER = {
    name: tuple(other.removeprefix(name) for other in _KNOWN if other.startswith(name) and other != name)
    for name in _KNOWN
}


def find_ambiguity(*, method: str, query: Pairs, form: Pairs) -> str | None:
    """Return what makes the decoded parameters of a V3 request ambiguous; None for what Plivo sends."""
    for name, _ in (*query, *form):
        if name not in _KNOWN_SET and not _NAME.fullmatch(name):
            return "a parameter has a name that Plivo does not use"
    if method != "POST":
        return _ambiguity_of_query(query)
    return _ambiguity_of_form(sorted(form)) or _ambiguity_of_query(query)


def _ambiguity_of_query(query: Pairs) -> str | None:
    """Return what is ambiguous in a query, which is signed as `name=value` joined by `&`."""
    for _, value in query:
        if "&" in value and any(f"&{name}=" in value for name in _KNOWN):
            return "a value holds another parameter"
    return None


def _ambiguity_of_form(form: Pairs) -> str | None:
    """Return what is ambiguous in a form, which is signed as names and values in one text, in the order of names."""
    if form and all(value.startswith("=") for _, value in form):
        return "it was signed as a query"
    following = [name for name, _ in form[1:]]
    for index, ((name, value), next_name) in enumerate(zip(form, [*following, None], strict=True)):
        if name == next_name:
            return "a parameter comes twice"
        # Every known name, and the rest of one that goes on where another ends, has letters of both cases.
        is_mixed = value != value.lower() and value != value.upper()
        if name in _KNOWN_SET:
            is_cut = is_mixed and value.startswith(_LONGER[name])
        elif name.startswith(_CUSTOM_HEADER):
            is_cut = False
        else:
            is_cut = _hides_known(name, value) or _cuts_known("".join(map("".join, form[:index])), name + value)
        if is_cut or (is_mixed and _holds_known(name, value, next_name)):
            return "its parameters can be read in more than one way"
    return None


def _hides_known(name: str, value: str) -> bool:
    """Return whether an unknown parameter holds the whole of a known name."""
    text = name + value
    if _STARTS_KNOWN.match(text) or _ANY_HIDDEN.search(text):
        return True
    return name[0].islower() and not _RECORD_API.fullmatch(name) and bool(_ANY_WORD.search(text))


def _cuts_known(before: str, after: str) -> bool:
    """Return whether a known name begins in one text and ends in the next."""
    return any(known in before[1 - len(known) :] + after[: len(known) - 1] for known in _KNOWN)


def _holds_known(name: str, value: str, next_name: str | None) -> bool:
    """Return whether a value holds a name that could stand between this name and the next, or one that is no word."""
    between = _KNOWN[bisect_right(_KNOWN, name) : len(_KNOWN) if next_name is None else bisect_left(_KNOWN, next_name)]
    return any(other in value for other in between) or bool(_ANY_UNMISTAKABLE.search(value))
