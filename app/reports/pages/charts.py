"""Pictures to scale: where each rectangle stands, so that the templates need only write it down as SVG.

Widths are in percent, so that a picture fits every screen while its text keeps its size; heights in pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.voice.outcome import Outcome

ORDER = (
    Outcome.ANSWERED,
    Outcome.MISSED,
    Outcome.CALLER_GAVE_UP,
    Outcome.BUSY,
    Outcome.REJECTED,
    Outcome.UNREACHABLE,
    Outcome.FAILED,
    Outcome.UNKNOWN,
    Outcome.IN_PROGRESS,
)
HEIGHT = 220
_MOST_LABELS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One rectangle of a column: `x` and `width` in percent, `y` from the top and `height` in pixels."""

    x: float
    y: float
    width: float
    height: float
    outcome: Outcome
    count: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Columns divided by outcome, a line for each round number, and as many labels as have room."""

    pieces: list[Piece]
    lines: list[tuple[float, int]]
    labels: list[tuple[float, str]]


def stack(labels: Sequence[str], counts: Sequence[Mapping[str, int]]) -> Columns:
    """Place one column for each label. The highest fills the height."""
    step = _round_step(max((sum(count.values()) for count in counts), default=0))
    top = step * max(1, -(-max((sum(count.values()) for count in counts), default=0) // step))
    slot = 100 / max(len(labels), 1)
    every = -(-len(labels) // _MOST_LABELS) or 1
    return Columns(
        pieces=[
            piece
            for index, (label, count) in enumerate(zip(labels, counts, strict=True))
            for piece in _column(label, count, x=index * slot + slot * 0.12, width=slot * 0.76, top=top)
        ],
        lines=[(round(HEIGHT * (1 - value / top), 1), value) for value in range(0, top + 1, step)],
        labels=[(round((index + 0.5) * slot, 2), labels[index]) for index in range(0, len(labels), every)],
    )


def _column(label: str, count: Mapping[str, int], *, x: float, width: float, top: int) -> list[Piece]:
    pieces, below = [], 0
    for outcome in ORDER:
        if not (number := count.get(outcome, 0)):
            continue
        below += number
        pieces.append(
            Piece(
                x=round(x, 3),
                y=round(HEIGHT * (1 - below / top), 2),
                width=round(width, 3),
                height=round(HEIGHT * number / top, 2),
                outcome=outcome,
                count=number,
                label=label,
            )
        )
    return pieces


def _round_step(most: int) -> int:
    """Find a round number of which four or five make the highest column."""
    step = 1
    while most > 5 * step:
        step = next(factor * magnitude for factor, magnitude in _round_numbers(step) if factor * magnitude > step)
    return step


def _round_numbers(above: int) -> list[tuple[int, int]]:
    magnitude = 10 ** (len(str(above)) - 1)
    return [(factor, magnitude) for factor in (2, 5, 10)]
