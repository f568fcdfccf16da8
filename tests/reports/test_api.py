"""The API: what it returns, what it refuses, and what it says about a bad request."""

import json

import pytest

from app.cli.group import add_commands
from app.records.model.ids import now
from app.voice.events import Kind
from tests.reports.conftest import REPORTS_TOKEN, Caller
from tests.reports.history import TARGETS, make_receipt, make_rounds

DIAL_FIELDS = (
    "dial_id call_uuid step round route a_leg_uuid b_leg_uuid from to targets dial_status dial_ring_status "
    "dial_hangup_cause outcome explanation answered_by hangup_code hangup_name hangup_source started_at "
    "answered_at ended_at ring_seconds talk_seconds signature deliveries"
)


def test_an_ended_dial_is_shown_with_plivos_words_and_ours(caller: Caller) -> None:
    call_uuid, dial_id = caller.ended_call("busy", DialRingStatus="true", DialHangupCause="USER_BUSY")

    dial = caller.read(f"dials/{dial_id}")

    assert set(dial) == set(DIAL_FIELDS.split())
    assert dial["call_uuid"] == dial["a_leg_uuid"] == call_uuid
    assert (dial["dial_status"], dial["dial_ring_status"], dial["dial_hangup_cause"]) == ("busy", True, "USER_BUSY")
    assert dial["outcome"] == "busy"
    assert dial["explanation"].startswith("The line that was rung was busy.")
    assert (dial["from"], dial["to"], dial["targets"]) == ("+14155550199", "+14155550100", ["+14155550123"])
    assert dial["started_at"].endswith("Z")
    assert dial["answered_at"] is None
    assert (dial["signature"], dial["deliveries"]) == ("unchecked", 1)


def test_a_dial_in_progress_has_no_report_yet(caller: Caller) -> None:
    _, dial_id = caller.call()

    dial = caller.read(f"dials/{dial_id}")

    assert (dial["outcome"], dial["signature"], dial["deliveries"]) == ("in_progress", None, 0)


def test_a_call_is_shown_with_every_receipt_as_received(caller: Caller) -> None:
    call_uuid, dial_id = caller.ended_call("no-answer", Odd="x\ty")
    caller.end(call_uuid, dial_id, "no-answer", Odd="x\ty")

    whole = caller.read(f"calls/{call_uuid}")

    assert whole["call"]["call_uuid"] == call_uuid
    assert whole["call"]["call_status"] == "ringing"
    assert [dial["dial_id"] for dial in whole["dials"]] == [dial_id]
    answer, action = whole["receipts"]
    assert (answer["kind"], action["kind"]) == ("answer", "action")
    assert (action["method"], action["path"], action["deliveries"]) == ("POST", "/dialstatus/action/", 2)
    assert action["params"]["Odd"] == "x\ty"
    assert action["query"] == f"dial={dial_id}"
    assert "<Dial" in answer["reply"]


def test_the_legs_of_a_dial_are_shown(caller: Caller) -> None:
    call_uuid, dial_id = caller.call()
    caller.post(
        f"/dialstatus/callback/?dial={dial_id}",
        CallUUID=call_uuid,
        DialAction="answer",
        DialBLegUUID="b-leg",
        DialBLegTo="14155550123",
        DialBLegPosition="1",
    )

    whole = caller.read(f"calls/{call_uuid}")

    assert [(leg["b_leg_uuid"], leg["dial_id"], leg["target"]) for leg in whole["legs"]] == [
        ("b-leg", dial_id, "+14155550123")
    ]


def test_text_that_no_encoding_can_write_does_not_hide_the_call(caller: Caller) -> None:
    call_uuid, _ = caller.ended_call("no-answer")
    caller.client.post(
        f"/dialstatus/hangup/?CallUUID={call_uuid}&Odd=%ed%a0%80%00",
        data=b"CallUUID=" + call_uuid.encode() + b"&CallStatus=completed&Odd=%ed%a0%80%00%ff&Event=Hangup",
        content_type="application/x-www-form-urlencoded",
    )

    whole = caller.read(f"calls/{call_uuid}")

    assert len(whole["receipts"]) == 3


def test_dials_come_newest_first_and_page_by_cursor_while_new_ones_arrive(caller: Caller) -> None:
    ids = [caller.ended_call()[1] for _ in range(5)]

    first = caller.read("dials", limit=2)
    caller.ended_call()
    second = caller.read("dials", limit=2, cursor=first["next_cursor"])
    third = caller.read("dials", limit=2, cursor=second["next_cursor"])

    shown = [dial["dial_id"] for page in (first, second, third) for dial in page["dials"]]
    assert sorted(shown) == sorted(ids)
    assert [dial["started_at"] for dial in first["dials"]] == sorted(
        (dial["started_at"] for dial in first["dials"]), reverse=True
    )
    assert third["next_cursor"] is None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("outcome", "busy", [1]),
        ("status", "busy", [1]),
        ("cause", "USER_BUSY", [1]),
        ("from", "+1 (415) 555-0142", [1]),
        ("from", " 14155550142", [1]),
        ("to", "14155550100", [0, 1]),
        ("to", "14155550111", []),
        ("target", "+14155550123", [0, 1]),
        ("target", "+14155550124", []),
        ("route", "default", None),
        ("q", "0142", [1]),
        ("q", "4155550142", [1]),
        ("q", "+14155550142", [1]),
        ("q", "555-0142", [1]),
        ("q", "0123", [0, 1]),
        ("q", "9999", []),
        ("q", "00000000-0000-4000-8000-000000000002", [1]),
        ("q", "nobody", []),
        ("q", "42", []),
        ("since", "2020-01-01T00:00:00Z", [0, 1]),
        ("since", "2020-01-01T00:00:00 01:00", [0, 1]),
        ("until", "2020-01-01T00:00:00Z", []),
    ],
)
def test_a_filter_finds_what_it_names(caller: Caller, name: str, value: str, expected: list[int] | None) -> None:
    ids = [
        caller.ended_call("no-answer", caller="+14155550141")[1],
        caller.ended_call("busy", caller="+14155550142", DialHangupCause="USER_BUSY")[1],
    ]

    found = caller.read("dials", **{f"{name}_": value})

    if expected is not None:
        assert {dial["dial_id"] for dial in found["dials"]} == {ids[index] for index in expected}


def test_several_filters_find_dials_that_match_all(caller: Caller) -> None:
    caller.ended_call("busy", caller="+14155550141")
    match = caller.ended_call("busy", caller="+14155550142")[1]
    caller.ended_call("no-answer", caller="+14155550142")

    found = caller.read("dials", outcome="busy", q="0142", to="+14155550100", target="+14155550123")

    assert [dial["dial_id"] for dial in found["dials"]] == [match]


def test_a_dial_is_found_by_its_own_id(caller: Caller) -> None:
    _, dial_id = caller.ended_call()

    assert [dial["dial_id"] for dial in caller.read("dials", q=dial_id)["dials"]] == [dial_id]


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("dials", {"colour": "blue"}, "colour"),
        ("dials", {"limit": "0"}, "limit"),
        ("dials", {"limit": "many"}, "limit"),
        ("dials", {"limit": "501"}, "limit"),
        ("dials", {"cursor": "%%%"}, "cursor"),
        ("dials", {"cursor": "é"}, "cursor"),
        ("dials", {"since": "yesterday"}, "since"),
        ("dials", {"since": "1700000000"}, "since"),
        ("dials", {"since": "2026-01-01T00:00:00"}, "since"),
        ("dials", {"outcome": "splendid"}, "outcome"),
        ("dials", {"q": ""}, "q"),
        ("dials", {"from": "a\0b"}, "from"),
        ("dials", {"status": ["a", "b"]}, "status"),
        ("summary", {"group_by": "colour"}, "group_by"),
        ("summary", {"timezone": "Mars/Olympus"}, "timezone"),
        ("summary", {"limit": "3"}, "limit"),
        ("calls/x", {"colour": "blue"}, "colour"),
    ],
)
def test_a_bad_parameter_is_named_in_a_problem_document(
    lite_caller: Caller, path: str, query: dict[str, str], named: str
) -> None:
    response = lite_caller.ask(path, query)

    assert response.status_code == 400
    assert response.mimetype == "application/problem+json"
    assert response.json
    assert [error["parameter"] for error in response.json["errors"]] == [named]
    assert response.json["status"] == 400


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "enter 1 or more; got '0'"),
        ("limit=501", "enter 500 or less; got '501'"),
        ("limit=many", "enter a whole number; got 'many'"),
        ("since=noon", "enter 24h, 7d, a date such as 2026-03-01 or a time such as 2026-03-01T09:00:00Z; got 'noon'"),
        ("cursor=zz", "copy next_cursor from the previous page; got 'zz'"),
        ("q=", "enter a value, or leave the parameter out; got ''"),
        ("route=a%00b", "remove the null characters; got 'a\\x00b'"),
        (
            "outcome=late",
            "use 'answered', 'caller_gave_up', 'busy', 'rejected', 'missed', 'unreachable', 'failed', 'unknown' "
            "or 'in_progress'; got 'late'",
        ),
        ("colour=blue", "there is no such parameter"),
    ],
)
def test_a_bad_parameter_gets_advice(lite_caller: Caller, query: str, detail: str) -> None:
    response = lite_caller.ask(f"dials?{query}")

    assert response.json
    assert [error["detail"] for error in response.json["errors"]] == [detail]


@pytest.mark.parametrize("path", ["dials/nothing", "calls/nothing", "nothing"])
def test_an_unknown_resource_is_a_problem_document(lite_caller: Caller, path: str) -> None:
    response = lite_caller.ask(path)

    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize("path", ["dials", "dials/x", "calls/x", "summary"])
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "Bearer é", "Basic a-made-up-reports-token"])
def test_nothing_is_shown_without_the_token(lite_caller: Caller, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    response = lite_caller.client.get(f"/api/v1/{path}", headers=headers)

    assert response.status_code == 401
    assert response.mimetype == "application/problem+json"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_call_is_found_by_the_request_that_placed_it(caller: Caller) -> None:
    numbers = {"From": "+14155550199", "To": "+14155550100"}
    caller.post("/dialstatus/", CallUUID="placed", RequestUUID="requested", **numbers)
    caller.post("/dialstatus/", CallUUID="another", RequestUUID="placed", **numbers)
    caller.client.get(f"/login?token={REPORTS_TOKEN}")

    shown = add_commands(caller.app).test_cli_runner().invoke(args=["dials", "show", "requested"])

    assert caller.read("calls/requested")["call"]["call_uuid"] == "placed"
    assert "placed" in caller.client.get("/calls/requested").text
    assert json.loads(shown.output)["call"]["call_uuid"] == "placed"
    # A call's own UUID wins.
    assert caller.read("calls/placed")["call"]["call_uuid"] == "placed"


def test_a_store_that_is_away_is_a_503(lite_caller: Caller) -> None:
    lite_caller.services.store.engine.connect().exec_driver_sql("DROP TABLE receipts")

    response = lite_caller.ask("dials")

    assert response.status_code == 503
    assert response.headers["Retry-After"]


@pytest.mark.usefixtures("within_a_day")
def test_a_summary_counts_outcomes_and_statuses(caller: Caller) -> None:
    caller.ended_call("busy")
    caller.ended_call("busy")
    caller.ended_call("no-answer", DialRingStatus="true")
    caller.call()

    summary = caller.read("summary", unit="dials")

    assert summary["total"] == 4
    assert summary["outcomes"] == {"busy": 2, "missed": 1, "in_progress": 1}
    assert summary["statuses"] == {"busy": 2, "no-answer": 1}
    (day,) = summary["series"]
    assert day["total"] == 4


def test_a_summary_counts_calls_and_on_request_their_dials(lite_caller: Caller) -> None:
    begun = now() - 600_000
    moments = [begun, begun + 30_000, begun + 60_000]
    hangups = [
        make_receipt(Kind.HANGUP, begun + 200_000, {"CallUUID": f"call-{number}", "CallStatus": "completed"})
        for number in (1, 2)
    ]
    lite_caller.services.journal.append_all(
        [
            *make_rounds(1, moments, ["no-answer", "no-answer", "completed"]),
            *make_rounds(2, moments[:1], ["busy"]),
            *list(make_rounds(3, moments[:1], ["busy"]))[:1],  # It is in progress.
            *hangups,
        ]
    )

    of_calls = lite_caller.read("summary", group_by="target")
    of_dials = lite_caller.read("summary", group_by="outcome", unit="dials")

    assert (of_calls["unit"], of_calls["total"], of_calls["dials"], of_calls["answer_rate"]) == ("calls", 3, 5, 0.5)
    assert of_calls["outcomes"] == {"answered": 1, "busy": 1, "in_progress": 1}
    by_target = {part["group"]: (part["total"], part["answered"]) for part in of_calls["series"]}
    assert by_target == dict.fromkeys(TARGETS["sales"], (3, 0))
    assert (of_dials["unit"], of_dials["total"], of_dials["calls"], of_dials["answer_rate"]) == ("dials", 5, 3, 0.25)
    assert {part["group"]: part["total"] for part in of_dials["series"]} == of_dials["outcomes"]


def test_a_summary_of_dials_refuses_filters_of_calls(lite_caller: Caller) -> None:
    refused = lite_caller.ask("summary", {"unit": "dials", "has_message": "true"})

    assert refused.status_code == 400
    assert "leave out has_message: a filter of calls only" in refused.text


@pytest.mark.parametrize("of", ["calls", "dials"])
def test_a_list_says_on_request_how_many_match(caller: Caller, of: str) -> None:
    for _ in range(3):
        caller.ended_call("busy")

    assert caller.read(of, limit=2)["total"] is None
    assert caller.read(of, limit=2, total="true", to="+14155550100")["total"] == 3


@pytest.mark.parametrize(
    ("group_by", "groups"),
    [
        ("outcome", {"busy": 1, "missed": 1}),
        ("cause", {"USER_BUSY": 1, None: 1}),
        ("target", {"+14155550123": 2}),
    ],
)
def test_a_summary_has_groups(caller: Caller, group_by: str, groups: dict[str | None, int]) -> None:
    caller.ended_call("busy", DialHangupCause="USER_BUSY")
    caller.ended_call("no-answer", DialRingStatus="true")

    summary = caller.read("summary", group_by=group_by, unit="dials")

    assert {part["group"]: part["total"] for part in summary["series"]} == groups
