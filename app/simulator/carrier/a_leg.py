"""The caller's side of a call: its clock, its patience, and the requests made on its behalf."""

import random
import time
import uuid

from app.simulator import hangups
from app.simulator.carrier import payloads
from app.simulator.carrier.call_requests import ApplicationUrls, CallRequests
from app.simulator.carrier.payloads import CallContext, Params
from app.simulator.ground_truth import LegTruth, RequestKind
from app.simulator.hangups import CallEnd
from app.simulator.scenario import Scenario
from app.simulator.wire.delivery import FaultyDelivery
from app.simulator.xml import verdicts
from app.simulator.xml.grammar import is_absolute
from app.simulator.xml.parser import XmlDocument, XmlElement
from app.simulator.xml.verdicts import PlivoVerdict, XmlSource


class ALeg:
    """The A leg of one call. `now` counts seconds from its beginning; `end` is None while it lasts."""

    def __init__(
        self,
        *,
        scenario: Scenario,
        context: CallContext,
        urls: ApplicationUrls,
        delivery: FaultyDelivery,
        id_rng: random.Random,
        real_time: bool = False,
    ) -> None:
        """Start at second 0 with nothing sent."""
        self.scenario = scenario
        self.context = context
        self.urls = urls
        self.delivery = delivery
        self.truth = delivery.truth
        self.requests = CallRequests(delivery, context)
        self.id_rng = id_rng
        self.real_time = real_time
        self.now = 0.0
        self.end: CallEnd | None = None
        self.gives_up_at = scenario.caller_gives_up_after
        self.cut_at: float | None = None

    def make_uuid(self) -> str:
        """Return the next UUID of this call."""
        return str(uuid.UUID(int=self.id_rng.getrandbits(128), version=4))

    # State and time.

    def advance(self, to: float) -> None:
        """Move the clock forward, and wait as long if the call runs in real time."""
        if self.real_time and to > self.now:
            time.sleep(to - self.now)
        self.now = max(self.now, to)

    def pass_time(self, seconds: float) -> None:
        """Let time pass; the caller may hang up or a scheduled hangup come first."""
        to = self.now + seconds
        ends = [(self.gives_up_at, self.hang_up), (self.cut_at, self.cut)]
        due = [(moment, end) for moment, end in ends if moment is not None and moment <= to]
        moment, end = min(due, key=lambda one: one[0], default=(to, None))
        self.advance(moment)
        if end is not None:
            end()

    def answer(self) -> None:
        """Mark the A leg as answered, the first time."""
        if self.context.answered_at is None:
            self.context.answered_at = self.now

    def connect(self) -> None:
        """Mark the A leg as talking to a callee: from now on the caller stays."""
        self.answer()
        self.gives_up_at = None

    def hang_up(self) -> None:
        """End the call because the person on the A leg hung up."""
        if self.end is not None:
            return
        if self.context.answered_at is None:
            self.end = hangups.CALLER_GONE_UNANSWERED
        else:
            self.end = hangups.CALLEE_GONE if self.context.outbound else hangups.CALLER_GONE

    def cut(self) -> None:
        """End the call because of a `<Hangup schedule>`."""
        if self.end is None:
            is_answered = self.context.answered_at is not None
            self.end = hangups.SCHEDULED_HANGUP if is_answered else hangups.SCHEDULED_HANGUP_UNANSWERED

    def fail(self, verdict: PlivoVerdict) -> None:
        """Record a verdict, and end the call by it if it has not ended."""
        self.truth.verdicts.append(verdict)
        if self.end is None:
            self.end = hangups.end_by_verdict(verdict, answered=self.context.answered_at is not None)

    # Requests.

    def follow(
        self,
        source: XmlSource,
        kind: RequestKind,
        url: str,
        method: str,
        params: Params,
        *,
        about: str = "",
        byte: int | None = None,
    ) -> XmlDocument | None:
        """Return the document at a URL; an invalid one ends the call, and for an ended call it is discarded."""
        had_ended = self.end is not None
        found = self.requests.fetch_document(source, kind, url, method, params, self.now, about=about, byte=byte)
        if isinstance(found, PlivoVerdict):
            self.fail(found)
            return None
        return None if had_ended else found

    def follow_action(
        self, kind: RequestKind, element: XmlElement, params: Params, about: str = ""
    ) -> XmlDocument | None:
        """Request an element's action URL, and return the next document if the element redirects to it."""
        url, method = element.get("action"), element.get("method", "POST")
        if not url:
            return None
        byte = element.byte_of("action")
        if element.is_true("redirect", default=True):
            return self.follow(XmlSource.ACTION, kind, url, method, params, about=about, byte=byte)
        if is_absolute(url) and method in {"GET", "POST"}:
            self.notify(kind, url, method, params, about)
            return None
        reason = f"action {url!r} with method {method!r} is never requested"
        advice = "write an absolute URL, and GET or POST"
        self.truth.verdicts.append(verdicts.without_code(url, reason, advice, byte=byte))
        return None

    def fetch_prompt(self, kind: RequestKind, dial: XmlElement, attribute: str) -> bool:
        """Fetch a prompt and return whether it can be played; a fault does not end the call."""
        params = payloads.redirected(self.context)
        fault = self.requests.check_prompt(kind, attribute, dial.get(attribute), params, self.now)
        if fault is not None:
            self.truth.verdicts.append(fault)
        return fault is None

    def notify(self, kind: RequestKind, url: str, method: str, params: Params, about: str = "") -> None:
        """Send a notice."""
        self.requests.notify(kind, url, method, params, self.now, about)

    def call_back(self, kind: RequestKind, element: XmlElement, params: Params, about: str) -> None:
        """Send a notice to an element's callback URL, if it has one."""
        if url := element.get("callbackUrl"):
            self.notify(kind, url, element.get("callbackMethod", "POST"), params, about)

    def report_leg(self, dial: XmlElement, leg: LegTruth, event: str) -> None:
        """Report a leg's `answer`, `connected` or `hangup` to the Dial's callback URL."""
        params = payloads.leg_event(self.context, leg, event)
        self.call_back(RequestKind.CALLBACK, dial, params, f"{leg.b_leg_uuid} {event}")

    def report_digits(self, dial: XmlElement, leg: LegTruth, pressed: str, side: str) -> None:
        """Report matched digits to the Dial's callback URL; `side` is ALeg or BLeg."""
        params = payloads.digits(self.context, leg, pressed, side)
        self.call_back(RequestKind.CALLBACK, dial, params, f"{leg.b_leg_uuid} digits")
