"""The SDK over our own sender, against a real server."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from app.account.access import check_credentials
from app.account.client import PlivoClient
from app.account.errors import (
    AccountError,
    ForbiddenError,
    NotFoundError,
    PlivoDownError,
    RateLimitedError,
    RefusedError,
    TokenError,
    UnreachableError,
)
from tests.account.plivo_api import PlivoApi
from tests.account.plivo_objects import AUTH_ID, AUTH_TOKEN

CALL = {"from_": "+14155550100", "to_": "+14155550199", "answer_url": "https://calls.example.com/dialstatus/"}


class Naps(list[float]):
    """Note how long was to be slept, and do not sleep."""

    __call__ = list.append


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def client(plivo_api: PlivoApi, naps: Naps) -> Iterator[PlivoClient]:
    with PlivoClient(AUTH_ID, [AUTH_TOKEN], api_url=plivo_api.url, timeout=30, sleep=naps) as client:
        yield client


def test_the_sdk_asks_the_address_it_was_given(plivo_api: PlivoApi, client: PlivoClient) -> None:
    plivo_api.add_application("123", "dialstatus")

    answer = client.applications.get("123")

    assert answer["app_name"] == "dialstatus"
    assert plivo_api.asked[0].path == f"/v1/Account/{AUTH_ID}/Application/123/"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_call_is_posted_once_whatever_plivo_answers(
    plivo_api: PlivoApi, client: PlivoClient, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    plivo_api.trouble(status, times=9, method="POST")

    with pytest.raises(AccountError):
        client.calls.create(**CALL)

    assert len(plivo_api.writes()) == 1
    assert capsys.readouterr().out == ""


def test_a_call_is_posted_once_when_the_connection_breaks_after_it(plivo_api: PlivoApi, client: PlivoClient) -> None:
    plivo_api.trouble(times=9, method="POST", done_first=True)

    with pytest.raises(UnreachableError, match="look first whether the call was placed"):
        client.calls.create(**CALL)

    assert len(plivo_api.calls_placed) == 1


def test_a_redirect_is_not_followed_with_a_call(plivo_api: PlivoApi, client: PlivoClient) -> None:
    plivo_api.trouble(307, method="POST", headers={"Location": f"{plivo_api.url}/elsewhere/"})

    with pytest.raises(AccountError, match="no reply of Plivo's API"):
        client.calls.create(**CALL)

    assert len(plivo_api.asked) == 1


def test_a_read_is_repeated_after_429_as_long_as_plivo_asks(
    plivo_api: PlivoApi, client: PlivoClient, naps: Naps
) -> None:
    plivo_api.trouble(429, times=2, headers={"Retry-After": "3"})

    client.account.get()

    assert naps == [3.0, 3.0]


def test_a_read_is_repeated_after_5xx_with_growing_waits_and_then_given_up(
    plivo_api: PlivoApi, client: PlivoClient, naps: Naps
) -> None:
    plivo_api.trouble(503, times=9)

    with pytest.raises(PlivoDownError, match="fault of its own"):
        client.account.get()

    assert len(plivo_api.asked) == 4
    assert naps == [0.5, 2.0, 5.0]


def test_a_read_survives_a_broken_connection(plivo_api: PlivoApi, client: PlivoClient) -> None:
    plivo_api.trouble(times=1)

    assert client.account.get()["auth_id"] == AUTH_ID


def test_a_silent_plivo_is_a_sentence(plivo_api: PlivoApi, naps: Naps) -> None:
    over = threading.Event()
    plivo_api.trouble(times=9, before=over.wait)
    client = PlivoClient(AUTH_ID, [AUTH_TOKEN], api_url=plivo_api.url, timeout=0.05, sleep=naps)

    with client, pytest.raises(UnreachableError, match=r"did not answer within 0\.05 seconds"):
        client.account.get()
    over.set()


def test_a_slow_page_is_waited_for(plivo_api: PlivoApi, client: PlivoClient) -> None:
    over = threading.Event()
    plivo_api.add_application("1", "dialstatus")
    plivo_api.trouble(200, before=lambda: over.wait(0.3), body=json.dumps({"objects": []}).encode())

    assert client.applications.list() == {"objects": []}


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (400, RefusedError, "refuses the request"),
        (401, TokenError, "does not accept PLIVO_AUTH_ID with PLIVO_AUTH_TOKEN"),
        (403, ForbiddenError, "does not allow"),
        (404, NotFoundError, "knows no such thing"),
        (422, RefusedError, "refuses the request"),
        (429, RateLimitedError, "slow down"),
        (500, PlivoDownError, "fault of its own"),
        (302, AccountError, "no reply of Plivo's API"),
    ],
)
def test_every_status_is_a_sentence_of_its_own_kind(
    plivo_api: PlivoApi, client: PlivoClient, status: int, kind: type[AccountError], said: str
) -> None:
    plivo_api.trouble(status, times=9)

    with pytest.raises(kind, match=said) as caught:
        client.account.get()

    assert type(caught.value) is kind
    assert "trouble" in caught.value.message


def test_a_token_that_plivo_repeats_is_not_repeated_by_us(plivo_api: PlivoApi, client: PlivoClient) -> None:
    plivo_api.trouble(400, body=json.dumps({"error": f"bad {AUTH_TOKEN}\n here"}).encode())

    with pytest.raises(AccountError) as caught:
        client.account.get()

    assert "bad … here" in caught.value.message
    assert AUTH_TOKEN not in caught.value.message


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'"ok"', b"null"])
def test_a_page_that_is_no_json_object_is_a_sentence(plivo_api: PlivoApi, client: PlivoClient, body: bytes) -> None:
    plivo_api.trouble(200, body=body)

    with pytest.raises(AccountError, match="not Plivo's API"):
        client.account.get()


def test_the_next_token_is_used_when_the_first_is_not_accepted(plivo_api: PlivoApi) -> None:
    with PlivoClient(AUTH_ID, ["not-yet-valid", AUTH_TOKEN], api_url=plivo_api.url) as client:
        client.calls.create(**CALL)
        client.calls.create(**CALL)

    assert len(plivo_api.calls_placed) == 2
    assert len(plivo_api.asked) == 3


@pytest.mark.parametrize(
    ("auth_id", "tokens", "said"),
    [
        (None, ["t"], "PLIVO_AUTH_ID is not set"),
        (AUTH_ID, [], "PLIVO_AUTH_TOKEN is not set"),
        ("12345", ["t"], "PLIVO_AUTH_ID has 5 characters"),
    ],
)
def test_credentials_that_cannot_be_right_are_refused(auth_id: str | None, tokens: list[str], said: str) -> None:
    with pytest.raises(AccountError, match=said):
        check_credentials(auth_id, tokens)


def test_no_error_text_holds_the_request(client: PlivoClient, plivo_api: PlivoApi) -> None:
    plivo_api.trouble(times=9)

    with pytest.raises(AccountError) as caught:
        client.account.get()

    chain: Any = caught.value
    assert chain.__suppress_context__
    assert AUTH_TOKEN not in str(chain)
