"""Run seeds, each in a directory of its own, and name the rare paths that a suite of seeds must reach."""

import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from app.records.store.prepare_tables import prepare_tables
from app.records.store.store import Store
from tests.simulation.world import World

STEPS = 40
# What must happen in a suite of seeds, so that its invariants say something about it.
RARE = (
    "a clock stepped back",
    "a counted hour changed",
    "a duplicate met its original inside the same batch",
    "a duplicate met its original of the other node",
    "a mark on a follow-up was not confirmed",
    "a process died after its commit, before the reply",
    "a process died after spooling, before the reply",
    "a process died before its commit",
    "a request stopped waiting for a commit that succeeded",
    "a spool was drained",
    "an erased person was in the store",
    "an erased person was on a spool",
    "both nodes were down",
    "old calls were deleted",
    "Plivo gave a notice up",
    "the disk of the spool was full",
    "the spool got a receipt while it was drained",
    "the store failed while a spool was drained",
    "the store refused a receipt",
    "two nodes published the same events",
)
# In memory where the system has a place for it: no seed says when a disk is slow.
_PLACE = next((place for place in (Path("/dev/shm"),) if place.is_dir()), None)


def make_template(directory: Path) -> Path:
    """Return a database with the tables and without rows."""
    database = directory / "template.db"
    store = Store(f"sqlite:///{database}", timeout=20)
    prepare_tables(store)
    store.close()
    return database


def run_seed(seed: int, template: Path, *, steps: int = STEPS) -> Counter[str]:
    """Simulate one seed and return which rare paths it reached. Raises AssertionError with the command to replay it."""
    state = random.getstate()
    with tempfile.TemporaryDirectory(dir=_PLACE, prefix="dialstatus-simulation-") as directory:
        database = Path(directory, "dialstatus.db")
        shutil.copy(template, database)
        world = World(seed, database)
        try:
            world.run(steps)
        except Exception as error:
            raise AssertionError(f"{error!r}\nreplay it: .venv/bin/python -m tests.simulation {seed}") from error
        finally:
            random.setstate(state)
    return world.reached
