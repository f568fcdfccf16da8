"""Every drill in two sizes: a short round among the tests, a long one by `pytest -m drill`."""

import pytest


def sizes(*, short: int, long: int) -> pytest.MarkDecorator:
    """Run a drill with `size` short, and marked as a drill with `size` long."""
    return pytest.mark.parametrize(
        "size", [pytest.param(short, id="short"), pytest.param(long, id="long", marks=pytest.mark.drill)]
    )
