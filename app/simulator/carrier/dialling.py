"""Play one Dial on the simulated clock: who rings, who answers first, who hangs up, what Plivo reports."""

import heapq
import itertools
from collections.abc import Callable
from functools import partial
from typing import Protocol

from app.simulator import hangups as ends
from app.simulator.ground_truth import DialTruth, LegTruth
from app.simulator.hangups import LegEnd
from app.simulator.scenario import Does, EndedBy, Person, Presser
from app.simulator.xml.parser import Element
from app.voice.outcome import Outcome

DEFAULT_RING_TIMEOUT = 120
DEFAULT_TIME_LIMIT = 14_400
LONGEST_TIME_LIMIT = 86_400
DEFAULT_CONFIRM_TIMEOUT = 120
KEY_PRESSED_AFTER = 4.0
DIGITS_PRESSED_AFTER = 2.0


class CallerSide(Protocol):
    """What a Dial needs of the call around it. Times are seconds from the beginning of the call."""

    now: float

    def advance(self, to: float) -> None:
        """Let time pass."""

    def make_uuid(self) -> str:
        """Return the next UUID."""

    def report_leg(self, dial: Element, leg: LegTruth, event: str) -> None:
        """Tell the Dial's callback URL about a leg."""

    def report_digits(self, dial: Element, leg: LegTruth, pressed: str, by: str) -> None:
        """Tell the Dial's callback URL about digits."""

    def fetch_confirm_sound(self, dial: Element) -> bool:
        """Fetch what the callee hears, and tell whether it can be played."""

    def connected(self) -> None:
        """Note that the caller's side is answered, because somebody picked up."""

    def caller_left(self) -> None:
        """Note that the caller hung up."""


class Dialling:
    """One Dial in progress: a queue of what happens next."""

    def __init__(
        self,
        call: CallerSide,
        dial: Element,
        people: list[Person],
        *,
        number: int,
        caller_gives_up_at: float | None,
    ) -> None:
        """Set everybody ringing at the call's present time."""
        self.call = call
        self.dial = dial
        self.people = people
        self.truth = DialTruth(
            number=number,
            started_at=call.now,
            legs=[self._make_leg(child, index) for index, child in enumerate(dial.children)],
            has_action=bool(dial.get("action")),
            has_callback=bool(dial.get("callbackUrl")),
        )
        self.timeout = dial.seconds("timeout", DEFAULT_RING_TIMEOUT)
        self.caller_gives_up_at = caller_gives_up_at
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.is_over = False
        self.last_end: LegEnd | None = None

    def play(self) -> DialTruth:
        """Let everything happen in its order, and return what did."""
        for leg, person in zip(self.truth.legs, self.people, strict=True):
            if person.does is Does.ANSWERS:
                self._in(person.after, partial(self._pick_up, leg))
            elif person.does is not Does.RINGS:
                self._in(person.after, partial(self._drop, leg, ends.NEVER_CONNECTED[person.does]))
        self._in(self.timeout, self._stop_ringing)
        if self.caller_gives_up_at is not None:
            self._in(max(0.0, self.caller_gives_up_at - self.call.now), self._caller_gives_up)
        while self.queue and not self.is_over:
            at, _, happens = heapq.heappop(self.queue)
            self.call.advance(at)
            happens()
        self._conclude()
        return self.truth

    def _make_leg(self, child: Element, index: int) -> LegTruth:
        return LegTruth(
            b_leg_uuid=self.call.make_uuid(),
            target=child.text.strip(),
            position=index + 1,
            started_at=self.call.now,
        )

    def _in(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (self.call.now + seconds, next(self.order), happens))

    def _person(self, leg: LegTruth) -> Person:
        return self.people[leg.position - 1]

    def _pick_up(self, leg: LegTruth) -> None:
        if leg.end is not None:
            return
        leg.answered_at = self.call.now
        self.call.report_leg(self.dial, leg, "answer")
        key, sound = self.dial.get("confirmKey"), self.dial.get("confirmSound")
        hears = self.call.fetch_confirm_sound(self.dial) if sound else True
        if not key:
            self._connect(leg)
        elif hears and self._person(leg).accepts_key:
            self._in(KEY_PRESSED_AFTER, partial(self._connect, leg))
        else:
            patience = self.dial.seconds("confirmTimeout", DEFAULT_CONFIRM_TIMEOUT)
            gone = min(patience, self._person(leg).talks)
            self._in(gone, partial(self._drop, leg, ends.KEY_REFUSED))

    def _connect(self, leg: LegTruth) -> None:
        """Bridge the legs: the others have lost the race, and talking begins."""
        leg.connected_at = self.call.now
        self.truth.winner = leg
        self.queue.clear()
        for other in self.truth.legs:
            if other is not leg and other.end is None:
                self._end(other, ends.LOST_RACE)
        self.call.connected()
        self.call.report_leg(self.dial, leg, "connected")
        self._press_digits(leg)
        limit = min(self.dial.seconds("timeLimit", DEFAULT_TIME_LIMIT), LONGEST_TIME_LIMIT)
        talks = self._person(leg).talks
        end = ends.TIME_LIMIT if talks > limit else self._end_of_talk(leg)
        self._in(min(talks, limit), partial(self._hang_up, leg, end))

    def _press_digits(self, leg: LegTruth) -> None:
        """Press the first digits that the Dial listens for, if the scenario wants it."""
        by = self._person(leg).digits_by
        attribute = "digitsMatch" if by is Presser.CALLER else "digitsMatchBLeg"
        pattern = self.dial.get(attribute).partition(",")[0]
        if by is not None and pattern:
            side = "ALeg" if by is Presser.CALLER else "BLeg"
            self._in(DIGITS_PRESSED_AFTER, partial(self.call.report_digits, self.dial, leg, pattern, side))

    def _end_of_talk(self, leg: LegTruth) -> LegEnd:
        by = self._person(leg).ended_by
        if by is EndedBy.STAR and not self.dial.is_true("hangupOnStar", default=False):
            by = EndedBy.CALLEE
        return ends.CALLEE_HUNG_UP if by is EndedBy.CALLEE else ends.CALLER_HUNG_UP

    def _hang_up(self, leg: LegTruth, end: LegEnd) -> None:
        self._end(leg, end)
        self.is_over = True
        if end is ends.CALLER_HUNG_UP and self._person(leg).ended_by is EndedBy.CALLER:
            self.call.caller_left()

    def _drop(self, leg: LegTruth, end: LegEnd) -> None:
        """End a leg that never talked; the Dial is over with the last one."""
        if leg.end is not None:
            return
        self._end(leg, end)
        self.is_over = all(other.end for other in self.truth.legs)

    def _stop_ringing(self) -> None:
        """Give up on everybody who has not picked up; whoever still has to press the key stays."""
        for leg in self.truth.legs:
            if leg.end is None and leg.answered_at is None:
                self._drop(leg, ends.RING_TIMEOUT)

    def _caller_gives_up(self) -> None:
        for leg in self.truth.legs:
            if leg.end is None:
                self._end(leg, ends.CALLER_LEFT)
        self.is_over = True
        self.call.caller_left()

    def _end(self, leg: LegTruth, end: LegEnd) -> None:
        leg.end = end
        leg.ended_at = self.call.now
        self.last_end = end
        self.truth.rang = self.truth.rang or end.rang
        self.call.report_leg(self.dial, leg, "hangup")

    def _conclude(self) -> None:
        """Derive what the action URL is told: from the winner, or from the leg that ended last."""
        truth, last = self.truth, self.last_end
        truth.ended_at = self.call.now
        if last is None:  # The grammar demands a target, and each target's leg ends.
            raise ValueError("a Dial without a leg has no end")
        truth.status, truth.cause = last.dial_status, last.cause
        own_ends = {leg.end for leg in truth.legs if leg.end is not None}
        truth.outcomes = frozenset(end.outcome for end in own_ends)
        if truth.winner is not None:
            truth.status, truth.outcomes = "completed", frozenset({Outcome.ANSWERED})
        elif ends.CALLER_LEFT in own_ends:
            truth.outcomes = frozenset({Outcome.CALLER_GAVE_UP})
