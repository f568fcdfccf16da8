"""Deliver the requests of one call to the server, through the faults that were asked for."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.simulator.ground_truth import CallTruth, RequestKind, SentRequest
from app.simulator.wire.faults import Fault, FaultKind, find_fault
from app.simulator.wire.http_exchange import Damage, HttpReply, NoReplyError
from app.simulator.wire.transport import HttpRequest, RemoteTargetError, Transport
from app.simulator.xml.verdicts import advice_for, without_code

_NOTICE_ADVICE = "answer notices with 2xx; Plivo retries after a 503 where the URL's fragment says rp=5xx"
_RELEASE_PROBABILITY = 0.4


class UndeliveredError(Exception):
    """No reply came; `excused` if the simulator broke the wire itself."""

    def __init__(self, reason: str, *, excused: bool) -> None:
        """Keep the reason for the verdict."""
        super().__init__(reason)
        self.reason = reason
        self.excused = excused


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRequest:
    """A request and what it is about; `at` in seconds from the beginning of the call."""

    kind: RequestKind
    request: HttpRequest
    at: float
    about: str = ""
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class DeliveredReply:
    """A reply; `excused` if the simulator had damaged the request."""

    reply: HttpReply
    excused: bool


class FaultyDelivery:
    """Delivers one call's requests. The faults come from `rng`, so that a seed repeats them; nonces from `id_rng`."""

    def __init__(
        self,
        transport: Transport,
        faults: Sequence[Fault],
        rng: random.Random,
        id_rng: random.Random,
        truth: CallTruth,
    ) -> None:
        """Start with nothing held back."""
        self.transport = transport
        self.faults = faults
        self.rng = rng
        self.id_rng = id_rng
        self.truth = truth
        self.held: list[OutgoingRequest] = []
        self.late: list[OutgoingRequest] = []

    def send_control(self, outgoing: OutgoingRequest) -> DeliveredReply:
        """Send a request whose reply steers the call, or raise UndeliveredError."""
        if self._has_fault(FaultKind.LOST, outgoing):
            self._log(outgoing, None, "", note="lost on its way")
            raise UndeliveredError("the request was lost on its way", excused=True)
        if self._has_fault(FaultKind.LATE, outgoing):
            self.late.append(replace(outgoing, is_late=True))
            raise UndeliveredError("the request was late; Plivo stopped waiting", excused=True)
        delivered = self._deliver(outgoing)
        if self._has_fault(FaultKind.DUPLICATE, outgoing):
            self._send_copy(outgoing, delivered)
        self._release_one()
        return delivered

    def send_notice(self, outgoing: OutgoingRequest) -> None:
        """Send a notice: nobody waits for it, so it may be lost, late, duplicated or out of order."""
        if self._has_fault(FaultKind.LOST, outgoing):
            self._log(outgoing, None, "", note="lost on its way")
        elif self._has_fault(FaultKind.LATE, outgoing):
            self.late.append(replace(outgoing, is_late=True))
        elif self._has_fault(FaultKind.REORDER, outgoing):
            self.held.append(outgoing)
        else:
            self._notify(outgoing)
        self._release_one()

    def release_all(self) -> None:
        """Send everything held back, in random order."""
        self.rng.shuffle(self.held)
        while self.held:
            self._notify(self.held.pop())

    def deliver_late(self) -> None:
        """Send the late requests, after all calls have ended."""
        while self.late:
            outgoing = self.late.pop(0)
            try:
                self._deliver(outgoing, note="late")
            except UndeliveredError as error:
                self._report(outgoing, error.reason, excused=error.excused)

    def _notify(self, outgoing: OutgoingRequest) -> None:
        copies = 2 if self._has_fault(FaultKind.DUPLICATE, outgoing) else 1
        for copy in range(copies):
            try:
                delivered = self._deliver(outgoing, note="a copy" if copy else "")
            except UndeliveredError as error:
                self._report(outgoing, error.reason, excused=error.excused)
                continue
            if not delivered.reply.is_success:
                status = delivered.reply.status
                self._report(outgoing, f"the status is {status}", status=status, excused=delivered.excused)

    def _send_copy(self, outgoing: OutgoingRequest, first: DeliveredReply) -> None:
        """Send a control request again; Plivo follows the first reply, and the second should equal it."""
        try:
            second = self._deliver(outgoing, note="a copy")
        except UndeliveredError as error:
            self._report(outgoing, error.reason, excused=error.excused)
            return
        if second.reply.body != first.reply.body:
            excused = first.excused or second.excused or outgoing.kind is not RequestKind.ACTION
            reason = "a copy of the same request was answered with another document"
            advice = "answer a repeated request as the first time, since Plivo may follow either reply"
            self.truth.verdicts.append(without_code(outgoing.request.url, reason, advice, excused=excused))

    def _deliver(self, outgoing: OutgoingRequest, note: str = "") -> DeliveredReply:
        """Send through the faults that damage a request, and log what came of it."""
        damage = self._choose_damage(outgoing)
        slow = find_fault(self.faults, FaultKind.SLOW, outgoing.kind, self.rng)
        note = ", ".join(filter(None, (note, damage, "slow" if slow else None)))
        try:
            reply = self.transport.send(outgoing.request, self.id_rng, damage=damage, pause=slow.seconds if slow else 0)
        except (NoReplyError, RemoteTargetError) as error:
            self._log(outgoing, None, str(error), note=note)
            raise UndeliveredError(str(error), excused=damage is not None) from error
        self._log(outgoing, reply, reply.body[:2000].decode("utf-8", "replace"), note=note)
        is_forged = damage in {Damage.BAD_SIGNATURE, Damage.UNSIGNED}
        if is_forged and reply.is_success and self.transport.token:
            self.truth.remarks.append(f"{outgoing.kind}: the server accepted a request whose signature is {damage}")
        return DeliveredReply(reply, excused=is_forged)

    def _choose_damage(self, outgoing: OutgoingRequest) -> Damage | None:
        if self._has_fault(FaultKind.BAD_SIGNATURE, outgoing):
            return Damage.BAD_SIGNATURE
        if self._has_fault(FaultKind.UNSIGNED, outgoing):
            return Damage.UNSIGNED
        if self._has_fault(FaultKind.DISCONNECT, outgoing):
            return self.rng.choice([Damage.CUT_BODY, Damage.CUT_REPLY])
        return None

    def _has_fault(self, kind: FaultKind, outgoing: OutgoingRequest) -> bool:
        return find_fault(self.faults, kind, outgoing.kind, self.rng) is not None

    def _release_one(self) -> None:
        if self.held and self.rng.random() < _RELEASE_PROBABILITY:
            self._notify(self.held.pop(self.rng.randrange(len(self.held))))

    def _report(self, outgoing: OutgoingRequest, reason: str, *, status: int | None = None, excused: bool) -> None:
        advice = advice_for(status, _NOTICE_ADVICE)
        verdict = without_code(outgoing.request.url, f"{outgoing.kind}: {reason}", advice, excused=excused)
        self.truth.verdicts.append(verdict)

    def _log(self, outgoing: OutgoingRequest, reply: HttpReply | None, text: str, *, note: str) -> None:
        if reply is not None and reply.attempts > 1:
            note = ", ".join(filter(None, (note, f"{reply.attempts} tries")))
        self.truth.requests.append(
            SentRequest(
                kind=outgoing.kind,
                about=outgoing.about,
                at=outgoing.at,
                method=outgoing.request.method,
                url=outgoing.request.url,
                params=dict(outgoing.request.params),
                acknowledged=reply is not None and reply.is_success,
                heard=reply is not None and not outgoing.is_late,
                status=reply.status if reply else None,
                reply=text,
                milliseconds=reply.milliseconds if reply else 0,
                note=note,
            )
        )
