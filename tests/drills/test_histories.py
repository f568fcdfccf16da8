"""Random histories by the hundred thousand: every call has one outcome, and all figures count it alike."""

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.drills.conftest import Tell
from tests.reports.conftest import make_caller
from tests.reports.histories import check_histories

HISTORIES = 100_000
AT_ONCE = 2000  # In one store.


@pytest.mark.drill
def test_every_call_is_counted_once_and_alike(tmp_path: Path, tell: Tell) -> None:
    seed = random.randrange(1 << 30)
    found: Counter[str] = Counter()

    for start in range(0, HISTORIES, AT_ONCE):
        directory = tmp_path / str(start)
        directory.mkdir()
        with make_caller(f"sqlite:///{directory}/dialstatus.db", directory) as caller:
            found += check_histories(caller, min(AT_ONCE, HISTORIES - start), seed=seed + start)
        (directory / "dialstatus.db").unlink()

    tell(
        f"{found.total():,} calls from seed {seed}: {', '.join(f'{name} {number:,}' for name, number in found.items())}"
    )
