"""The signed text of one request cannot be read as another request that says something else."""

import random

import pytest

from app.voice.signed_content import Pairs, find_ambiguity

A_LEG, B_LEG = "38cb006a-1111-4222-8333-444444444444", "9a5c1f00-2222-4333-8444-555555555555"
STANDARD = {"CallStatus": "in-progress", "CallUUID": A_LEG, "CallerName": "", "Direction": "inbound"} | {
    "From": "14155550100",
    "To": "14155550199",
}
MODERN = {
    "ALegRequestUUID": A_LEG,
    "ALegUUID": A_LEG,
    "BillRate": "0.005",
    "CountryCode": "IN",
    "ParentAuthID": "MAXXXXXXXXXXXXXXXXXX",
    "RouteType": "",
    "STIRAttestation": "Not Applicable",
    "STIRVerification": "Not Applicable",
    "SessionStart": "2024-10-25 14:13:37.779297",
}
REQUESTS = {
    "answer": STANDARD | MODERN | {"Event": "StartApp", "CallStatus": "ringing"},
    "answer of 2012": STANDARD | {"Event": "StartApp", "BillRate": "0.00500"},
    "action": STANDARD
    | {"DialALegUUID": A_LEG, "DialBLegUUID": "", "DialHangupCause": "NO_ANSWER", "DialRingStatus": "true"}
    | {"DialStatus": "no-answer"},
    "callback": STANDARD
    | {"DialALegUUID": A_LEG, "DialBLegUUID": B_LEG, "DialAction": "hangup", "Event": "DialHangup"}
    | {"DialBLegHangupCauseCode": "4000", "DialBLegHangupCauseName": "Normal Hangup", "DialBLegDuration": "11"}
    | {"DialBLegTo": "sip:alice@phone.plivo.com", "DialBLegTotalCost": "0.01", "DialBLegStatus": "hangup"},
    "hangup": STANDARD
    | MODERN
    | {"AnswerTime": "", "Duration": "0", "EndTime": "2024-10-22 16:41:21", "Event": "Hangup", "TotalCost": "0.0"}
    | {
        "HangupCause": "USER_BUSY",
        "HangupCauseCode": "3010",
        "HangupCauseName": "Busy Line",
        "HangupSource": "Carrier",
    },
}
# The values that decide what is recorded and what the caller gets.
DECISIVE = (
    *("CallUUID", "CallStatus", "DialALegUUID", "DialBLegUUID", "DialStatus", "DialRingStatus", "DialHangupCause"),
    *("DialAction", "DialBLegHangupCauseCode", "DialBLegDuration", "Duration", "HangupCauseCode"),
)


def check(form: Pairs, *, method: str = "POST", query: Pairs = ()) -> str | None:
    return find_ambiguity(method=method, query=query, form=form)


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize(
    "caller_name",
    ["", "Tobias", "New Direction Ltd.", "From Digits To Event", "Machine & Sons = 1", "名前", "=1+1", "Country Codes"],
)
def test_what_plivo_sends_is_read_in_one_way(request_name: str, caller_name: str) -> None:
    form = list((REQUESTS[request_name] | {"CallerName": caller_name}).items())

    assert check(form) is None
    assert check([], method="GET", query=form) is None


@pytest.mark.parametrize(
    "more",
    [
        {"X-PH-Target": "Direction From To"},
        {"SIP-H-To": "<sip:Tom@52.9.11.55;transport=udp>;tag=1"},
        {"ComplianceApplicationId": "A1", "ComplianceStatus": "accepted"},
        {"SomethingNew": "Toronto"},
        {"From": "sip:MachineRoom@phone.plivo.com"},
        {"ForwardedFrom": "14155550177"},
        {"RecordUrl": "https://media.plivo.com/v1/Account/MAXX/Recording/a.mp3", "RecordingID": "a"},
    ],
)
def test_custom_and_unknown_parameters_are_accepted(more: dict[str, str]) -> None:
    assert check(list((REQUESTS["answer"] | more).items())) is None


def test_the_record_api_reports_in_lower_case() -> None:
    form = {"api_id": "a", "call_uuid": A_LEG, "record_url": "https://a.io/To.mp3", "recording_id": "r"}

    assert check(list(form.items())) is None


@pytest.mark.parametrize("name", ["", "a.b", "1a", "a b", "A" * 65, "Ä", "=", "a\n"])
def test_a_name_in_a_form_that_plivo_does_not_use_is_a_fault(name: str) -> None:
    assert check([("CallUUID", "a"), (name, "1")]) is not None
    assert check([], method="GET", query=[("CallUUID", "a"), (name, "1")]) is not None


def test_a_repeated_parameter_is_a_fault() -> None:
    assert check([("CallUUID", "a"), ("CallUUID", "b")]) == "a parameter comes twice"


@pytest.mark.parametrize("request_name", REQUESTS)
def test_no_text_cut_elsewhere_changes_what_decides(request_name: str) -> None:
    """Cut the signed text at random, near Plivo's own borders above all; an accepted cut says the same."""
    genuine = sorted((REQUESTS[request_name] | {"CallerName": "Tobias"}).items())
    dice = random.Random(request_name)
    tried = 0
    for _ in range(4000):
        form = cut_elsewhere(genuine, dice)
        if form is None or not any(name in {"CallUUID", "DialALegUUID"} and value for name, value in form):
            continue
        tried += 1
        if check(form) is None:
            found, expected = dict(form), dict(genuine)
            assert [found.get(name) for name in DECISIVE] == [expected.get(name) for name in DECISIVE], form
    assert tried > 20


def cut_elsewhere(genuine: Pairs, dice: random.Random) -> list[tuple[str, str]] | None:
    """Return the same text with other names and values; None where that is no form in sorted order."""
    text = "".join(name + value for name, value in genuine)
    cuts, at = [], 0
    for name, value in genuine:
        cuts.append((at, at + len(name)))
        at += len(name) + len(value)
    for _ in range(dice.randint(1, 3)):
        index = dice.randrange(len(cuts))
        begin, end = cuts[index]
        match dice.randrange(5):
            case 0:
                cuts[index] = (begin, end + dice.randint(-4, 8))
            case 1:
                cuts[index] = (begin + dice.randint(-5, 6), end)
            case 2:
                begin = dice.randrange(len(text))
                cuts.append((begin, begin + dice.randint(1, 20)))
            case 3:
                cuts = cuts[: index + 1]
            case _ if len(cuts) > 1:
                cuts.pop(index)
    cuts.sort()
    ends = [begin for begin, _ in cuts[1:]] + [len(text)]
    if cuts[0][0] != 0 or any(not begin < end <= stop for (begin, end), stop in zip(cuts, ends, strict=True)):
        return None
    form = [(text[begin:end], text[end:stop]) for (begin, end), stop in zip(cuts, ends, strict=True)]
    return None if form == genuine or form != sorted(form) else form


def test_a_query_value_cannot_hold_another_parameter() -> None:
    assert check([], method="GET", query=[("CallStatus", "busy&CallUUID=b"), ("To", "1")]) is not None
    assert check([("CallUUID", "a")], query=[("tenant", "1&CallUUID=b")]) is not None


def test_a_post_made_of_a_signed_query_is_a_fault() -> None:
    """`?A=1&B=2` of a GET is also the text of a POST with the fields A=`=1&` and B=`=2`."""
    query = sorted(REQUESTS["action"].items())
    form = [(name, f"={value}&") for name, value in query[:-1]] + [(query[-1][0], f"={query[-1][1]}")]

    assert check(form) is not None
