"""Cut the power at points of a recording: `python -m tests.drills.power_cut RECORDING POINTS [FIRST END]`.

Prints a line of JSON for each point at which something was wrong; one point is run again by `POINTS N N+1`.
"""

import json
import logging
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.drills.power_cut.disk import lay_out, timeline
from tests.drills.power_cut.recording import Recording
from tests.drills.power_cut.recovery import what_is_wrong

# In memory where the system has a place for it.
_PLACE = next((place for place in (Path("/dev/shm"),) if place.is_dir()), None)


def points(recording: Recording, number: int) -> list[int]:
    """Return after how many steps the power is cut at each of so many points, in ascending order.

    Most steps write to a log; what happens seldom is chosen more often than by its share.
    """
    kinds = [(step.name, step.path) for step in timeline(recording.steps)]
    frequency = Counter(kinds)
    weights = [frequency[kind] ** -0.5 for kind in kinds]
    return sorted(1 + place for place in random.Random(number).choices(range(len(kinds)), weights, k=number))


def cuts(recording: Recording, number: int, first: int, end: int) -> Iterator[tuple[int, Path, set[str]]]:
    """Yield some of the points, each with its files, which are there until the next one, and what was acknowledged."""
    disk, acknowledged, taken = recording.disk(), set[str](), 0
    steps = timeline(recording.steps)
    for point, place in list(enumerate(points(recording, number)))[first:end]:
        for step in steps[taken:place]:
            disk.take(step)
            if step.name == "reply":
                acknowledged.add(step.target)
        taken = place
        chance = random.Random(point)
        with tempfile.TemporaryDirectory(dir=_PLACE, prefix="dialstatus-cut-") as directory:
            lay_out(disk.after_cut(chance), recording.root, Path(directory), chance)
            yield point, Path(directory), acknowledged


def wrong_after_cuts(recording: Recording, number: int, first: int, end: int) -> Iterator[dict[str, Any]]:
    """Yield the points among some of a recording at which something was wrong, and what."""
    for point, directory, acknowledged in cuts(recording, number, first, end):
        if wrong := what_is_wrong(directory / "instance", directory / recording.database, acknowledged):
            yield {"point": point, "wrong": wrong}


def main(recording_path: str, number: int, first: int = 0, end: int | None = None) -> None:
    """Cut the power at points of a recording and print what was wrong."""
    os.nice(10)
    logging.disable(logging.WARNING)
    recording = Recording.read(Path(recording_path))
    for found in wrong_after_cuts(recording, number, first, number if end is None else end):
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
