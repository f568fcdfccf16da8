"""Numbers have one form to keep and compare, and one masked form to log."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.voice.numbers import identities, last_digits, mask, normalise, parse_target

# What arrives as From or To: anything at all, and often something near to a number or an address.
ANYTHING = st.text() | st.from_regex(r"\A\s*\+?[0-9 ().\-/]{0,20}\s*\Z") | st.from_regex(r"(?i)sip:.*@.*")


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("919812345678", "+919812345678"),
        ("+919812345678", "+919812345678"),
        (" 14155550100", "+14155550100"),
        ("+1 (555) 123-4567", "+15551234567"),
        ("+1\u00a0415.555/0100", "+14155550100"),
        ("00919812345678", "+919812345678"),
        ("00 49 30 123456-7", "+49301234567"),
        ("000123456789", "000123456789"),
        ("0041", "0041"),
        ("SIP:Alice@Phone.Plivo.COM", "sip:Alice@phone.plivo.com"),
        ("sip:alice", "sip:alice"),
        ("anonymous", "anonymous"),
        ("56161", "56161"),
        ("07971234567", "07971234567"),
        ("(555) 123-4567", "(555) 123-4567"),
        ("1234567890123456", "1234567890123456"),
        ("٠١٢٣٤٥٦٧٨", "٠١٢٣٤٥٦٧٨"),
        ("+", "+"),
        ("", None),
        ("  ", None),
        (None, None),
    ],
)
def test_a_number_of_a_webhook_gets_one_form(raw: str | None, kept: str | None) -> None:
    assert normalise(raw) == kept


@given(ANYTHING)
def test_normalising_never_raises_and_twice_is_once(raw: str) -> None:
    once = normalise(raw)

    assert normalise(once) == once


@pytest.mark.parametrize(
    ("raw", "known"),
    [
        ("0014155550100", {"+14155550100"}),
        ("sip:Alice@PBX.example.com;transport=tcp", {"sip:Alice@pbx.example.com"}),
        (
            "sip:0014155550100;phone-context=x@a.example",
            {"sip:0014155550100;phone-context=x@a.example", "+14155550100"},
        ),
        ("sip:17@a.example", {"sip:17@a.example"}),
        ("anonymous", {"anonymous"}),
        ("", set()),
        (None, set()),
    ],
)
def test_a_party_is_known_by_its_number_and_by_its_address(raw: str | None, known: set[str]) -> None:
    assert identities(raw) == known


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("+1 (555) 123-4567", "+15551234567"),
        (" +14155550100 ", "+14155550100"),
        ("+49 (0)30 123456", "+4930123456"),
        ("sip:alice@phone.plivo.com", "sip:alice@phone.plivo.com"),
        ("SIP:Alice.MA123@Phone.Plivo.com:5060", "sip:Alice.MA123@phone.plivo.com:5060"),
        ("sip:alice@pbx.example.com;transport=tcp", "sip:alice@pbx.example.com;transport=tcp"),
        ("sip:alice@pbx.example.com:5060;transport=TCP;lr", "sip:alice@pbx.example.com:5060;transport=tcp;lr"),
    ],
)
def test_what_a_person_writes_becomes_a_target(written: str, target: str) -> None:
    assert parse_target(written) == target


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "+1999",
        "4155550100",
        "0797123456",
        "+1415555O100",
        "+14155550100x12",
        "alice",
        "sip:alice",
        "sip:a b@c.d",
    ],
)
def test_what_cannot_be_called_is_refused_with_what_to_write(written: str) -> None:
    with pytest.raises(ValueError, match=r"write a number with \+ and its country code"):
        parse_target(written)


@given(ANYTHING)
def test_a_target_is_already_in_the_form_that_is_kept(text: str) -> None:
    try:
        target = parse_target(text)
    except ValueError:
        return
    assert normalise(target) == target
    assert parse_target(target) == target


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+14155550100", "…0100"),
        ("…0100", "…0100"),
        ("sip:alice@10.20.30.40", "sip:…"),
        ("sip:+14155550100@phone.plivo.com", "sip:…0100"),
        ("anonymous", "anonymous"),
        ("+41:secret7", "…417"),
        ("+000:0", "…0000"),
        ("Jane Doe", "…"),
        ("", "…"),
        (None, None),
    ],
)
def test_a_masked_number_keeps_its_last_four_digits(number: str | None, masked: str | None) -> None:
    assert mask(number) == masked


@given(ANYTHING)
def test_a_masked_number_shows_no_more_than_four_digits(number: str) -> None:
    masked = mask(number) or ""

    assert sum(character.isdigit() for character in masked) <= 4
    assert mask(masked) == masked


def test_the_last_digits_of_a_number_are_four_at_most() -> None:
    assert last_digits("+1 (415) 555-0100") == "0100"
    assert last_digits("sip:alice@phone.plivo.com") == ""
    assert last_digits("911") == "911"
    assert last_digits(None) == ""


def test_long_texts_take_no_memory_once_they_are_read() -> None:
    tracemalloc.start()
    try:
        for number in range(500):
            normalise(f"sip:{number}{'a' * 60_000}")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 1_000_000
