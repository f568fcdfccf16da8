"""Room that is held on the disk and given back piece by piece."""

from pathlib import Path

from app.records.spool.reserve import SIZE, Reserve


def test_the_room_is_really_taken_and_given_back_to_the_last_piece(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    reserve = Reserve(path)

    reserve.fill()
    taken = path.stat().st_blocks * 512
    given = 0
    while reserve.release():
        given += 1

    assert taken >= SIZE
    assert given > 10  # In pieces: whoever filled the disk must not get all of it at once.
    assert (path.stat().st_size, reserve.release()) == (0, False)
    reserve.fill()
    assert path.stat().st_size == SIZE


def test_a_place_that_cannot_be_written_has_no_room_to_give(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "missing" / "reserve")

    reserve.fill()

    assert not reserve.release()
