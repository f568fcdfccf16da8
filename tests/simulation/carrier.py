"""A simulated carrier: calls that reach somebody or nobody, and webhooks that come late, twice or never."""

import heapq
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC

from app.records.model.receipt import Receipt
from app.records.model.state import Placement
from app.voice.cdr import parse_any
from app.voice.events import Kind
from tests.records.histories import HOUR, Story
from tests.records.scenarios import ALICE, BOB, receipt

CALLERS = tuple(f"+141555520{number:02d}" for number in range(8))
CONTROL = frozenset({Kind.ANSWER, Kind.ACTION})  # A caller waits for the reply.
RETRIES = {True: 2, False: 5}  # By whether a caller waits; as the retry fragments of our URLs ask for.
# The outcome of a call once everything that Plivo has to report about it has arrived.
OUTCOMES = {
    "answered": "answered",
    "missed": "missed",
    "busy": "busy",
    "message": "message_left",
    "gave_up_late": "caller_gave_up",
    "gave_up_soon": "caller_gave_up",
    "closed": "closed",
    "blocked": "blocked",
    "two_steps": "missed",
    "raced": "answered",
    "callback": "answered",
    "callback_of_cdr": "answered",
    "click_to_call": "answered",
    "softphone": "answered",
}
_UNREADABLE = "\ud800"  # No store takes a lone surrogate.


class CarrierCall(Story):
    """A call with several dials or legs beside the simple ones."""

    def receipts(self) -> list[Receipt]:
        """Return its webhooks, which do not agree on the caller's name."""
        return [self._named(one, number) for number, one in enumerate(super().receipts())]

    def _named(self, one: Receipt, number: int) -> Receipt:
        if "From" not in dict(one.params):
            return one
        return one._replace(params=(*one.params, ("CallerName", f"name {number % 2}")))

    def _two_steps(self) -> Iterator[Receipt]:
        """The first phone is busy, and the next one rings in vain."""
        yield self._answer(self._dials(ALICE))
        yield self._leg("hangup", "a", ALICE, 4, DialBLegHangupCauseCode="3010", DialBLegHangupSource="Callee")
        second = Placement(f"dial2-{self.uuid}", (BOB,), self.route, "second", 2)
        yield self._action("busy", 5, DialHangupCause="USER_BUSY")._replace(placement=second)
        legs = {"DialALegUUID": self.uuid, "DialRingStatus": "true", "DialHangupCause": "NO_ANSWER"}
        yield receipt(
            Kind.ACTION, second.dial_id, self._standard(DialStatus="no-answer", **legs), self.at + 30_000
        )._replace(placement=Placement(None, route=self.route, ending="say"))
        yield self._hangup(33)

    def _raced(self) -> Iterator[Receipt]:
        """Two phones ring, one picks up, and the other one is cancelled."""
        yield self._answer(Placement(f"dial-{self.uuid}", (ALICE, BOB), self.route, "first", 1))
        yield self._leg("answer", "a", ALICE, 6)
        yield self._leg("connected", "a", ALICE, 7)
        yield self._leg("hangup", "b", BOB, 7, DialBLegHangupCauseCode="9100", DialBLegHangupSource="Plivo")
        yield self._leg("hangup", "a", ALICE, 59, DialBLegHangupCauseCode="4000", DialBLegDuration="52")
        yield self._action("completed", 60, DialBLegUUID=f"a-{self.uuid}", DialHangupCause="NORMAL_CLEARING")
        yield self._hangup(61)

    def _leg(self, word: str, name: str, target: str, second: int, **more: str) -> Receipt:
        named = {"CallUUID": self.uuid, "DialALegUUID": self.uuid, "DialBLegUUID": f"{name}-{self.uuid}"}
        about = {"DialAction": word, "DialBLegTo": target[1:], **named, **more}
        return receipt(Kind.CALLBACK, f"dial-{self.uuid}", about, self.at + second * 1000)


@dataclass(kw_only=True)
class Webhook:
    """A request of Plivo's: what it reports, and how often it may still be sent."""

    receipt: Receipt
    call: CarrierCall
    tries: int

    @property
    def is_control(self) -> bool:
        """Whether a caller waits for the reply."""
        return self.receipt.kind in CONTROL

    def received(self, at: int) -> Receipt:
        """Return its receipt at a server whose clock shows a time in milliseconds."""
        event = parse_any(self.receipt.kind, dict(self.receipt.params), at=at, zone=UTC)
        return self.receipt._replace(received_at=at, event=event)


class Carrier:
    """Plivo, as far as a server sees it."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._queue: list[tuple[int, int, Webhook]] = []
        self._number = 0
        self.calls: list[CarrierCall] = []
        self.given_up = 0

    def begin(self, at: int) -> None:
        """Begin a call: everything it will report is queued, unless it gets lost."""
        name = str(uuid.UUID(int=self._chance.getrandbits(128)))
        route = self._chance.choice(("main", "night"))
        call = CarrierCall(self._chance.choice(CALLERS), at, self._chance.choice(list(OUTCOMES)), route, name)
        self.calls.append(call)
        for one in call.receipts():
            if self._chance.random() < 0.01:
                one = one._replace(path=_UNREADABLE)
            for _ in range(self._chance.choices((0, 1, 2, 3), (2, 88, 8, 2))[0]):
                self._send(one, call)

    def due(self, at: int) -> Webhook | None:
        """Return the next request that is due, if any."""
        return heapq.heappop(self._queue)[2] if self._queue and self._queue[0][0] <= at else None

    def fail(self, webhook: Webhook, at: int) -> bool:
        """Send a request again, or give it up; return whether it was given up."""
        webhook.tries -= 1
        if webhook.tries < 0:
            self.given_up += 1
            return True
        self._push(at + self._chance.randint(0, 3000), webhook)
        return False

    @property
    def last(self) -> int:
        """When the last request is due."""
        return max((at for at, _, _ in self._queue), default=0)

    def _send(self, one: Receipt, call: CarrierCall) -> None:
        delay = self._chance.choices((500, 5000, 90_000, 4 * HOUR), (60, 25, 10, 5))[0]
        webhook = Webhook(receipt=one, call=call, tries=RETRIES[one.kind in CONTROL])
        self._push(one.received_at + self._chance.randint(0, delay), webhook)

    def _push(self, at: int, webhook: Webhook) -> None:
        self._number += 1
        heapq.heappush(self._queue, (at, self._number, webhook))
