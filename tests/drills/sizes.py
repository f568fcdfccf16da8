"""Drills in two sizes: a short one among the tests, a long one with `pytest -m drill`."""

import pytest


def sizes(*, short: int, long: int) -> pytest.MarkDecorator:
    """Return a mark that runs a test with `size` short, and as a drill with `size` long."""
    return pytest.mark.parametrize(
        "size", [pytest.param(short, id="short"), pytest.param(long, id="long", marks=pytest.mark.drill)]
    )
