"""Follow-ups in the API: listed with figures, changed with the token, and named in each call."""

import pytest

from app.records.model.ids import now
from tests.records.histories import HOUR, Story
from tests.reports.conftest import REPORTS_TOKEN, Caller

NUMBER, OTHER = "+14155550142", "+14155550143"


def keep(caller: Caller, *stories: Story) -> None:
    """Store these calls."""
    caller.services.journal.append_all([one for story in stories for one in story.receipts()])


def waiting(caller: Caller) -> dict[str, object]:
    """Store a caller who waits and one who was reached within the hour; return the former."""
    at = now() - 5 * HOUR
    keep(caller, Story(NUMBER, at, "missed", uuid="first"), Story(NUMBER, at + 1000, "message", uuid="second"))
    keep(caller, Story(OTHER, at, "busy", uuid="other"), Story(OTHER, at + HOUR // 2, "callback"))
    [followup] = caller.read("followups", state="open")["followups"]
    return dict(followup)


def change(caller: Caller, followup_id: object, action: str, **body: str) -> tuple[int, dict[str, object]]:
    """Change a follow-up with the token."""
    headers = {"Authorization": f"Bearer {REPORTS_TOKEN}"}
    response = caller.client.post(f"/api/v1/followups/{followup_id}/{action}", json=body, headers=headers)
    return response.status_code, dict(response.json or {})


def test_who_waits_is_listed_with_messages_and_figures(caller: Caller) -> None:
    followup = waiting(caller)

    assert (followup["caller"], followup["calls"], followup["state"]) == (NUMBER, 2, "open")
    assert (followup["first_call_uuid"], followup["last_outcome"]) == ("first", "message_left")
    assert [message["milliseconds"] for message in followup["messages"]] == [12_000]  # type: ignore[attr-defined]
    figures = caller.read("followups")["figures"]
    assert (figures["open"], figures["reached"], figures["median_seconds"]) == (1, 1, HOUR // 2000)
    assert (figures["within_hour"], figures["within_day"]) == (0.5, None)
    assert [one["caller"] for one in caller.read("followups", state="reached")["followups"]] == [OTHER]
    assert caller.read("followups", route="night")["figures"]["open"] == 0


def test_pages_follow_each_other(caller: Caller) -> None:
    keep(caller, *(Story(f"+1415555{number}", now() - HOUR + number, "missed") for number in range(1000, 1005)))

    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = caller.read("followups", state="open", limit=2, **cursor)
        found += [one["caller"] for one in page["followups"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert found == [f"+1415555{number}" for number in range(1000, 1005)]


def test_each_call_says_how_its_followup_stands(caller: Caller) -> None:
    waiting(caller)

    states = {call["call_uuid"]: call["followup"] for call in caller.read("calls")["calls"]}

    assert (states["first"], states["second"], states["other"]) == ("open", "open", "reached")
    assert sorted(call["call_uuid"] for call in caller.read("calls", followup="open")["calls"]) == ["first", "second"]
    assert caller.read("calls/first")["call"]["followup"] == "open"
    assert caller.read("calls", followup="done")["calls"] == []


def test_a_program_takes_a_followup_and_marks_it_done(caller: Caller) -> None:
    key = waiting(caller)["followup_id"]

    status, taken = change(caller, key, "take", note="calls back at noon")
    assert (status, taken["taken_by"], taken["note"]) == (200, "admin", "calls back at noon")
    status, done = change(caller, key, "done")
    assert (status, done["state"], done["closed_by"]) == (200, "done", "admin")

    history = caller.read(f"followups/{key}")["history"]
    assert [(one["what"], one["who"]) for one in history[-2:]] == [("take", "admin"), ("done", "admin")]
    assert caller.read("followups", state="open")["followups"] == []


@pytest.mark.parametrize("path", ["followups/1/done", "followups/x/done", "followups/1/forget"])
def test_what_does_not_exist_is_404(lite_caller: Caller, path: str) -> None:
    headers = {"Authorization": f"Bearer {REPORTS_TOKEN}"}

    assert lite_caller.client.post(f"/api/v1/{path}", headers=headers).status_code == 404


def test_a_session_alone_changes_nothing(lite_caller: Caller) -> None:
    key = waiting(lite_caller)["followup_id"]
    lite_caller.log_in()

    assert lite_caller.client.post(f"/api/v1/followups/{key}/done").status_code == 401
    assert lite_caller.client.post(f"/api/v1/followups/{key}/done", json={"note": "x" * 1001}).status_code == 401
    assert change(lite_caller, key, "done", note="x" * 1001)[0] == 400
    assert lite_caller.read(f"followups/{key}")["followup"]["state"] == "open"
