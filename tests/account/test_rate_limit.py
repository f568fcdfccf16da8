"""How fast Plivo is asked, and how a refusal is waited out."""

from datetime import UTC, datetime

import pytest

from app.account.client import LONGEST_WAIT, RateLimit, parse_retry_after

NOW = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)


def test_three_hundred_requests_go_at_once() -> None:
    rate_limit = RateLimit(300, 5.0)

    waits = [rate_limit.reserve(100.0) for _ in range(300)]

    assert waits == [0.0] * 300


def test_the_next_request_waits_until_the_first_is_five_seconds_old() -> None:
    rate_limit = RateLimit(300, 5.0)
    for _ in range(300):
        rate_limit.reserve(100.0)

    assert rate_limit.reserve(101.0) == 4.0


def test_no_five_seconds_ever_hold_more_than_three_hundred_requests() -> None:
    rate_limit = RateLimit(300, 5.0)
    now, sent = 0.0, []

    for step in range(2000):
        now += (step % 7) / 1000
        now += rate_limit.reserve(now)
        sent.append(now)

    assert all(later - first >= 5.0 for first, later in zip(sent, sent[300:], strict=False))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("Mon, 05 Jan 2026 12:00:07 GMT", 7.0),
        ("Mon, 05 Jan 2026 11:00:00 GMT", 0.0),
        ("86400", LONGEST_WAIT),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds
