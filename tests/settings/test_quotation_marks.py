"""Quotation marks that were copied along with a value are removed, or refused with a sentence."""

import base64
from pathlib import Path

import pytest

from tests.settings import load, problems

EVENTS_SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


# How quotation marks reach a setting: `docker run --env-file` keeps them, and lines are copied from pages and chats.
QUOTED = ['"{}"', "'{}'", "`{}`", "'\"{}\"'", ' " {} " ']


@pytest.mark.parametrize("form", QUOTED)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PLIVO_AUTH_ID", "MA0123456789"),
        ("PLIVO_AUTH_TOKEN", "first,second"),
        ("REPORTS_TOKEN", "a-long-token-for-reports"),
        ("SECRET_KEY", "a-long-key-for-sessions"),
        ("PHLO_TOKEN", "a-long-token-for-phlo"),
        ("EVENTS_SECRET", EVENTS_SECRET),
        ("EVENTS_URL", "https://crm.example.com/hooks"),
        ("DATABASE_URL", "postgresql://u:p@h/db"),
        ("PUBLIC_URL", "https://calls.example.com"),
        ("DIAL_TO", "+14155550100,+14155550101"),
        ("PORT", "8080"),
        ("MASK_NUMBERS", "true"),
        ("LOG_FORMAT", "json"),
        ("TIMEZONE", "Europe/Paris"),
    ],
)
def test_quotation_marks_around_a_value_do_not_count(form: str, name: str, text: str, tmp_path: Path) -> None:
    others = {"REPORTS_TOKEN": "r" * 16, "SECRET_KEY": "s" * 16, "EVENTS_SECRET": EVENTS_SECRET}

    quoted = load(tmp_path, **others | {name: form.format(text)})

    assert quoted == load(tmp_path, **others | {name: text})


def test_quotation_marks_around_each_of_several_values_do_not_count(tmp_path: Path) -> None:
    config = load(tmp_path, PLIVO_AUTH_TOKEN="\"first\", 'second'", DIAL_TO='"+14155550100","+14155550101"')

    assert config.plivo_auth_tokens == ("first", "second")
    assert config.dial_to == ("+14155550100", "+14155550101")


@pytest.mark.parametrize("form", ['"{}', "{}'", "“{}”", "‘{}’", "„{}“", "`{}", "«{}»", "\"{}'"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PLIVO_AUTH_ID", "MA0123456789"),
        ("PLIVO_AUTH_TOKEN", "hush"),
        ("PLIVO_AUTH_TOKEN", "hush,hush-hush"),
        ("REPORTS_TOKEN", "hush-hush-hush-hush"),
        ("SECRET_KEY", "hush-hush-hush-hush"),
        ("PHLO_TOKEN", "hush-hush-hush-hush"),
        ("EVENTS_URL", "https://hush.example/"),
        ("DATABASE_URL", "postgresql://u:hush@h/db"),
        ("DIAL_TO", "+14155550100"),
        ("PORT", "5000"),
    ],
)
def test_a_quotation_mark_without_its_pair_is_refused(form: str, name: str, text: str, tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, **{name: form.format(text)})

    assert problem.startswith(name)
    assert problem.endswith("; write it without quotation marks")
    assert "hush" not in problem


def test_empty_quotation_marks_count_as_unset(tmp_path: Path) -> None:
    assert load(tmp_path, PUBLIC_URL='""', PLIVO_AUTH_TOKEN="''") == load(tmp_path)
