"""What Plivo sends, compared with the reference: news is counted, nothing that identifies anybody is kept."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.voice.drift import Category, Deviation, Drift
from app.voice.events import Kind
from app.voice.expected import ANYWHERE, PARAMETERS

UUID = "a6d5c9a2-1c52-4b3a-9e0f-0123456789ab"
STANDARD = {
    "CallUUID": UUID,
    "From": "14155550100",
    "To": "+14155550199",
    "Direction": "inbound",
    "CallStatus": "ringing",
    "Event": "StartApp",
    "SessionStart": "2026-01-05 08:35:10.910772",
    "BillRate": "0.005",
    "CallerName": "Alice Example",
    "X-PH-Customer": "Alice",
}
ACTION = STANDARD | {
    "DialStatus": "no-answer",
    "DialRingStatus": "true",
    "DialHangupCause": "NO_ANSWER",
    "DialALegUUID": UUID,
    "DialBLegUUID": "",
}


def drift_of(kind: Kind, **params: str) -> Drift:
    drift = Drift()
    drift.add_call([(kind, (ACTION if kind is Kind.ACTION else STANDARD) | params)])
    return drift


def text_of(drift: Drift) -> str:
    """Return everything that a report can show."""
    return json.dumps([*drift.deviations, *drift.orders, *drift.kinds], ensure_ascii=False)


@pytest.mark.parametrize("kind", [Kind.ANSWER, Kind.ACTION])
def test_what_the_reference_describes_is_no_drift(kind: Kind) -> None:
    assert not drift_of(kind).deviations


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [
        (Kind.ANSWER, {"NewThing": "7"}, (Category.UNKNOWN_NAME, "answer", "NewThing", "whole number")),
        (Kind.ANSWER, {"NewThing": ""}, (Category.UNKNOWN_NAME, "answer", "NewThing", "empty")),
        (Kind.ANSWER, {"NewThing": UUID}, (Category.UNKNOWN_NAME, "answer", "NewThing", "UUID")),
        (Kind.ANSWER, {"Thing2024": "a b"}, (Category.UNKNOWN_NAME, "answer", "(a name of another form)", "text")),
        (Kind.ACTION, {"DialBLegDuration": "9"}, (Category.OTHER_URL, "action", "DialBLegDuration", "whole number")),
        (Kind.ACTION, {"DialStatus": "declined"}, (Category.NO_TEXT, "action", "DialStatus", "declined")),
        (Kind.ACTION, {"DialStatus": "Completed"}, (Category.NO_TEXT, "action", "DialStatus", "Completed")),
        (Kind.ACTION, {"DialHangupCause": "NEW_CAUSE"}, (Category.NO_TEXT, "action", "DialHangupCause", "NEW_CAUSE")),
        (Kind.ACTION, {"DialRingStatus": "1"}, (Category.NO_TEXT, "action", "DialRingStatus", "whole number")),
        (Kind.HANGUP, {"HangupCauseCode": "3060"}, (Category.NO_TEXT, "hangup", "HangupCauseCode", "3060")),
        (
            Kind.HANGUP,
            {"HangupCauseName": "Robot Detected"},
            (Category.NO_TEXT, "hangup", "HangupCauseName", "Robot Detected"),
        ),
        (Kind.HANGUP, {"HangupSource": "Customer"}, (Category.NO_TEXT, "hangup", "HangupSource", "Customer")),
        (
            Kind.HANGUP,
            {"Duration": "12.5"},
            (Category.OTHER_FORM, "hangup", "Duration", "decimal number, not a whole number"),
        ),
        (
            Kind.HANGUP,
            {"EndTime": "05/01/2026 10:00"},
            (Category.OTHER_FORM, "hangup", "EndTime", "text, not a time"),
        ),
        (
            Kind.ANSWER,
            {"CallUUID": "https://example.com/7"},
            (Category.OTHER_FORM, "answer", "CallUUID", "URL, not a UUID"),
        ),
    ],
)
def test_what_is_new_is_counted(kind: Kind, params: dict[str, str], expected: tuple[Category, str, str, str]) -> None:
    assert drift_of(kind, **params).deviations == {Deviation(*expected): 1}


@pytest.mark.parametrize("name", ["DialStatus", "CallStatus", "DialHangupCause", "HangupCauseCode", "Duration", "New"])
@pytest.mark.parametrize(
    "value",
    [
        "+14155550161",
        "14155550161",
        UUID,
        "MAXXXXXXXXXXXXXXXXXX",
        "SAXXXXXXXXXXXXXXX123",
        "https://calls.example.com/voice?token=hush",
        "sip:alice@phone.plivo.com",
        "alice@example.com",
        "Alice O'Example",
        "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==",
        "10.1.2.3",
    ],
)
def test_no_value_that_identifies_anybody_is_kept(name: str, value: str) -> None:
    drift = drift_of(Kind.HANGUP, **{name: value})

    assert drift.deviations
    assert value not in text_of(drift)


@given(
    st.sampled_from(list(PARAMETERS)),
    st.dictionaries(
        st.text(max_size=30) | st.sampled_from(list(ANYWHERE)),
        st.text(max_size=60) | st.from_regex(r"[+]?[0-9]{6,20}|[0-9a-f]{8}-[0-9a-f]{4}", fullmatch=True),
        max_size=8,
    ),
)
def test_of_any_parameters_no_long_number_and_no_long_text_is_kept(kind: Kind, params: dict[str, str]) -> None:
    drift = Drift()

    drift.add_call([(kind, params)])

    assert not re.search(r"\d{6}", text_of(drift))
    assert all(len(one.value) <= 64 and len(one.parameter) <= 40 for one in drift.deviations)
    assert all(one.value.isascii() and one.parameter.isascii() for one in drift.deviations)


def test_the_order_of_each_call_is_counted_without_repeats() -> None:
    drift = Drift()
    for _ in range(2):
        drift.add_call(
            [
                (Kind.ANSWER, STANDARD),
                (Kind.CALLBACK, STANDARD | {"DialAction": "answer"}),
                (Kind.CALLBACK, STANDARD | {"DialAction": "answer"}),
                (Kind.CALLBACK, STANDARD | {"DialBLegStatus": "hangup"}),
                (Kind.ACTION, ACTION),
                (Kind.CDR, {}),
            ]
        )

    assert drift.orders == {("answer", "callback (answer)", "callback (hangup)", "action"): 2}
    assert drift.calls == 2
    assert drift.kinds == {"answer": 2, "callback": 6, "action": 2, "cdr": 2}


def test_memory_stays_bounded_whatever_is_received() -> None:
    drift = Drift()
    letters = "abcdefghijklmnopqrstuvwxyz"
    for first in letters:
        for second in letters:
            for third in letters[:3]:
                drift.add_call([(Kind.ANSWER, {f"new{first}{second}{third}": "x"})])
    drift.add_call([(kind, {}) for _ in range(100) for kind in (Kind.ANSWER, Kind.ACTION)])

    assert len(drift.deviations) <= 504
    assert sum(drift.deviations.values()) == 26 * 26 * 3
    assert max(map(len, drift.orders)) == 17


def test_what_a_phlo_sends_is_its_authors_choice() -> None:
    drift = Drift()

    drift.add_call([(Kind.PHLO, {"customer": "Alice", "DialStatus": "whatever"})])

    assert not drift.deviations


def test_every_kind_of_webhook_has_its_parameters() -> None:
    assert set(Kind) - set(PARAMETERS) == {Kind.PHLO}
    assert all(set(names) <= set(ANYWHERE) for names in PARAMETERS.values())
