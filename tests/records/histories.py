"""Callers who reach somebody and callers who do not: histories of calls, and what is right about each call."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.records.model.receipt import Receipt
from app.records.model.state import Placement
from app.records.writing.followups import Action
from app.voice.events import Kind
from tests.records.scenarios import START, receipt

OURS, AGENT = "+14155550199", "+14155550111"
HOUR = 3_600_000
WEEK = 7 * 24 * HOUR
# How a caller's call may end, and whether the caller is to be called back.
ENDINGS = {
    "missed": True,
    "busy": True,
    "message": True,
    "gave_up_late": True,
    "gave_up_soon": False,
    "closed": False,
    "blocked": False,
    "answered": False,
}
REACHES = ("answered", "talked", "callback", "click_to_call", "softphone", "callback_of_cdr")


@dataclass
class Story:
    """One call to come: who, when and how it ends."""

    caller: str
    at: int
    ending: str
    route: str = "main"
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def is_reach(self) -> bool:
        """Whether somebody talked with the caller."""
        return self.ending in REACHES

    def receipts(self) -> list[Receipt]:
        """Return its webhooks and records, in the order of life."""
        return list(getattr(self, f"_{self.ending}", self._incoming)())

    def _standard(self, **more: str) -> dict[str, str]:
        return {"CallUUID": self.uuid, "From": self.caller, "To": OURS, "Direction": "inbound", **more}

    def _answer(self, placement: Placement) -> Receipt:
        return receipt(Kind.ANSWER, None, self._standard(CallStatus="ringing"), self.at, placement=placement)

    def _hangup(self, seconds: int, source: str = "Plivo", **more: str) -> Receipt:
        fields = {"CallStatus": "completed", "Event": "Hangup", "HangupSource": source, "Duration": str(seconds)}
        return receipt(Kind.HANGUP, None, self._standard(**fields) | more, self.at + seconds * 1000)

    def _dials(self, target: str = AGENT) -> Placement:
        return Placement(f"dial-{self.uuid}", (target,), self.route, "first", 1)

    def _action(self, status: str, seconds: int, **more: str) -> Receipt:
        fields = self._standard(DialStatus=status, DialALegUUID=self.uuid, DialRingStatus="true", **more)
        return receipt(Kind.ACTION, f"dial-{self.uuid}", fields, self.at + seconds * 1000)

    def _incoming(self) -> Iterator[Receipt]:
        yield self._answer(self._dials())
        if self.ending == "answered":
            yield self._action("completed", 60, DialBLegUUID=f"b-{self.uuid}", DialHangupCause="NORMAL_CLEARING")
        elif self.ending == "missed":
            yield self._action("no-answer", 30, DialHangupCause="NO_ANSWER")
        elif self.ending == "busy":
            yield self._action("busy", 5, DialHangupCause="USER_BUSY")
        yield self._hangup(61)

    def _of_leg(self, word: str, seconds: int) -> Receipt:
        fields = {"DialAction": word, "DialALegUUID": self.uuid, "CallUUID": self.uuid, "DialBLegTo": AGENT[1:]}
        fields |= {"DialBLegUUID": f"b-{self.uuid}"}
        return receipt(Kind.CALLBACK, f"dial-{self.uuid}", fields, self.at + seconds * 1000)

    def _talked(self) -> Iterator[Receipt]:
        """The target picks up, accepts the call and talks."""
        yield self._answer(self._dials())
        yield self._of_leg("answer", 5)
        yield self._of_leg("connected", 7)
        yield self._action("completed", 60, DialBLegUUID=f"b-{self.uuid}", DialHangupCause="NORMAL_CLEARING")
        yield self._hangup(61)

    def _gave_up_late(self) -> Iterator[Receipt]:
        yield self._answer(self._dials())
        yield self._hangup(20, "Caller", HangupCause="ORIGINATOR_CANCEL")

    def _gave_up_soon(self) -> Iterator[Receipt]:
        yield self._answer(self._dials())
        yield self._hangup(2, "Caller", HangupCause="ORIGINATOR_CANCEL")

    def _ends(self, ending: str, turned_away: str | None) -> Receipt:
        return self._answer(Placement(None, route=self.route, ending=ending, turned_away=turned_away))

    def _closed(self) -> Iterator[Receipt]:
        yield self._ends("say", "closed")
        yield self._hangup(9)

    def _blocked(self) -> Iterator[Receipt]:
        yield self._ends("hangup", "blocked")
        yield self._hangup(1)

    def _message(self) -> Iterator[Receipt]:
        yield self._ends("voicemail", "closed")
        made = {"CallUUID": self.uuid, "RecordingID": f"r-{self.uuid}", "RecordingDuration": "12"}
        url = "https://media.plivo.com/v1/Account/MA/Recording/r.mp3"
        yield receipt(Kind.RECORDING, None, {**made, "RecordUrl": url}, self.at + 15_000)
        yield self._hangup(16, "Caller")

    def _callback(self) -> Iterator[Receipt]:
        """We call through the API; the caller answers."""
        way = {"From": OURS, "To": self.caller, "Direction": "outbound"}
        yield receipt(Kind.RING, None, self._standard(CallStatus="ringing") | way, self.at)
        yield self._hangup(30, "Callee", **way)

    def _callback_of_cdr(self) -> Iterator[Receipt]:
        """The same, and only Plivo's call detail record says so."""
        record = {"call_uuid": self.uuid, "from_number": OURS, "to_number": self.caller, "call_direction": "outbound"}
        times = {"initiation_time": _clock(self.at), "end_time": _clock(self.at + 30_000)}
        told = {"call_state": "ANSWER", "call_duration": "30", "hangup_cause_code": "4000", "hangup_source": "Callee"}
        yield receipt(Kind.CDR, None, {**record, **times, **told}, self.at + HOUR)

    def _click_to_call(self) -> Iterator[Receipt]:
        """We call an agent through the API, and the document rings the caller."""
        way = {"From": OURS, "To": AGENT, "Direction": "outbound"}
        place = self._dials(self.caller)
        yield receipt(Kind.ANSWER, None, self._standard(CallStatus="in-progress") | way, self.at, placement=place)
        yield self._action("completed", 60, DialBLegUUID=f"b-{self.uuid}", **way)
        yield self._hangup(61, **way)

    def _softphone(self) -> Iterator[Receipt]:
        """An agent dials the caller with a SIP phone."""
        way = {"From": "sip:agent@phone.plivo.com", "To": self.caller}
        yield receipt(Kind.ANSWER, None, self._standard() | way, self.at, placement=self._dials(self.caller))
        yield self._action("completed", 60, DialBLegUUID=f"b-{self.uuid}", **way)
        yield self._hangup(61, **way)


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S") + "+00:00"


@dataclass
class Week:
    """What happens to one caller in a week: calls, and what somebody marks done on which route."""

    calls: list[Story]
    done: list[tuple[int, str]] = field(default_factory=list)

    def right(self) -> dict[str, str]:
        """Return the state of each call that needs a follow-up: what came first after it, or that nothing did."""
        found = {}
        for call in self.calls:
            if not ENDINGS.get(call.ending, False):
                continue
            after = [(at, Action.DONE.value) for at, route in self.done if route == call.route and at > call.at]
            after += [(each.at, "reached") for each in self.calls if each.is_reach and each.at > call.at]
            found[call.uuid] = min(after)[1] if after else "open"
        return found


def make_week(chance: random.Random, caller: str, *, begin: int = START) -> Week:
    """Return a random week of a caller."""
    moments = sorted(chance.sample(range(WEEK // 1000), chance.randint(1, 8)))
    endings = [*ENDINGS, "missed", "missed", *REACHES]
    calls = [
        Story(caller, begin + moment * 1000, chance.choice(endings), chance.choice(["main", "night"]))
        for moment in moments
    ]
    return Week(calls)
