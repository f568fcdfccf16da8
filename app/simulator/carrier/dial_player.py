"""Play one Dial on the simulated clock: ringing, answers, hangups, and what Plivo reports of them."""

import heapq
import itertools
from collections.abc import Callable, Sequence
from functools import partial

from app.simulator import hangups
from app.simulator.carrier.a_leg import ALeg
from app.simulator.ground_truth import DialTruth, LegTruth, RequestKind
from app.simulator.hangups import LegEnd
from app.simulator.scenario import Behaviour, EndedBy, Person, Presser
from app.simulator.xml.parser import XmlElement
from app.voice.outcome import Outcome

DEFAULT_RING_TIMEOUT = 120
DEFAULT_TIME_LIMIT = 14_400
LONGEST_TIME_LIMIT = 86_400
DEFAULT_CONFIRM_TIMEOUT = 120
KEY_PRESSED_AFTER = 4.0
DIGITS_PRESSED_AFTER = 2.0


class DialPlayer:
    """One Dial in progress: a queue of coming events, each a time in seconds of the call and what happens."""

    def __init__(
        self,
        a_leg: ALeg,
        dial: XmlElement,
        people: Sequence[Person],
        *,
        number: int,
        handed_out_at: float,
        on_connected: Callable[[], None],
    ) -> None:
        """Start all legs at the call's present time."""
        self.a_leg = a_leg
        self.dial = dial
        self.people = people
        self.on_connected = on_connected
        self.truth = DialTruth(
            number=number,
            handed_out_at=handed_out_at,
            started_at=a_leg.now,
            legs=[self._make_leg(child, index) for index, child in enumerate(dial.children)],
            has_action=bool(dial.get("action")),
            has_callback=bool(dial.get("callbackUrl")),
        )
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.is_over = False
        self.last_end: LegEnd | None = None

    def play(self) -> DialTruth:
        """Let everything happen in order, and return it."""
        for leg, person in zip(self.truth.legs, self.people, strict=True):
            if person.does is Behaviour.ANSWERS:
                self._in(person.after, partial(self._pick_up, leg))
            elif person.does is not Behaviour.RINGS:
                self._in(person.after, partial(self._drop, leg, hangups.NEVER_CONNECTED[person.does]))
        self._in(self.dial.number("timeout", DEFAULT_RING_TIMEOUT), self._stop_ringing)
        self._at(self.a_leg.gives_up_at, self._caller_gives_up)
        self._at(self.a_leg.cut_at, self._cut)
        while self.queue and not self.is_over:
            at, _, happens = heapq.heappop(self.queue)
            self.a_leg.advance(at)
            happens()
        self._conclude()
        return self.truth

    def _make_leg(self, child: XmlElement, index: int) -> LegTruth:
        return LegTruth(
            b_leg_uuid=self.a_leg.make_uuid(),
            target=child.text.strip(),
            position=index + 1,
            started_at=self.a_leg.now,
        )

    def _in(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (self.a_leg.now + seconds, next(self.order), happens))

    def _at(self, moment: float | None, happens: Callable[[], None]) -> None:
        if moment is not None:
            self._in(max(0.0, moment - self.a_leg.now), happens)

    def _person(self, leg: LegTruth) -> Person:
        return self.people[leg.position - 1]

    def _pick_up(self, leg: LegTruth) -> None:
        if leg.end is not None:
            return
        leg.answered_at = self.a_leg.now
        self.a_leg.report_leg(self.dial, leg, "answer")
        key, sound = self.dial.get("confirmKey"), self.dial.get("confirmSound")
        hears = self.a_leg.fetch_prompt(RequestKind.CONFIRM, self.dial, "confirmSound") if sound else True
        if not key:
            self._connect(leg)
        elif hears and self._person(leg).accepts_key:
            self._in(KEY_PRESSED_AFTER, partial(self._connect, leg))
        else:
            timeout = self.dial.number("confirmTimeout", DEFAULT_CONFIRM_TIMEOUT)
            person = self._person(leg)
            end = hangups.KEY_REFUSED_COMPLETED if person.refusal_is_reported_completed else hangups.KEY_REFUSED
            self._in(min(timeout, person.talks), partial(self._drop, leg, end))

    def _connect(self, leg: LegTruth) -> None:
        """Bridge the legs: the others lose the race, and the conversation begins."""
        leg.connected_at = self.a_leg.now
        self.truth.winner = leg
        self.queue.clear()
        for other in self.truth.legs:
            if other is not leg and other.end is None:
                self._end(other, hangups.LOST_RACE)
        self.a_leg.connect()
        self.on_connected()
        self.a_leg.report_leg(self.dial, leg, "connected")
        self._press_digits(leg)
        limit = min(self.dial.number("timeLimit", DEFAULT_TIME_LIMIT), LONGEST_TIME_LIMIT)
        talks = self._person(leg).talks
        end = hangups.TIME_LIMIT if talks > limit else self._end_of_talk(leg)
        self._in(min(talks, limit), partial(self._hang_up, leg, end))
        self._at(self.a_leg.cut_at, self._cut)

    def _press_digits(self, leg: LegTruth) -> None:
        """Press the first digits that the Dial listens for, if the scenario says so."""
        presser = self._person(leg).digits_by
        attribute, side = ("digitsMatch", "ALeg") if presser is Presser.CALLER else ("digitsMatchBLeg", "BLeg")
        pattern = self.dial.get(attribute).partition(",")[0]
        if presser is not None and pattern:
            self._in(DIGITS_PRESSED_AFTER, partial(self.a_leg.report_digits, self.dial, leg, pattern, side))

    def _end_of_talk(self, leg: LegTruth) -> LegEnd:
        by = self._person(leg).ended_by
        if by is EndedBy.STAR and not self.dial.is_true("hangupOnStar", default=False):
            by = EndedBy.CALLEE
        return hangups.CALLEE_HUNG_UP if by is EndedBy.CALLEE else hangups.CALLER_HUNG_UP

    def _hang_up(self, leg: LegTruth, end: LegEnd) -> None:
        self._end(leg, end)
        self.is_over = True
        if end is hangups.CALLER_HUNG_UP and self._person(leg).ended_by is EndedBy.CALLER:
            self.a_leg.hang_up()

    def _drop(self, leg: LegTruth, end: LegEnd) -> None:
        """End a leg that never talked; the Dial ends with its last leg."""
        if leg.end is not None:
            return
        self._end(leg, end)
        self.is_over = all(other.end for other in self.truth.legs)

    def _stop_ringing(self) -> None:
        """End every leg that is still ringing; a leg that still has to press the key stays."""
        for leg in self.truth.legs:
            if leg.end is None and leg.answered_at is None:
                self._drop(leg, hangups.RING_TIMEOUT)

    def _caller_gives_up(self) -> None:
        for leg in self.truth.legs:
            if leg.end is None:
                self._end(leg, hangups.CALLER_LEFT)
        self.is_over = True
        self.a_leg.hang_up()

    def _cut(self) -> None:
        """End everything at the time of a scheduled hangup."""
        for leg in self.truth.legs:
            if leg.end is None:
                self._end(leg, hangups.TIME_LIMIT if leg is self.truth.winner else hangups.CUT_WHILE_RINGING)
        self.is_over = True
        self.a_leg.cut()

    def _end(self, leg: LegTruth, end: LegEnd) -> None:
        leg.end = end
        leg.ended_at = self.a_leg.now
        self.last_end = end
        self.truth.rang = self.truth.rang or end.rang
        if end is hangups.KEY_REFUSED_COMPLETED:
            self.truth.named_leg = leg
        if not end.is_silent:
            self.a_leg.report_leg(self.dial, leg, "hangup")

    def _conclude(self) -> None:
        """Derive the action report from the winner, or else from the leg that ended last."""
        truth, last = self.truth, self.last_end
        truth.ended_at = self.a_leg.now
        if last is None:  # The grammar requires a target, and each leg ends.
            raise ValueError("a Dial without a leg has no end")
        truth.status, truth.cause = last.dial_status, last.cause
        own_ends = {leg.end for leg in truth.legs if leg.end is not None}
        truth.outcomes = frozenset(end.outcome for end in own_ends)
        if truth.winner is not None:
            truth.status, truth.outcomes = "completed", frozenset({Outcome.ANSWERED})
        elif own_ends & {hangups.CALLER_LEFT, hangups.CUT_WHILE_RINGING}:
            truth.outcomes = frozenset({Outcome.CALLER_GAVE_UP})
