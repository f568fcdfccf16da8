"""Disk space that is reserved and released piece by piece."""

import os
from pathlib import Path

import pytest

from app.records.spool.reserve import SIZE, Reserve


def test_disk_space_is_allocated_and_released_piece_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    reserve = Reserve(path)

    reserve.fill()
    taken = path.stat().st_blocks * 512
    given = 0
    while reserve.release():
        given += 1

    assert taken >= SIZE
    assert given > 10  # In pieces: what filled the disk must not take all of it at once.
    assert (path.stat().st_size, reserve.release()) == (0, False)
    reserve.fill()
    assert path.stat().st_size == SIZE


def test_space_is_allocated_where_the_system_has_no_call_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fallocate")  # As on macOS.

    Reserve(tmp_path / "reserve").fill()

    assert (tmp_path / "reserve").stat().st_blocks * 512 >= SIZE


def test_a_directory_that_cannot_be_written_has_nothing_to_release(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "missing" / "reserve")

    reserve.fill()

    assert not reserve.release()
