"""Class B, as far as one call goes: calls that nobody was rung for. Each case is named by its id."""

from tests.field.conftest import ALICE, App, Line


def test_b3_a_busy_outgoing_call_has_its_facts_without_a_dial(make_app: App) -> None:
    line = Line(make_app(), direction="outbound")
    line.post("/dialstatus/ring/", **line.standard("ringing"), Event="Ring", RequestUUID=line.call_uuid)
    line.hangup(
        "Carrier", HangupCauseCode="3010", CallStatus="busy", HangupCause="USER_BUSY", Duration="0", AnswerTime=""
    )

    record = line.record
    assert record["dials"] == []
    call = record["call"]
    assert (call["call_status"], call["direction"], call["hangup_code"]) == ("busy", "outbound", 3010)
    assert (call["answered_at"], call["duration"]) == (None, 0)


def test_b4_a_caller_who_hangs_up_during_the_greeting_gave_up_before_it_is_known_to_ring(make_app: App) -> None:
    plan = f"""
    [routes.main]
    greeting = "Welcome to the example company. Please hold the line."
    steps.first = {{ ring = ["{ALICE}"] }}
    """
    line = Line(make_app(plan=plan)).answer().wait(2).hangup("Caller")

    [dial] = line.dials
    assert (dial["outcome"], dial["ring_seconds"]) == ("caller_gave_up", None)
    assert "rang" not in dial["explanation"]
