"""`flask plivo call`, `hangup`, `live` and `phlo run` over a real HTTP server."""

import json
from uuid import uuid4

import pytest

from tests.account.conftest import PUBLIC_URL, Cli
from tests.account.plivo_api import PlivoApi

CALL = ("call", "--to", "+1 415 555 0100", "--from", "+14155550199")


def test_a_call_has_all_our_urls_so_that_it_is_recorded_like_the_rest(plivo_api: PlivoApi, run: Cli) -> None:
    result = run(*CALL)

    assert result.exit_code == 0, result.output
    (placed,) = plivo_api.calls_placed
    assert (placed["from"], placed["to"]) == ("+14155550199", "+14155550100")
    assert placed["answer_url"].startswith(f"{PUBLIC_URL}/dialstatus/#ct=")
    assert placed["ring_url"].startswith(f"{PUBLIC_URL}/dialstatus/ring/#ct=")
    assert placed["hangup_url"].startswith(f"{PUBLIC_URL}/dialstatus/hangup/#ct=")
    assert placed["fallback_url"].startswith(f"{PUBLIC_URL}/dialstatus/fallback/#ct=")
    request_uuid = result.output.split()[3]
    assert result.output.splitlines()[0] == f"Call placed, request_uuid {request_uuid}"
    assert f"Its record: {PUBLIC_URL}/calls/{request_uuid} " in result.output


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--timeout", "0", "live"), "--timeout"),
        (("--timeout", "-1", "live"), "--timeout"),
        (("--api-url", "api.example.com", "live"), "--api-url"),
        (("--phlo-url", "ftp://phlo.example.com", "phlo", "run", "0b91"), "--phlo-url"),
        (("--ngrok-url", "http://", "live"), "--ngrok-url"),
        ((*CALL, "--ring-timeout", "0"), "--ring-timeout"),
        ((*CALL, "--time-limit", "86401"), "--time-limit"),
        (("setup", "--number", "+14155550199", "--watch", "--every", "0"), "--every"),
        ((*CALL, "--url", "https://calls.example.com/a b"), "https://calls.example.com/a b"),
        ((*CALL, "--url", "https://calls.example.com/dialstatus/"), "leave out /dialstatus"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_before_anything_is_asked(
    plivo_api: PlivoApi, run: Cli, words: tuple[str, ...], option: str
) -> None:
    result = run(*words)

    assert result.exit_code == 2
    assert option in result.output.splitlines()[-1]
    assert plivo_api.asked == []


@pytest.mark.parametrize("url", ["http://localhost:5000", "https://10.0.0.8"])
def test_a_call_whose_answer_url_plivo_cannot_reach_is_not_placed(plivo_api: PlivoApi, run: Cli, url: str) -> None:
    result = run(*CALL, "--url", url)

    assert result.exit_code == 2
    assert f"Plivo cannot reach {url}" in result.output
    assert plivo_api.asked == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_one_command_places_one_call_also_when_plivo_did_it_and_said_otherwise(
    plivo_api: PlivoApi, run: Cli, status: int
) -> None:
    plivo_api.trouble(status, times=9, method="POST", done_first=True, headers={"Retry-After": "0"})

    result = run(*CALL)

    assert result.exit_code in (6, 7)
    assert len(plivo_api.calls_placed) == 1
    assert "look first whether the call was placed: `flask plivo live`" in result.output
    assert "run the command again" not in result.output


def test_a_call_whose_answer_is_lost_is_not_placed_again_and_says_so(plivo_api: PlivoApi, run: Cli) -> None:
    plivo_api.trouble(times=9, method="POST", done_first=True)

    result = run(*CALL)

    assert result.exit_code == 8
    assert len(plivo_api.calls_placed) == 1
    assert "look first whether the call was placed" in result.output


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_a_call_whose_reply_cannot_be_read_may_have_been_placed(plivo_api: PlivoApi, run: Cli, body: bytes) -> None:
    plivo_api.trouble(201, method="POST", body=body, done_first=True)

    result = run(*CALL)

    assert result.exit_code == 1
    assert "look first whether the call was placed" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "555", "--from", "+14155550199"), "--to is '555'"),
        (("--to", "+14155550100", "--from", "bob"), "--from is 'bob'"),
        (("--to", "+14155550100", "--from", "+1 (415) 555-0100"), "are the same number"),
        (("--to", "+14155550100,+14155550101", "--from", "+14155550199"), "--to is"),
    ],
)
def test_a_call_to_nobody_is_refused(plivo_api: PlivoApi, run: Cli, words: tuple[str, ...], said: str) -> None:
    result = run("call", *words)

    assert result.exit_code == 2
    assert said in result.output
    assert plivo_api.asked == []


def test_a_refused_caller_id_is_plivos_own_sentence(plivo_api: PlivoApi, run: Cli) -> None:
    body = json.dumps({"error": "from parameter is invalid"}).encode()
    plivo_api.trouble(400, method="POST", body=body)

    result = run(*CALL)

    assert result.exit_code == 9
    assert "from parameter is invalid" in result.output


def test_hangup_ends_the_call_it_names_and_no_other(plivo_api: PlivoApi, run: Cli) -> None:
    first, second = str(uuid4()), str(uuid4())
    plivo_api.add_live_call(first)
    plivo_api.add_live_call(second)

    result = run("hangup", first.upper())

    assert result.exit_code == 0, result.output
    assert list(plivo_api.live) == [second]


@pytest.mark.parametrize("words", [(), ("",), (" ",), ("all",), ("..",), ("1/2",)])
def test_hangup_without_a_uuid_is_refused_because_it_would_end_every_call(
    plivo_api: PlivoApi, run: Cli, words: tuple[str, ...]
) -> None:
    plivo_api.add_live_call(str(uuid4()))

    result = run("hangup", *words)

    assert result.exit_code == 2
    assert "flask plivo live" in result.output
    assert plivo_api.asked == []


def test_hangup_of_a_call_that_is_over_is_a_sentence(run: Cli) -> None:
    result = run("hangup", str(uuid4()))

    assert result.exit_code == 4
    assert "is in progress" in result.output


def test_live_lists_every_call_over_several_pages(plivo_api: PlivoApi, run: Cli) -> None:
    uuids = [str(uuid4()) for _ in range(45)]
    for uuid in uuids:
        plivo_api.add_live_call(uuid)

    result = run("live")

    assert [line.split()[0] for line in result.output.splitlines()] == uuids
    assert "in-progress  inbound  14155550100 → 14155550199" in result.output


def test_a_call_that_ends_while_live_looks_is_left_out(plivo_api: PlivoApi, run: Cli) -> None:
    ended, going = str(uuid4()), str(uuid4())
    plivo_api.add_live_call(ended)
    plivo_api.add_live_call(going)
    plivo_api.trouble(404, path=ended)

    result = run("live")

    assert result.exit_code == 0
    assert ended not in result.output
    assert going in result.output


def test_live_without_calls_says_so(run: Cli) -> None:
    assert run("live").output == "No call is in progress.\n"


def test_phlo_run_posts_the_fields_once(plivo_api: PlivoApi, run: Cli) -> None:
    result = run("phlo", "run", "0b91-77", "to=+14155550100", "note=a=b")

    assert result.exit_code == 0, result.output
    assert plivo_api.phlo_runs == [("0b91-77", {"to": "+14155550100", "note": "a=b"})]
    assert json.loads(result.output)["phlo_id"] == "0b91-77"


def test_phlo_run_is_not_repeated_after_a_fault(plivo_api: PlivoApi, run: Cli) -> None:
    plivo_api.trouble(502, times=9, done_first=True)

    result = run("phlo", "run", "0b91-77")

    assert result.exit_code == 7
    assert "look first whether the PHLO ran" in result.output
    assert len(plivo_api.phlo_runs) == 1


@pytest.mark.parametrize("words", [("x/../y",), ("0b91", "to"), ("0b91", "=1"), ("0b91", "a=1", "a=2")])
def test_phlo_run_refuses_what_is_no_id_or_field(plivo_api: PlivoApi, run: Cli, words: tuple[str, ...]) -> None:
    assert run("phlo", "run", *words).exit_code == 2
    assert plivo_api.asked == []


def test_a_missing_token_is_a_sentence(run: Cli, environ: dict[str, str]) -> None:
    del environ["PLIVO_AUTH_TOKEN"]

    result = run("live")

    assert result.exit_code == 2
    assert "PLIVO_AUTH_TOKEN is not set" in result.output


def test_a_refused_token_is_not_shown_as_it_went_over_the_wire(plivo_api: PlivoApi, run: Cli) -> None:
    plivo_api.tokens = ["another token"]  # The account's answer repeats what it was sent; `run` looks for it.

    result = run("live")

    assert result.exit_code == 3
    assert "authentication failed for Basic …" in result.output


def test_a_silent_plivo_ends_with_a_sentence(plivo_api: PlivoApi, run: Cli) -> None:
    plivo_api.trouble(times=9, before=lambda: None, method="DELETE")

    result = run("hangup", str(uuid4()), timeout="1")

    assert result.exit_code == 8
    assert "look first whether the call has ended" in result.output
