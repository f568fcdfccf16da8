"""Types for what Plivo reports about a call; `parsing.py` makes them from its parameters.

Times are integers: milliseconds since 1970-01-01 UTC. Durations are whole seconds, as Plivo sends them. Treat an event
as immutable; the classes are not frozen because that triples the time to make one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Which of our URLs a request came to, hence what it is about."""

    ANSWER = "answer"
    ACTION = "action"
    CALLBACK = "callback"
    RING = "ring"
    HANGUP = "hangup"
    RECORDING = "recording"
    PHLO = "phlo"
    FALLBACK = "fallback"
    CONFIRM = "confirm"
    MUSIC = "music"
    VOICEMAIL = "voicemail"
    CDR = "cdr"


class Source(StrEnum):
    """Where a report comes from: a webhook during the call, or the call detail record afterwards."""

    WEBHOOK = "webhook"
    PHLO = "phlo"
    CDR = "cdr"


class CallFacts(NamedTuple):
    """The standard parameters, as far as a request carries them.

    `call_uuid` is the A leg's. `session_start` is Plivo's UTC time of the session, in milliseconds. `verification` and
    `attestation` are what STIR/SHAKEN says about the caller's number, in Plivo's words.
    """

    call_uuid: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    direction: str | None = None
    call_status: str | None = None
    caller_name: str | None = None
    forwarded_from: str | None = None
    request_uuid: str | None = None
    session_start: int | None = None
    verification: str | None = None
    attestation: str | None = None


class Hangup(NamedTuple):
    """Why and after how long a leg ended.

    `cause` is the FreeSWITCH-style word, `name` and `code` are Plivo's own (hangup causes table). `duration` and
    `bill_duration` are in seconds; `cost` is as Plivo wrote it.
    """

    cause: str | None = None
    name: str | None = None
    code: int | None = None
    source: str | None = None
    duration: int | None = None
    bill_duration: int | None = None
    cost: str | None = None


NO_HANGUP = Hangup()


@dataclass(slots=True, kw_only=True)
class Event:
    """One report about a call. `at` is when it was received, in milliseconds."""

    at: int
    call: CallFacts
    source: Source = Source.WEBHOOK


@dataclass(slots=True, kw_only=True)
class CallAsked(Event):
    """Plivo asked what to do with a call (answer URL)."""


@dataclass(slots=True, kw_only=True)
class CallRinging(Event):
    """An outbound call rings (ring URL)."""


@dataclass(slots=True, kw_only=True)
class CallHungUp(Event):
    """The whole call ended (hangup URL, or the answer URL where no hangup URL is set).

    `derived_offset` is the account's offset from UTC in seconds, where the times show another than is configured.
    """

    hangup: Hangup
    answered_at: int | None = None
    ended_at: int | None = None
    derived_offset: int | None = None


@dataclass(slots=True, kw_only=True)
class CallNoted(Event):
    """A request with nothing more than its standard parameters."""


@dataclass(slots=True, kw_only=True)
class DialEnded(Event):
    """A dial ended (action URL). `status`, `cause` are Plivo's words, `rang` its DialRingStatus.

    `hangup` is why the B leg ended, where the report has that too; Plivo documents it for the callback URL only.
    """

    status: str | None = None
    rang: bool | None = None
    cause: str | None = None
    b_leg_uuid: str | None = None
    hangup: Hangup = NO_HANGUP


@dataclass(slots=True, kw_only=True)
class LegEvent(Event):
    """Something happened to one leg of a dial (callback URL)."""

    b_leg_uuid: str
    target: str | None = None
    position: int | None = None


@dataclass(slots=True, kw_only=True)
class LegAnswered(LegEvent):
    """A callee picked up. A confirm step may still follow."""


@dataclass(slots=True, kw_only=True)
class LegConnected(LegEvent):
    """Caller and callee were put through to each other."""


@dataclass(slots=True, kw_only=True)
class LegHungUp(LegEvent):
    """A callee's side ended."""

    hangup: Hangup
    answered_at: int | None = None
    ended_at: int | None = None


@dataclass(slots=True, kw_only=True)
class DigitsPressed(LegEvent):
    """A digit pattern was pressed. `by` is `aleg` or `bleg`, in lower case."""

    digits: str
    by: str | None = None


@dataclass(slots=True, kw_only=True)
class RecordingMade(Event):
    """A recording is ready, or its transcription. `milliseconds` is None until Plivo knows the length (-1 before)."""

    recording_id: str
    url: str | None = None
    milliseconds: int | None = None
    transcription: str | None = None
