"""One call drawn to scale: what lasted from when to when, and when each webhook arrived.

Plivo's times are whole seconds and ours milliseconds. The picture is drawn from the same derived values that the text
shows, and nothing reaches beyond what contains it: a leg lies within its dial, a dial within its call.
"""

from dataclasses import dataclass

from app.records.model.state import CallState, DialState, LegState
from app.records.reading.queries import FoundCall
from app.reports.pages.formatting import duration
from app.voice.outcome import CallOutcome

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
    """One line of the picture: the call, a dial or a leg; `detail` is a dial's outcome, or `leg`."""

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
    """The picture: lanes from top to bottom, a mark for each webhook, the marks of the scale."""

    lanes: list[TimelineLane]
    arrivals: list[TimelineMark]
    scale: list[TimelineMark]


class _Scale:
    """Converts moments in milliseconds to percent of the width."""

    def __init__(self, moments: list[int]) -> None:
        self.start = min(moments)
        self.end = max(*moments, self.start + 1000)

    def at(self, moment: int) -> float:
        share = 100 * (moment - self.start) / (self.end - self.start)
        return round(min(max(share, 0.0), 100.0), 3)

    def bar(self, since: int, until: int, kind: str, label: str, seconds: int | None = None) -> TimelineBar:
        """Return the bar between two moments; its label ends with the seconds that the text shows, if any."""
        left = self.at(since)
        lasted = duration(max(0, round((until - since) / 1000)) if seconds is None else seconds)
        width = round(max(self.at(until) - left, 0.4), 3)
        return TimelineBar(left=left, width=width, kind=kind, label=f"{label} {lasted}")


def draw_timeline(found: FoundCall, *, now: int) -> Timeline:
    """Return the picture of a call; `now` in milliseconds is where everything ends that has not ended yet."""
    arrivals = [receipt["received_at"] for receipt in found.receipts]
    is_open = found.call.outcome == CallOutcome.IN_PROGRESS and found.call.ended_at is None
    moments = _moments(found)
    latest = now if is_open else max([*arrivals, *moments])
    scale = _Scale([*arrivals, *moments, latest])
    end = found.call.ended_at or latest
    lanes = [TimelineLane(name="Call", detail="", bars=_call_bars(found.call, end, scale))]
    for each in found.dials:
        dial = each.dial
        until = max(dial.ended_at or end, dial.started_at)
        lanes.append(TimelineLane(name="Dial", detail=dial.outcome, bars=_dial_bars(dial, until, scale)))
        legs = [leg for leg in found.legs if leg.dial_id == dial.dial_id]
        lanes.extend(_leg_lane(leg, dial, until, scale) for leg in legs)
    return Timeline(
        lanes=lanes,
        arrivals=[TimelineMark(left=scale.at(at), label=str(index)) for index, at in enumerate(arrivals, 1)],
        scale=_ticks(scale),
    )


def _moments(found: FoundCall) -> list[int]:
    """Return every moment of the call and its dials, so that all of it fits; legs lie within their dials."""
    known = [found.call.started_at, found.call.ended_at]
    for each in found.dials:
        known += [each.dial.started_at, each.dial.answered_at, each.dial.ended_at]
    return [moment for moment in known if moment is not None]


def _call_bars(call: CallState, end: int, scale: _Scale) -> list[TimelineBar]:
    answered = call.answered_at
    # With a wrong PLIVO_TIMEZONE Plivo's time of the answer lies outside the call.
    if answered is None or not call.started_at - 1000 <= answered <= end:
        return [scale.bar(call.started_at, end, "call", "whole call")]
    answered = max(answered, call.started_at)
    return [
        scale.bar(call.started_at, answered, "call", "not answered for"),
        scale.bar(answered, end, "call-answered", "answered for"),
    ]


def _dial_bars(dial: DialState, until: int, scale: _Scale) -> list[TimelineBar]:
    if dial.answered_at is None:
        return [scale.bar(dial.started_at, until, "ringing", "rang for", dial.ring_seconds)]
    answered = min(dial.answered_at, until)
    bars = [scale.bar(dial.started_at, answered, "ringing", "rang for", dial.ring_seconds)]
    if dial.talk_seconds is not None:  # The report of the end may come long after it.
        until = min(until, answered + dial.talk_seconds * 1000)
    return [*bars, scale.bar(answered, until, "talking", "talked for", dial.talk_seconds)]


def _leg_lane(leg: LegState, dial: DialState, dial_until: int, scale: _Scale) -> TimelineLane:
    """Return the lane of a leg, within its dial; the leg that talked is drawn as its dial says."""
    began = dial.started_at
    picked_up = leg.answered_at or leg.connected_at or leg.answer_time
    until = dial_until if leg.ended_at is None else min(max(leg.ended_at, began), dial_until)
    if picked_up is not None and leg.target is not None and leg.target == dial.answered_by:
        bars = _dial_bars(dial, max(until, dial.answered_at or 0), scale)
    elif picked_up is None:
        bars = [scale.bar(began, until, "ringing", "rang for")]
    else:
        picked_up = min(max(picked_up, began), until)
        bars = [
            scale.bar(began, picked_up, "ringing", "rang for"),
            scale.bar(picked_up, until, "talking", "picked up for"),
        ]
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
