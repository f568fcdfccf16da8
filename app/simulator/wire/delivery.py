"""Bring the requests of one call to the server, through the faults that were asked for."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.simulator.ground_truth import CallTruth, Exchange, Kind, Sent
from app.simulator.wire.faults import Breakage, Fault, striking
from app.simulator.wire.http_exchange import Damage, Reply, WireError
from app.simulator.wire.transport import RemoteTargetError, Request, Wire
from app.simulator.xml.findings import advise, undocumented

_RETRY_ADVICE = "answer notices with 2xx; a 503 brings them again where the URL's fragment says rp=5xx"


class UndeliveredError(Exception):
    """No reply came; `excused` where the simulator broke the wire itself."""

    def __init__(self, reason: str, *, excused: bool) -> None:
        """Keep the reason for the verdict."""
        super().__init__(reason)
        self.reason = reason
        self.excused = excused


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A request with what the postman must know of it; `at` in seconds from the beginning of the call."""

    kind: Kind
    request: Request
    at: float
    about: str = ""
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, and whether the simulator had damaged the request it answers."""

    reply: Reply
    excused: bool


class Postman:
    """One call's wire. Everything random comes from `chance`, so a seed repeats it."""

    def __init__(self, wire: Wire, faults: Sequence[Fault], chance: random.Random, truth: CallTruth) -> None:
        """Begin with nothing held back."""
        self.wire = wire
        self.faults = faults
        self.chance = chance
        self.truth = truth
        self.held: list[Letter] = []
        self.late: list[Letter] = []

    def ask(self, letter: Letter) -> Answer:
        """Send a request whose reply steers the call, or raise UndeliveredError."""
        if self._strikes(Breakage.LOST, letter):
            self._log_unsent(letter, "lost on its way")
            raise UndeliveredError("the request was lost on its way", excused=True)
        if self._strikes(Breakage.LATE, letter):
            self._put_off(letter)
            raise UndeliveredError("the request was late; Plivo stopped waiting", excused=True)
        answer = self._deliver(letter)
        if self._strikes(Breakage.DUPLICATE, letter):
            self._ask_again(letter, answer)
        self._bring_one_held()
        return answer

    def tell(self, letter: Letter) -> None:
        """Send a notice: nobody waits for it, so it may go astray, come late, twice, or out of order."""
        if self._strikes(Breakage.LOST, letter):
            self._log_unsent(letter, "lost on its way")
        elif self._strikes(Breakage.LATE, letter):
            self._put_off(letter)
        elif self._strikes(Breakage.REORDER, letter):
            self.held.append(letter)
        else:
            self._notify(letter)
        self._bring_one_held()

    def finish(self) -> None:
        """Bring everything held back, in any order."""
        self.chance.shuffle(self.held)
        while self.held:
            self._notify(self.held.pop())

    def deliver_late(self) -> None:
        """Bring what was late, after all calls have ended."""
        while self.late:
            letter = self.late.pop(0)
            try:
                self._deliver(letter, note="late")
            except UndeliveredError as error:
                self._blame(letter, error.reason, excused=error.excused)

    def _notify(self, letter: Letter) -> None:
        copies = 2 if self._strikes(Breakage.DUPLICATE, letter) else 1
        for copy in range(copies):
            try:
                answer = self._deliver(letter, note="a copy" if copy else "")
            except UndeliveredError as error:
                self._blame(letter, error.reason, excused=error.excused)
                continue
            if not answer.reply.is_success:
                status = answer.reply.status
                self._blame(letter, f"the status is {status}", status=status, excused=answer.excused)

    def _ask_again(self, letter: Letter, first: Answer) -> None:
        """Send a copy of a steering request; Plivo follows the first reply, and the second should be it."""
        try:
            second = self._deliver(letter, note="a copy")
        except UndeliveredError as error:
            self._blame(letter, error.reason, excused=error.excused)
            return
        excused = first.excused or second.excused or letter.kind is not Kind.ACTION
        if second.reply.body != first.reply.body:
            url = letter.request.url
            reason = "a copy of the same request was answered with another document"
            advice = "answer a repeated request as the first time, since Plivo may follow either reply"
            self.truth.verdicts.append(undocumented(url, reason, advice, excused=excused))

    def _deliver(self, letter: Letter, note: str = "") -> Answer:
        """Send through the faults that damage a request, and write down what came of it."""
        damage = self._choose_damage(letter)
        slow = striking(self.faults, Breakage.SLOW, letter.kind, self.chance)
        notes = [note, damage or "", "slow" if slow else ""]
        note = ", ".join(part for part in notes if part)
        try:
            reply = self.wire.send(letter.request, self.chance, damage=damage, pause=slow.seconds if slow else 0)
        except (WireError, RemoteTargetError) as error:
            self._log(letter, None, str(error), note=note)
            raise UndeliveredError(str(error), excused=damage is not None) from error
        self._log(letter, reply, reply.body[:2000].decode("utf-8", "replace"), note=note)
        is_forged = damage in {Damage.BAD_SIGNATURE, Damage.UNSIGNED}
        if is_forged and reply.is_success and self.wire.token:
            self.truth.remarks.append(f"{letter.kind}: the server accepted a request whose signature is {damage}")
        return Answer(reply, excused=is_forged)

    def _choose_damage(self, letter: Letter) -> Damage | None:
        if self._strikes(Breakage.BAD_SIGNATURE, letter):
            return Damage.BAD_SIGNATURE
        if self._strikes(Breakage.UNSIGNED, letter):
            return Damage.UNSIGNED
        if self._strikes(Breakage.DISCONNECT, letter):
            return self.chance.choice([Damage.CUT_BODY, Damage.CUT_REPLY])
        return None

    def _strikes(self, breakage: Breakage, letter: Letter) -> bool:
        return striking(self.faults, breakage, letter.kind, self.chance) is not None

    def _bring_one_held(self) -> None:
        if self.held and self.chance.random() < 0.4:
            self._notify(self.held.pop(self.chance.randrange(len(self.held))))

    def _put_off(self, letter: Letter) -> None:
        self.late.append(replace(letter, is_late=True))

    def _blame(self, letter: Letter, reason: str, *, status: int | None = None, excused: bool) -> None:
        advice = advise(status, _RETRY_ADVICE)
        self.truth.verdicts.append(
            undocumented(letter.request.url, f"{letter.kind}: {reason}", advice, excused=excused)
        )

    def _log_unsent(self, letter: Letter, note: str) -> None:
        self._log(letter, None, "", note=note)

    def _log(self, letter: Letter, reply: Reply | None, answer: str, *, note: str) -> None:
        is_acknowledged = reply is not None and reply.is_success
        self.truth.sent.append(
            Sent(
                kind=letter.kind,
                about=letter.about,
                at=letter.at,
                acknowledged=is_acknowledged,
                heard=reply is not None and not letter.is_late,
            )
        )
        if reply is not None and reply.attempts > 1:
            note = f"{note}, " * bool(note) + f"{reply.attempts} tries"
        self.truth.trace.append(
            Exchange(
                at=letter.at,
                kind=letter.kind,
                method=letter.request.method,
                url=letter.request.url,
                params=dict(letter.request.params),
                status=reply.status if reply else None,
                answer=answer,
                milliseconds=reply.milliseconds if reply else 0,
                note=note,
            )
        )
