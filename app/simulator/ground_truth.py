"""What really happened in a simulated call, and what of it reached the server."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.simulator.hangups import CallEnd, LegEnd
from app.simulator.xml.findings import Verdict
from app.voice.outcome import Outcome


class Kind(StrEnum):
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
        """Tell whether nobody on the line waits for the reply."""
        return self in {Kind.CALLBACK, Kind.RING, Kind.HANGUP, Kind.RECORDING, Kind.PHLO}


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
        """Return what Plivo reports as DialBLegDuration: whole seconds from being answered."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return round(self.ended_at - self.answered_at)


@dataclass(slots=True, kw_only=True)
class DialTruth:
    """One Dial: how Plivo names its end, and its legs. Times as in LegTruth."""

    number: int
    started_at: float
    legs: list[LegTruth]
    ended_at: float = 0
    status: str = ""
    cause: str = ""
    rang: bool = False
    outcomes: frozenset[Outcome] = frozenset()
    winner: LegTruth | None = None
    has_action: bool = False
    has_callback: bool = False

    @property
    def b_leg_uuid(self) -> str:
        """Return the leg that was connected, or an empty string as Plivo writes it."""
        return self.winner.b_leg_uuid if self.winner else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request of a call, whether the server acknowledged it with 2xx, and whether Plivo heard the reply.

    `about` names what it tells: a dial's number for an action, a B leg's UUID and event for a callback.
    """

    kind: Kind
    about: str
    at: float
    acknowledged: bool
    heard: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its reply as the trace shows it; `at` in seconds from the beginning of the call."""

    at: float
    kind: Kind
    method: str
    url: str
    params: dict[str, str]
    status: int | None
    answer: str
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
    sent: list[Sent] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    trace: list[Exchange] = field(default_factory=list)
    end: CallEnd | None = None
    answered_at: float | None = None
    ended_at: float = 0
    recordings: int = 0

    @property
    def seconds(self) -> int:
        """Return what Plivo reports as Duration: whole seconds from being answered."""
        return 0 if self.answered_at is None else round(self.ended_at - self.answered_at)

    @property
    def is_right(self) -> bool:
        """Tell whether everything that the server did was right, but for what the faults excuse."""
        return all(verdict.excused for verdict in self.verdicts)

    def times(self, kind: Kind, about: str | None = None) -> int:
        """Count how often the server acknowledged a request, or any of this kind."""
        return sum(sent.acknowledged for sent in self.sent if sent.kind is kind and about in {None, sent.about})

    def reached(self, kind: Kind, about: str = "") -> bool:
        """Tell whether the server acknowledged a request."""
        return self.times(kind, about) > 0
