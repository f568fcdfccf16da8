"""Calls as wholes: with the plan's last word, messages, several dials or no dial at all."""

from collections.abc import Callable

from app.records.model.state import Placement
from app.voice.events import Kind
from tests.records import scenarios
from tests.records.scenarios import ALICE, BOB, CALLER, OURS, Call


class PlannedCall(Call):
    """A call in which the plan may say its last word."""

    def ends(self, ending: str, *, turned_away: str | None = None) -> "PlannedCall":
        """Plivo asks what to do with the call, and the caller gets an ending at once."""
        self._add(Kind.ANSWER, None, self._standard("ringing"), end_of_plan(ending, turned_away))
        return self

    def message(self, milliseconds: int) -> "PlannedCall":
        """The caller leaves a message."""
        params = {"CallUUID": self.uuid, "RecordingID": f"message-{milliseconds}", "RecordUrl": "https://example.com/m"}
        self._add(Kind.RECORDING, "message", {**params, "RecordingDurationMs": str(milliseconds)})
        return self

    def missed(self, *, ending: str | None = None) -> "PlannedCall":
        """Nobody picks up, and the reply to the report may hold the ending."""
        self.action("no-answer", "NO_ANSWER", rang=True)
        if ending:
            self.receipts[-1] = self.receipts[-1]._replace(placement=end_of_plan(ending, None))
        return self


def end_of_plan(ending: str, turned_away: str | None) -> Placement:
    return Placement(None, route="main", ending=ending, turned_away=turned_away)


def blocked() -> Call:
    """The plan refuses the caller."""
    return PlannedCall().ends("hangup", turned_away="blocked").hangup(4010, "Plivo")


def closed() -> Call:
    """Outside opening hours, and the caller hangs up while they are read out."""
    return PlannedCall().ends("say", turned_away="closed").hangup(4000, "Caller")


def closed_with_message() -> Call:
    """Outside opening hours, the caller leaves a message."""
    return PlannedCall().ends("voicemail", turned_away="closed").message(31_000).hangup(4000, "Caller")


def closed_with_a_click() -> Call:
    """Outside opening hours, the caller hangs up at the beep."""
    return PlannedCall().ends("voicemail", turned_away="closed").message(400).hangup(4000, "Caller")


def message_after_no_answer() -> Call:
    """Nobody picks up, and the caller leaves a message."""
    call = PlannedCall().answer(ALICE)
    assert isinstance(call, PlannedCall)
    return call.missed(ending="voicemail").message(12_000).hangup(4000, "Caller")


def hangs_up_at_the_ending() -> Call:
    """Nobody picks up, and the caller hangs up during the last sentence."""
    call = PlannedCall().answer(ALICE)
    assert isinstance(call, PlannedCall)
    return call.missed(ending="say").hangup(4000, "Caller")


def handed_over() -> Call:
    """Nobody picks up, and the plan redirects the caller."""
    call = PlannedCall().answer(ALICE)
    assert isinstance(call, PlannedCall)
    return call.missed(ending="redirect").hangup(4000, "Caller")


def no_target_left() -> Call:
    """Nobody may be rung for this caller, who hears the ending."""
    return PlannedCall().ends("say").hangup(4010, "Plivo")


def gone_before_the_answer() -> Call:
    """Only the end of the call is ever reported."""
    return PlannedCall().hangup(4000, "Caller")


def broken_answer_url() -> Call:
    """Plivo could not reach the answer URL."""
    return PlannedCall().hangup(7011, "Error")


def gave_up_in_the_second_dial() -> Call:
    """The first phone is busy, and the caller hangs up while the second rings."""
    call = Call().answer(ALICE).action("busy", "USER_BUSY", rang=True)
    call.dial_id += "-2"
    call.receipts[-1] = call.receipts[-1]._replace(placement=Placement(call.dial_id, (BOB,), "main", "second", 2))
    return call.hangup(4000, "Caller")


def busy_then_missed() -> Call:
    """The first phone is busy, the second rings, and Plivo ends the call."""
    call = gave_up_in_the_second_dial()
    call.receipts.pop()
    return call.action("no-answer", "NO_ANSWER", rang=True).hangup(4010, "Plivo")


def outgoing(status: str, code: int, **more: str) -> Call:
    """A call that the API placed, without a dial."""
    call = Call()
    params = {"From": OURS, "To": CALLER, "Direction": "outbound"}
    return call.hangup(code, "Carrier", CallStatus=status, **params, **more)


OUTCOMES: dict[str, tuple[Callable[[], Call], str]] = {
    "blocked": (blocked, "blocked"),
    "closed": (closed, "closed"),
    "closed_with_message": (closed_with_message, "message_left"),
    "closed_with_a_click": (closed_with_a_click, "closed"),
    "message_after_no_answer": (message_after_no_answer, "message_left"),
    "hangs_up_at_the_ending": (hangs_up_at_the_ending, "missed"),
    "handed_over": (handed_over, "handed_over"),
    "no_target_left": (no_target_left, "unknown"),
    "gone_before_the_answer": (gone_before_the_answer, "caller_gave_up"),
    "broken_answer_url": (broken_answer_url, "failed"),
    "gave_up_in_the_second_dial": (gave_up_in_the_second_dial, "caller_gave_up"),
    "busy_then_missed": (busy_then_missed, "missed"),
    "outgoing_busy": (lambda: outgoing("busy", 3010, cause="USER_BUSY", Duration="0"), "busy"),
    "outgoing_no_answer": (lambda: outgoing("no-answer", 3000, cause="NO_ANSWER", Duration="0"), "missed"),
    "outgoing_answered": (lambda: outgoing("completed", 4000, Duration="20"), "answered"),
    "only_a_detail_record": (lambda: Call().cdr_of_call(), "failed"),
    "answered": (scenarios.answered, "answered"),
    "gives_up": (scenarios.caller_gives_up, "caller_gave_up"),
    "no_answer": (scenarios.no_answer, "missed"),
    "moved_away": (scenarios.moved_away, "answered"),
}
