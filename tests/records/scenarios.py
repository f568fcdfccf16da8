"""Calls as they happen: the receipts of each, in the order of life."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from app.records.model.receipt import Receipt
from app.records.model.state import Placement
from app.voice.cdr import parse_any
from app.voice.events import Event, Hangup, Kind, LegHungUp, Source

START = 1_700_000_000_000
CALLER, OURS, ALICE, BOB = "+14155550100", "+14155550199", "+14155550111", "+14155550122"


@dataclass
class Call:
    """One call under way: each method adds the receipt of the next thing that happens, a second later."""

    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    dial_id: str = field(default_factory=lambda: f"dial-{uuid.uuid4().hex}")
    receipts: list[Receipt] = field(default_factory=list)
    at: int = START

    def answer(self, *targets: str) -> "Call":
        """Plivo asks and our reply rings these."""
        placement = Placement(dial_id=self.dial_id, targets=targets, route="main", step="first", round=1)
        return self._add(Kind.ANSWER, None, {**self._standard("ringing"), "Event": "StartApp"}, placement)

    def leg(self, word: str, name: str, target: str, **more: str) -> "Call":
        """Something happens to a leg: answer, connected, hangup or digits."""
        params = {"DialAction": word, "DialALegUUID": self.uuid, "CallUUID": self.uuid, "DialBLegTo": target[1:]}
        return self._add(Kind.CALLBACK, self.dial_id, {**params, "DialBLegUUID": f"{name}-{self.uuid}", **more})

    def leg_ends(self, name: str, target: str, code: int, cause: str, seconds: int = 0) -> "Call":
        """A leg hangs up."""
        told = {"DialBLegHangupCauseCode": str(code), "DialBLegHangupCause": cause, "DialBLegDuration": str(seconds)}
        return self.leg("hangup", name, target, **told, DialBLegHangupSource="Callee")

    def action(self, status: str, cause: str, *, rang: bool, name: str = "", **more: str) -> "Call":
        """Report how the dial ended."""
        told = {"DialStatus": status, "DialHangupCause": cause, "DialRingStatus": str(rang).lower()}
        legs = {"DialALegUUID": self.uuid, "DialBLegUUID": f"{name}-{self.uuid}" if name else ""}
        return self._add(Kind.ACTION, self.dial_id, {**self._standard("in-progress"), **told, **legs, **more})

    def hangup(self, code: int, source: str, cause: str = "NORMAL_CLEARING", **more: str) -> "Call":
        """The call is over."""
        told = {"HangupCause": cause, "HangupCauseCode": str(code), "HangupSource": source, "Duration": "30"}
        return self._add(Kind.HANGUP, None, {**self._standard("completed"), **told, "Event": "Hangup", **more})

    def recording(self, **more: str) -> "Call":
        """A recording is made."""
        params = {"RecordingID": f"recording-{self.uuid}", "RecordUrl": "https://media.example.com/a.mp3"}
        return self._add(Kind.RECORDING, self.dial_id, {"CallUUID": self.uuid, **params, **more})

    def fallback(self) -> "Call":
        """Plivo asks the fallback URL."""
        return self._add(Kind.FALLBACK, None, self._standard("ringing"))

    def cdr_of_call(self, **more: str) -> "Call":
        """Plivo's call detail record of the call; it disagrees with every webhook."""
        params = {"CallUUID": self.uuid, "From": "15550000001", "To": "15550000002", "Direction": "outbound"}
        told = {"HangupCauseCode": "5010", "HangupSource": "Error", "Duration": "99", "CallStatus": "failed"}
        return self._add(Kind.HANGUP, None, {**params, **told, **more}, source=Source.CDR)

    def cdr_of_leg(self, name: str, target: str, code: int) -> "Call":
        """Plivo's call detail record of a leg."""
        self._tick()
        event = LegHungUp(
            at=self.at,
            call=parse_any(Kind.RING, {"CallUUID": self.uuid}, at=self.at, zone=UTC).call,
            source=Source.CDR,
            b_leg_uuid=f"{name}-{self.uuid}",
            target=target,
            hangup=Hangup(code=code, duration=77, bill_duration=120, cost="9.0"),
            answered_at=self.at,
            ended_at=self.at + 77_000,
        )
        self.receipts.append(receipt(Kind.CDR, self.dial_id, {"cdr": f"{name}{code}"}, self.at, event=event))
        return self

    def _standard(self, status: str) -> dict[str, str]:
        numbers = {"From": CALLER[1:], "To": OURS, "Direction": "inbound"}
        return {"CallUUID": self.uuid, "CallStatus": status, **numbers}

    def _add(
        self,
        kind: Kind,
        dial_id: str | None,
        params: dict[str, str],
        placement: Placement | None = None,
        *,
        source: Source = Source.WEBHOOK,
    ) -> "Call":
        self._tick()
        self.receipts.append(receipt(kind, dial_id, params, self.at, placement=placement, source=source))
        return self

    def _tick(self) -> None:
        self.at += 1000


def receipt(
    kind: Kind,
    dial_id: str | None,
    params: dict[str, str],
    at: int,
    *,
    placement: Placement | None = None,
    source: Source = Source.WEBHOOK,
    event: Event | None = None,
) -> Receipt:
    """Return a receipt as the dial room makes them."""
    event = event or parse_any(kind, params, at=at, zone=UTC)
    if source is Source.CDR:
        kind, event = Kind.CDR, event.__class__(**{**_fields(event), "source": source})
    return Receipt(
        kind=kind,
        method="POST",
        path=f"/dialstatus/{kind}/",
        query=f"dial={dial_id}" if dial_id else "",
        params=tuple(params.items()),
        signature="valid",
        sender="192.0.2.1",
        request_id=None,
        received_at=at,
        dial_id=dial_id,
        event=event,
        placement=placement,
    )


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__dataclass_fields__}


def answered() -> Call:
    """Alice picks up and they talk."""
    call = Call().answer(ALICE).leg("answer", "alice", ALICE, DialBLegPosition="1").leg("connected", "alice", ALICE)
    call.leg_ends("alice", ALICE, 4000, "NORMAL_CLEARING", seconds=11)
    return call.action("completed", "NORMAL_CLEARING", rang=True, name="alice").hangup(4000, "Callee")


def no_answer() -> Call:
    """It rings, and nobody picks up."""
    call = Call().answer(ALICE).leg_ends("alice", ALICE, 6010, "NO_ANSWER")
    return call.action("no-answer", "NO_ANSWER", rang=True).hangup(4010, "Plivo")


def busy() -> Call:
    """Alice's line is busy."""
    call = Call().answer(ALICE).leg_ends("alice", ALICE, 3010, "USER_BUSY")
    return call.action("busy", "USER_BUSY", rang=False).hangup(4010, "Plivo")


def lost_race() -> Call:
    """Two ring, Bob is faster."""
    call = Call().answer(ALICE, BOB).leg("answer", "bob", BOB, DialBLegPosition="2").leg("connected", "bob", BOB)
    call.leg_ends("alice", ALICE, 9000, "LOSE_RACE").leg_ends("bob", BOB, 4000, "NORMAL_CLEARING", seconds=20)
    return call.action("completed", "NORMAL_CLEARING", rang=True, name="bob").hangup(4000, "Caller")


def caller_gives_up() -> Call:
    """The caller hangs up while it rings; the action never comes."""
    call = Call().answer(ALICE).leg_ends("alice", ALICE, 1000, "ORIGINATOR_CANCEL")
    return call.hangup(4000, "Caller", cause="ORIGINATOR_CANCEL")


def action_lost() -> Call:
    """They talked, but only the callbacks and the hangup come."""
    call = Call().answer(ALICE, BOB).leg("answer", "bob", BOB).leg_ends("alice", ALICE, 9000, "LOSE_RACE")
    return call.leg_ends("bob", BOB, 4000, "NORMAL_CLEARING", seconds=7).hangup(4000, "Callee")


def confirm_refused() -> Call:
    """Alice's mailbox picks up and presses no key."""
    call = Call().answer(ALICE).leg("answer", "alice", ALICE).leg_ends("alice", ALICE, 9110, "NORMAL_CLEARING")
    return call.action("no-answer", "NO_ANSWER", rang=True).hangup(4010, "Plivo")


def recorded_with_digits() -> Call:
    """They talk, press keys, and it is recorded; the fallback URL was asked as well."""
    call = Call().fallback().answer(ALICE).leg("answer", "alice", ALICE)
    for digits in ("1", "22", "31"):
        call.leg("digits", "alice", ALICE, DialDigitsMatch=digits, DialDigitsPressedBy="BLeg")
    call.recording(RecordingDurationMs="-1").recording(RecordingDurationMs="4200", RecordingDuration="4")
    return call.action("completed", "NORMAL_CLEARING", rang=True, name="alice").hangup(4000, "Caller")


def reconciled() -> Call:
    """Everything came, and call detail records that disagree are brought in besides."""
    call = answered().cdr_of_leg("alice", BOB, 5010).cdr_of_call(Duration="98")
    return call.cdr_of_call().cdr_of_leg("unheard", BOB, 3000)


def only_reconciled() -> Call:
    """The end was lost; call detail records fill it in."""
    call = Call().answer(ALICE).leg("answer", "alice", ALICE).cdr_of_leg("alice", ALICE, 4000)
    return call.cdr_of_call().cdr_of_call(Duration="12")


def reported_twice() -> Call:
    """Two reports of one dial that disagree, and one that nobody understands."""
    call = Call().answer(ALICE).action("no-answer", "NO_ANSWER", rang=True)
    call.action("completed", "NORMAL_CLEARING", rang=True, name="alice").action("transcended", "", rang=False)
    return call.hangup(4000, "Callee").hangup(4000, "Callee", BillDuration="60").hangup(0, "Unknown")


def completed_without_leg() -> Call:
    """Plivo reports completed, although the phone was not registered and nobody talked."""
    call = Call().answer(ALICE).leg_ends("alice", ALICE, 2020, "NORMAL_CLEARING")
    return call.action("completed", "NORMAL_CLEARING", rang=True).hangup(4010, "Plivo")


def refused_but_completed() -> Call:
    """Alice's mailbox presses no key, and Plivo reports completed with its leg."""
    call = Call().answer(ALICE).leg("answer", "alice", ALICE)
    call.leg_ends("alice", ALICE, 9110, "NORMAL_CLEARING", seconds=12)
    return call.action("completed", "NORMAL_CLEARING", rang=True, name="alice").hangup(4010, "Plivo")


def code_in_the_report() -> Call:
    """The action itself says why the leg ended; a second one says less."""
    call = Call().answer(ALICE, BOB)
    more = {"DialBLegHangupCauseCode": "9110", "DialBLegDuration": "12"}
    call.action("completed", "NORMAL_CLEARING", rang=True, name="bob", **more)
    call.action("no-answer", "NO_ANSWER", rang=True, DialBLegHangupCauseCode="3000")
    return call.hangup(4010, "Plivo")


def busy_before_the_caller_left() -> Call:
    """Both lines are busy, the action never comes, and the caller hangs up half a minute later."""
    call = Call().answer(ALICE, BOB).leg_ends("alice", ALICE, 3010, "USER_BUSY")
    call.leg_ends("bob", BOB, 3010, "USER_BUSY")
    call.at += 30_000
    return call.hangup(4000, "Caller", CallStatus="in-progress")


def one_of_two_still_rang() -> Call:
    """Alice's line is busy, and the caller hangs up while Bob's still rings."""
    return Call().answer(ALICE, BOB).leg_ends("alice", ALICE, 3010, "USER_BUSY").hangup(4000, "Caller")


def moved_away() -> Call:
    """A program moves the caller to another document while they talk: the leg ends, and no action comes."""
    call = Call().answer(ALICE).leg("answer", "alice", ALICE).leg("connected", "alice", ALICE)
    call.leg_ends("alice", ALICE, 4000, "NORMAL_CLEARING", seconds=25)
    call.at += 60_000
    return call.hangup(4000, "Caller")


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        answered,
        no_answer,
        busy,
        lost_race,
        caller_gives_up,
        action_lost,
        confirm_refused,
        recorded_with_digits,
        reconciled,
        only_reconciled,
        reported_twice,
        completed_without_leg,
        refused_but_completed,
        code_in_the_report,
        busy_before_the_caller_left,
        one_of_two_still_rang,
        moved_away,
    )
}


def without_cdr(receipts: Iterable[Receipt]) -> list[Receipt]:
    """Leave call detail records out."""
    return [item for item in receipts if item.kind is not Kind.CDR]
