"""Stacked columns as rectangles, which the template writes as SVG.

Widths are percentages, so that a chart fits every screen while its text keeps its size; heights are pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.reports.pages.tiles import ORDER
from app.voice.outcome import CallOutcome

HEIGHT = 220
_MOST_LABELS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSegment:
    """One rectangle of a column: `x` and `width` in percent, `y` from the top and `height` in pixels.

    `column` is the place of its column, from 0.
    """

    x: float
    y: float
    width: float
    height: float
    outcome: CallOutcome
    count: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedColumns:
    """A chart: segments, gridlines as (y in pixels, value), and as many labels as fit as (x in percent, text)."""

    segments: list[ColumnSegment]
    gridlines: list[tuple[float, int]]
    labels: list[tuple[float, str]]


def stack_columns(labels: Sequence[str], counts: Sequence[Mapping[str, int]]) -> StackedColumns:
    """Return one column per label, stacked by outcome."""
    highest = max((sum(count.values()) for count in counts), default=0)
    step = _gridline_step(highest)
    top = step * max(1, -(-highest // step))
    slot = 100 / max(len(labels), 1)
    every = -(-len(labels) // _MOST_LABELS) or 1
    return StackedColumns(
        segments=[
            segment
            for index, count in enumerate(counts)
            for segment in _column(index, count, x=index * slot + slot * 0.12, width=slot * 0.76, top=top)
        ],
        gridlines=[(round(HEIGHT * (1 - value / top), 1), value) for value in range(0, top + 1, step)],
        labels=[(round((index + 0.5) * slot, 2), labels[index]) for index in range(0, len(labels), every)],
    )


def _column(column: int, count: Mapping[str, int], *, x: float, width: float, top: int) -> list[ColumnSegment]:
    segments, below = [], 0
    for outcome in ORDER:
        if not (number := count.get(outcome, 0)):
            continue
        below += number
        segments.append(
            ColumnSegment(
                x=round(x, 3),
                y=round(HEIGHT * (1 - below / top), 2),
                width=round(width, 3),
                height=round(HEIGHT * number / top, 2),
                outcome=outcome,
                count=number,
                column=column,
            )
        )
    return segments


def _gridline_step(highest: int) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50 … with which at most five steps reach the highest column."""
    magnitude = 1
    while highest > 50 * magnitude:
        magnitude *= 10
    return next(factor * magnitude for factor in (1, 2, 5, 10) if highest <= 5 * factor * magnitude)
