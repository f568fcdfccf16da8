"""What happened in a simulated call, and what of it reached the server."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.simulator.hangups import CallEnd, LegEnd
from app.simulator.xml.verdicts import PlivoVerdict
from app.voice.outcome import Outcome


class RequestKind(StrEnum):
    """What a request is for."""

    ANSWER = "answer"
    FALLBACK = "fallback"
    ACTION = "action"
    REDIRECT = "redirect"
    RECORD = "record"
    DIGITS = "digits"
    CONFIRM = "confirm"
    MUSIC = "music"
    CALLBACK = "callback"
    RING = "ring"
    HANGUP = "hangup"
    RECORDING = "recording"
    PHLO = "phlo"

    @property
    def is_notice(self) -> bool:
        """Return whether nobody on the line waits for the reply."""
        return self in {self.CALLBACK, self.RING, self.HANGUP, self.RECORDING, self.PHLO}


@dataclass(slots=True, kw_only=True)
class LegTruth:
    """One target of a dial. Times in seconds from the beginning of the call."""

    b_leg_uuid: str
    target: str
    position: int
    started_at: float
    answered_at: float | None = None
    connected_at: float | None = None
    ended_at: float | None = None
    end: LegEnd | None = None

    @property
    def seconds(self) -> int:
        """Return Plivo's DialBLegDuration: whole seconds since the leg was answered."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return round(self.ended_at - self.answered_at)


@dataclass(slots=True, kw_only=True)
class DialTruth:
    """One Dial: how Plivo reports its end, and its legs. Times as in LegTruth.

    `handed_out_at` is when the server handed out its document; a greeting may come between that and the ringing.
    """

    number: int
    handed_out_at: float
    started_at: float
    legs: list[LegTruth]
    ended_at: float = 0
    status: str = ""
    cause: str = ""
    rang: bool = False
    outcomes: frozenset[Outcome] = frozenset()
    winner: LegTruth | None = None
    named_leg: LegTruth | None = None
    has_action: bool = False
    has_callback: bool = False

    @property
    def b_leg_uuid(self) -> str:
        """Return the B leg that the action report names: as a rule the one that was connected, else empty."""
        leg = self.winner or self.named_leg
        return leg.b_leg_uuid if leg else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """One request of a call with its reply.

    `at` in seconds from the beginning of the call. `about` names its subject: the number of a dial for an action,
    a B leg's UUID and event for a callback. `acknowledged`: the server replied 2xx. `heard`: the reply came in time.
    """

    kind: RequestKind
    about: str
    at: float
    method: str
    url: str
    params: dict[str, str]
    acknowledged: bool
    heard: bool = True
    status: int | None = None
    reply: str = ""
    milliseconds: float = 0
    note: str = ""


@dataclass(slots=True, kw_only=True)
class CallTruth:
    """One whole call."""

    call_uuid: str
    scenario: str
    begun_at: datetime
    from_number: str
    to_number: str
    dials: list[DialTruth] = field(default_factory=list)
    requests: list[SentRequest] = field(default_factory=list)
    verdicts: list[PlivoVerdict] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    end: CallEnd | None = None
    answered_at: float | None = None
    ended_at: float = 0
    recordings: int = 0

    @property
    def seconds(self) -> int:
        """Return Plivo's Duration: whole seconds since the call was answered."""
        return 0 if self.answered_at is None else round(self.ended_at - self.answered_at)

    @property
    def is_right(self) -> bool:
        """Return whether the server made no mistake that the faults do not excuse."""
        return all(verdict.excused for verdict in self.verdicts)

    def count_acknowledged(self, kind: RequestKind, about: str | None = None) -> int:
        """Return how often the server acknowledged a request, or any request of this kind."""
        return sum(sent.acknowledged for sent in self.requests if sent.kind is kind and about in {None, sent.about})

    def reached(self, kind: RequestKind, about: str = "") -> bool:
        """Return whether the server acknowledged a request."""
        return self.count_acknowledged(kind, about) > 0
