"""One call drawn to scale: what lasted from when to when, and when each webhook arrived."""

from dataclasses import dataclass

from app.records.model.state import CallState, LegState
from app.records.reading.queries import FoundCall, FoundDial
from app.voice.outcome import Outcome

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_TICKS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineBar:
    """Something that lasted: its start and length in percent of the width; `label` names it."""

    left: float
    width: float
    kind: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineLane:
    """One line of the picture: the call, a dial or a leg."""

    name: str
    detail: str
    bars: list[TimelineBar]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineMark:
    """A moment: its place in percent of the width, and its number or time."""

    left: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The picture: lanes from top to bottom, a mark for each webhook, the marks of the scale, the length in seconds."""

    lanes: list[TimelineLane]
    arrivals: list[TimelineMark]
    scale: list[TimelineMark]
    seconds: int


class _Scale:
    """Converts moments in milliseconds to percent of the width."""

    def __init__(self, moments: list[int]) -> None:
        self.start = min(moments)
        self.end = max(*moments, self.start + 1000)

    def at(self, moment: int) -> float:
        share = 100 * (moment - self.start) / (self.end - self.start)
        return round(min(max(share, 0.0), 100.0), 3)

    def bar(self, since: int, until: int, kind: str, label: str) -> TimelineBar:
        left = self.at(since)
        return TimelineBar(left=left, width=round(max(self.at(until) - left, 0.4), 3), kind=kind, label=label)


def draw_timeline(found: FoundCall, *, now: int) -> Timeline:
    """Return the picture of a call; `now` in milliseconds is where everything ends that has not ended yet."""
    arrivals = [receipt["received_at"] for receipt in found.receipts]
    is_open = any(dial.dial.outcome == Outcome.IN_PROGRESS for dial in found.dials) and found.call.ended_at is None
    latest = now if is_open else max([*arrivals, *_moments(found)], default=found.call.started_at)
    scale = _Scale([*arrivals, *_moments(found), latest])
    end = found.call.ended_at or latest
    lanes = [
        TimelineLane(
            name="Call",
            detail="from the first ring to the end",
            bars=_call_bars(found.call, end, scale),
        )
    ]
    for dial in found.dials:
        lanes.append(_dial_lane(dial, end, scale))
        lanes.extend(_leg_lane(leg, dial, end, scale) for leg in found.legs if leg.dial_id == dial.dial.dial_id)
    return Timeline(
        lanes=lanes,
        arrivals=[TimelineMark(left=scale.at(at), label=str(index)) for index, at in enumerate(arrivals, 1)],
        scale=_ticks(scale),
        seconds=round((scale.end - scale.start) / 1000),
    )


def _moments(found: FoundCall) -> list[int]:
    """Return every moment known of the call, so that all of it fits."""
    known = [found.call.started_at, found.call.ended_at]
    for each in found.dials:
        known += [each.dial.started_at, each.dial.answered_at, each.dial.ended_at]
    for leg in found.legs:
        known += [leg.answered_at, leg.connected_at, leg.ended_at]
    return [moment for moment in known if moment is not None]


def _call_bars(call: CallState, end: int, scale: _Scale) -> list[TimelineBar]:
    answered = call.answered_at
    # Plivo sends whole seconds in the account's time zone; with a wrong PLIVO_TIMEZONE they lie outside the call.
    if answered is None or not call.started_at - 1000 <= answered <= end:
        return [scale.bar(call.started_at, end, "call", "the whole call")]
    return [
        scale.bar(call.started_at, answered, "call", "not answered yet"),
        scale.bar(answered, end, "call-answered", "answered"),
    ]


def _dial_lane(found: FoundDial, end: int, scale: _Scale) -> TimelineLane:
    dial = found.dial
    until = dial.ended_at or end
    bars = []
    if dial.answered_at is None:
        bars.append(scale.bar(dial.started_at, until, "ringing", "ringing"))
    else:
        bars.append(scale.bar(dial.started_at, dial.answered_at, "ringing", "ringing"))
        bars.append(scale.bar(dial.answered_at, until, "talking", "talking"))
    return TimelineLane(name="Dial", detail=dial.outcome, bars=bars)


def _leg_lane(leg: LegState, dial: FoundDial, end: int, scale: _Scale) -> TimelineLane:
    answered = leg.answered_at or leg.connected_at or leg.answer_time
    until = leg.ended_at or dial.dial.ended_at or end
    bars = [scale.bar(dial.dial.started_at, answered or until, "ringing", "ringing")]
    if answered is not None:
        bars.append(scale.bar(answered, until, "talking", "picked up"))
    return TimelineLane(name=leg.target or leg.b_leg_uuid, detail="leg", bars=bars)


def _ticks(scale: _Scale) -> list[TimelineMark]:
    seconds = (scale.end - scale.start) / 1000
    step = next((step for step in _STEPS if seconds / step <= _MOST_TICKS), _STEPS[-1])
    marks = range(0, min(int(seconds), step * _MOST_TICKS) + 1, step)
    return [TimelineMark(left=scale.at(scale.start + mark * 1000), label=_short(mark)) for mark in marks]


def _short(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    return (
        f"{seconds // 60}:{seconds % 60:02d}" if seconds < 3600 else f"{seconds // 3600}:{seconds % 3600 // 60:02d} h"
    )
