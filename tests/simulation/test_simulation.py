"""Right whatever happens: hundreds of small histories, each decided by one seed."""

import logging
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.simulate import RARE, make_template, run_seed

SEEDS = 200


def test_every_invariant_holds_in_every_seed_and_each_rare_path_is_reached(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    template = make_template(tmp_path)
    reached: Counter[str] = Counter()

    for seed in range(SEEDS):
        reached += run_seed(seed, template)

    assert {path: reached[path] for path in RARE if not reached[path]} == {}


def test_a_seed_replays_exactly(tmp_path: Path) -> None:
    template = make_template(tmp_path)

    assert run_seed(7, template) == run_seed(7, template)
