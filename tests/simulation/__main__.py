"""Replay one seed, or run many: `python -m tests.simulation SEED [NUMBER]`."""

import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.simulation.simulate import make_template, run_seed


def main(first: int, number: int = 1) -> None:
    """Run seeds and print which rare paths they reached."""
    logging.disable()
    reached: Counter[str] = Counter()
    started = time.process_time()
    with tempfile.TemporaryDirectory() as directory:
        template = make_template(Path(directory))
        for seed in range(first, first + number):
            reached += run_seed(seed, template)
    sys.stdout.write(f"{number:,} seeds in {time.process_time() - started:.1f} s of one processor\n")
    for name, times in sorted(reached.items()):
        sys.stdout.write(f"{times:8,}  {name}\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
