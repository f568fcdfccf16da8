"""The colours: readable in light and dark, and outcomes distinct for people with any kind of colour blindness."""

import math
import re
from itertools import combinations
from pathlib import Path

import pytest

from app.voice.outcome import CallOutcome, Outcome

STYLE = Path("app/reports/pages/static/reports.css")
STYLES = STYLE.read_text()
OUTCOMES = sorted({*CallOutcome, *Outcome})
THEMES = {"light": ":root {", "dark": '[data-bs-theme="dark"] {'}
# Machado, Oliveira and Fernandes, A Physiologically-based Model for Simulation of Color Vision Deficiency (2009):
# what linear RGB looks like without one kind of cone.
SIGHT = {
    "full colour vision": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
# Ottosson, A perceptual color space for image processing (2020).
LMS = ((0.4122215, 0.5363325, 0.0514460), (0.2119035, 0.6806995, 0.1073970), (0.0883025, 0.2817188, 0.6299787))
LAB = ((0.2104543, 0.7936178, -0.0040720), (1.9779985, -2.4285922, 0.4505937), (0.0259040, 0.7827718, -0.8086758))
LEAST_DISTANCE = 0.08  # In OKLab; about 0.02 is just noticeable.

Colour = tuple[float, ...]


def tokens(theme: str) -> dict[str, Colour]:
    """Return the theme's colours by name, as linear RGB between 0 and 1."""
    found: dict[str, str] = {}
    for name in THEMES if theme == "dark" else ("light",):
        block = STYLES[STYLES.index(THEMES[name]) :].partition("}")[0]
        found.update(re.findall(r"--([\w-]+): (#[0-9a-f]+);", block))
    return {name: linear(text) for name, text in found.items()}


def linear(text: str) -> Colour:
    """Return `#rgb` or `#rrggbb` as linear RGB."""
    digits = text[1:] if len(text) == 7 else "".join(2 * digit for digit in text[1:])
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)


def times(matrix: tuple[Colour, ...], colour: Colour) -> Colour:
    """Return the product of a matrix and a colour."""
    return tuple(sum(factor * part for factor, part in zip(row, colour, strict=True)) for row in matrix)


def oklab(colour: Colour) -> Colour:
    """Return linear RGB in OKLab, where distances are what people see."""
    return times(LAB, tuple(max(part, 0) ** (1 / 3) for part in times(LMS, colour)))


def distance(one: Colour, other: Colour, sight: str) -> float:
    """Return how far two colours are from each other to somebody with this sight."""
    seen = [oklab(tuple(min(max(part, 0), 1) for part in times(SIGHT[sight], colour))) for colour in (one, other)]
    return math.dist(*seen)


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of WCAG 2.2."""
    dark, light = sorted(
        sum(f * c for f, c in zip((0.2126, 0.7152, 0.0722), each, strict=True)) for each in (one, other)
    )
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("theme", THEMES)
def test_no_two_outcomes_look_alike(theme: str, sight: str) -> None:
    colours = tokens(theme)

    near = {
        (one, other): round(apart, 3)
        for one, other in combinations(OUTCOMES, 2)
        if (apart := distance(colours[one], colours[other], sight)) < LEAST_DISTANCE
    }

    assert near == {}


@pytest.mark.parametrize("theme", THEMES)
def test_every_outcome_stands_out_from_the_surface_and_the_page(theme: str) -> None:
    colours = tokens(theme)

    faint = {outcome: ratio for outcome in OUTCOMES if (ratio := contrast(colours[outcome], colours["surface"])) < 3}

    assert faint == {}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", ["page", "surface", "sunken"])
@pytest.mark.parametrize("text", ["ink", "ink-soft", "accent", "good", "bad"])
def test_text_is_readable_on_every_ground(text: str, ground: str, theme: str) -> None:
    colours = tokens(theme)

    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_text_on_the_accent_is_readable_and_the_focus_is_seen(theme: str) -> None:
    colours = tokens(theme)

    assert contrast(colours["accent-ink"], colours["accent"]) >= 4.5
    assert contrast(colours["focus"], colours["page"]) >= 3


def test_every_outcome_has_a_colour_class_and_an_icon() -> None:
    icons = re.findall(r'<symbol id="([\w-]+)"', STYLE.with_name("icons.svg").read_text())

    assert [one for one in OUTCOMES if f".outcome-{one} {{ --outcome: var(--{one}); }}" not in STYLES] == []
    assert [one for one in OUTCOMES if one not in icons] == []


def test_our_own_styles_stay_under_five_hundred_lines() -> None:
    assert len(STYLES.splitlines()) < 500
