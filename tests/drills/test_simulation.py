"""The simulation with many seeds: `SEEDS` of them, or for `SECONDS`, whichever ends first."""

import logging
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.drills.conftest import Tell
from tests.simulation.simulate import RARE, make_template, run_seed

SEEDS = 100_000
SECONDS = 1200.0


@pytest.mark.drill
def test_every_invariant_holds_in_many_seeds(tmp_path: Path, tell: Tell, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    template = make_template(tmp_path)
    first, done, ends = random.randrange(1 << 40), 0, time.monotonic() + SECONDS
    reached: Counter[str] = Counter()

    while done < SEEDS and time.monotonic() < ends:
        reached += run_seed(first + done, template)
        done += 1

    assert {path: reached[path] for path in RARE if not reached[path]} == {}
    rarest = min(RARE, key=reached.__getitem__)
    tell(f"{done:,} seeds from {first}: every invariant held; rarest path, {reached[rarest]:,} times: {rarest}")
