"""Every reason that Plivo documents has a meaning and advice in plain words."""

import re

import pytest

from app.voice.hangup_causes import CODES, NAMES, HangupCause, by_code, by_name, code_of

DOCUMENTED_CODES = {
    *(0, 1000, 1010, 1020, 2000, 2010, 2020, 2030, 2040, 2050, 2060, 2070),
    *(3000, 3010, 3020, 3030, 3040, 3050, 3070, 3080, 3090, 3100, 3110, 3120, 3130, 3140),
    *(4000, 4010, 4020, 4030, 4210, 4240, 4250, 5000, 5010, 5020, 5030, 6000, 6010, 6020),
    *(7011, 7012, 7013, 7014, 7022, 7023, 7024, 7032, 7033, 7034, 8011, 8012, 8013, 8014),
    *(9000, 9100, 9110),
}
SEEN_NAMES = {
    "NORMAL_CLEARING",
    "USER_BUSY",
    "NO_ANSWER",
    "CALL_REJECTED",
    "UNALLOCATED_NUMBER",
    "NETWORK_OUT_OF_ORDER",
    "ORIGINATOR_CANCEL",
    "SUBSCRIBER_ABSENT",
    "LOSE_RACE",
    "ALLOTTED_TIMEOUT",
    "NO_USER_RESPONSE",
    "OUTGOING_CALL_BARRED",
    "SERVICE_UNAVAILABLE",
    "SWITCH_CONGESTION",
    "sip_auth_failed",
    "sip_auth_timeout",
}
EVERY_CAUSE = [*CODES.values(), *NAMES.values()]
JARGON = re.compile(r"[A-Z]+_[A-Z]+|\bleg\b|\bCDR\b|\bDTMF\b|\bPSTN\b|\bINVITE\b|\boriginat|\bterminat", re.I)


def test_every_documented_code_and_word_is_in_the_table() -> None:
    assert set(CODES) == DOCUMENTED_CODES
    assert set(NAMES) >= SEEN_NAMES


@pytest.mark.parametrize("cause", EVERY_CAUSE, ids=lambda cause: cause.name)
def test_a_cause_is_explained_in_plain_sentences(cause: HangupCause) -> None:
    for sentence in (cause.meaning, cause.advice):
        assert re.fullmatch(r"[A-Z].{10,130}\.", sentence)
        assert not JARGON.search(sentence.replace("PUBLIC_URL", ""))


def test_no_two_codes_share_a_name() -> None:
    assert len({cause.name for cause in CODES.values()}) == len(CODES)


def test_a_word_with_a_code_of_the_same_meaning_carries_that_code() -> None:
    busy = by_name("USER_BUSY")

    assert busy is not None
    assert (busy.code, busy.name, busy.meaning) == (3010, "USER_BUSY", CODES[3010].meaning)


@pytest.mark.parametrize("name", ["Busy Line", "busy line", " user_busy "])
def test_a_name_is_found_however_it_is_written(name: str) -> None:
    found = by_name(name)

    assert found is not None
    assert found.code == 3010


@pytest.mark.parametrize(
    ("code", "name", "cause", "expected"),
    [
        (2020, "Normal Hangup", "NORMAL_CLEARING", 2020),
        (None, "Busy Line", "NORMAL_CLEARING", 3010),
        (None, None, "USER_BUSY", 3010),
        (None, None, "3010", 3010),
        (0, None, "CALL_REJECTED", 3020),
        (0, None, None, 0),
        (None, None, "ORIGINATOR_CANCEL", None),
        (None, "Invented", None, None),
    ],
)
def test_the_most_exact_field_of_a_hangup_is_its_code(
    code: int | None, name: str | None, cause: str | None, expected: int | None
) -> None:
    assert code_of(code, name, cause) == expected


@pytest.mark.parametrize("code", [4210, 4240, 4250])
def test_refused_sip_credentials_come_with_advice_about_credentials(code: int) -> None:
    assert "credentials" in CODES[code].advice


def test_what_nobody_documented_is_none() -> None:
    assert [by_code(None), by_code(3060), by_name(None), by_name(""), by_name("INVENTED")] == [None] * 5
