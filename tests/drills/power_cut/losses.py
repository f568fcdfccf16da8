"""What may be left of the changes of one file that were not synced."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_SECTOR = 512  # Bytes. A sector is written whole or not at all.


@dataclass(slots=True)
class Change:
    """A change of one file: bytes at a place, or with `data` None a new size.

    `begun` and `ended` are lines of a trace; `ended` is None where the process died meanwhile.
    """

    at: int
    data: bytes | None
    begun: int
    ended: int | None

    def apply(self, content: bytearray) -> None:
        """Change the content."""
        if self.data is None:
            resize(content, self.at)
        else:
            _write(content, self.at, self.data)


Loss = Callable[[bytearray, Sequence[Change], random.Random], None]


def resize(content: bytearray, size: int) -> None:
    """Cut the content, or fill it up with zeros."""
    del content[size:]
    content.extend(bytes(size - len(content)))


def _write(content: bytearray, at: int, data: bytes) -> None:
    if len(content) < at:
        resize(content, at)
    content[at : at + len(data)] = data


def kept(content: bytearray, changes: Sequence[Change], _chance: random.Random) -> None:
    """Keep every change."""
    for change in changes:
        change.apply(content)


def dropped(_content: bytearray, _changes: Sequence[Change], _chance: random.Random) -> None:
    """Keep no change."""


def some(content: bytearray, changes: Sequence[Change], chance: random.Random) -> None:
    """Keep any changes, whatever came before them."""
    kept(content, [change for change in changes if chance.random() < 0.5], chance)


def first(content: bytearray, changes: Sequence[Change], chance: random.Random) -> None:
    """Keep the first changes, and of the next one the first sectors."""
    place = chance.randint(0, len(changes))
    kept(content, changes[:place], chance)
    for change in changes[place : place + 1]:
        pieces = list(_pieces(change))
        kept(content, pieces[: chance.randint(0, len(pieces))], chance)


def torn(content: bytearray, changes: Sequence[Change], chance: random.Random) -> None:
    """Keep each sector as it was at any moment."""
    pieces = [piece for change in changes for piece in _pieces(change)]
    versions = Counter(_sector(piece) for piece in pieces)
    left = {sector: chance.randint(0, number) for sector, number in sorted(versions.items())}
    for piece in pieces:
        if left[_sector(piece)]:
            left[_sector(piece)] -= 1
            piece.apply(content)


def grown(content: bytearray, changes: Sequence[Change], chance: random.Random) -> None:
    """Keep the size, with zeros for sectors that were not written."""
    sizes = bytearray(content)
    kept(sizes, changes, chance)
    torn(content, changes, chance)
    resize(content, len(sizes))


def noise(content: bytearray, changes: Sequence[Change], chance: random.Random) -> None:
    """Keep noise in some sectors that were being written. Only for logs, whose checksums find it."""
    torn(content, changes, chance)
    for change in changes:
        for piece in _pieces(change):
            if piece.data and chance.random() < 0.2:
                _write(content, piece.at, chance.randbytes(len(piece.data)))


def losses(name: str) -> tuple[Loss, ...]:
    """Return what may happen to a file."""
    common = (kept, dropped, some, first, torn, grown)
    return (*common, noise) if name.endswith("-wal") else common


def _pieces(change: Change) -> Iterator[Change]:
    """Yield a change in pieces that lie in one sector each."""
    if change.data is None:
        yield change
        return
    at, end = change.at, change.at + len(change.data)
    while at < end:
        size = min(_SECTOR - at % _SECTOR, end - at)
        yield Change(at, change.data[at - change.at : at - change.at + size], change.begun, change.ended)
        at += size


def _sector(piece: Change) -> int:
    return -1 if piece.data is None else piece.at // _SECTOR
