"""A disk that may lose power after any step, and what it may hold then.

What was synced is there; `losses.py` says what is left of the rest. Names (made, changed, deleted) follow one of two
models. In the ordered one the file system's journal keeps their order, and a synced file keeps its name: ext4 does so.
In the loose one a name is sure only once its directory was synced: POSIX asks no more.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.drills.power_cut.losses import Change, kept, losses
from tests.drills.power_cut.trace import SYNCS, Step


@dataclass(slots=True, eq=False)
class File:
    """What is surely on the disk, and the changes since."""

    durable: bytearray = field(default_factory=bytearray)
    changes: list[Change] = field(default_factory=list)
    position: int = 0  # Of the next write that names no place.
    size: int = 0
    grown: int = 0  # The line that made it or changed its size last.


DIRECTORY = File()


@dataclass(slots=True)
class Naming:
    """Names that one step gave or took; a rename does both at once."""

    names: dict[str, File | None]
    begun: int
    ended: int | None
    is_in_journal: bool = False  # Sure in the ordered model.
    is_synced: bool = False  # Sure in the loose model.


def timeline(steps: Iterable[Step]) -> list[Step]:
    """Return steps in the order in which they count: a write from its beginning, a sync from its end."""
    return sorted(
        (step for step in steps if step.name not in SYNCS or step.ended is not None),
        key=lambda step: step.ended if step.name in SYNCS and step.ended is not None else step.begun,
    )


class Disk:
    """The files below one directory; it and some others in it were there before."""

    def __init__(self, root: str, *directories: str) -> None:
        self.names: dict[str, File] = dict.fromkeys((root, *directories), DIRECTORY)
        self._namings: list[Naming] = []
        self._root, self._first = root, dict(self.names)

    def take(self, step: Step) -> None:
        """Change the files as a step does. Raises AssertionError for a step that is not modelled."""
        match step.name:
            case "reply":
                pass
            case "mkdir":
                self._name(step, {step.path: DIRECTORY})
            case "rename":
                self._name(step, {step.target: self.names[step.path], step.path: None})
            case "unlink":
                self._name(step, {step.path: None})
            case "open":
                self._open(step)
            case "fsync" | "fdatasync":
                self._sync(step)
            case _:
                self._write(self.names[step.path], step)

    def content(self, name: str) -> bytes:
        """Return what a process reads from a file."""
        file = self.names[name]
        content = bytearray(file.durable)
        kept(content, file.changes, random.Random())
        return bytes(content)

    def after_cut(self, chance: random.Random) -> dict[str, bytes | None]:
        """Return the files that the disk may hold if it loses power now; a directory has None for its content."""
        names = dict(self._first)
        for naming in self._namings_after_cut(chance):
            names.update({name: file for name, file in naming.names.items() if file is not None})
            for name in [name for name, file in naming.names.items() if file is None]:
                names.pop(name, None)
        found: dict[str, bytes | None] = {}
        for name, file in names.items():
            above = [str(parent) for parent in PurePosixPath(name).parents if len(str(parent)) >= len(self._root)]
            if all(parent in names for parent in above):
                found[name] = None if file is DIRECTORY else _content_after_cut(name, file, chance)
        return found

    def _namings_after_cut(self, chance: random.Random) -> Sequence[Naming]:
        if chance.random() < 0.5:
            sure = max((place + 1 for place, one in enumerate(self._namings) if one.is_in_journal), default=0)
            return self._namings[: chance.randint(sure, len(self._namings))]
        odds = chance.choice((0.0, 0.5, 1.0))
        return [naming for naming in self._namings if naming.is_synced or chance.random() < odds]

    def _name(self, step: Step, names: dict[str, File | None]) -> None:
        self._namings.append(Naming(names, step.begun, step.ended))
        for name, file in names.items():
            if file is None:
                self.names.pop(name, None)
            else:
                self.names[name] = file

    def _open(self, step: Step) -> None:
        if step.path not in self.names:
            self._name(step, {step.path: File(grown=step.begun)})
        file = self.names[step.path]
        file.position = 0
        if "O_TRUNC" in step.flags and file.size:
            self._change(file, step, 0, None)

    def _write(self, file: File, step: Step) -> None:
        match step.name:
            case "pwrite64":
                self._change(file, step, step.numbers[-1], step.data)
            case "write":
                self._change(file, step, file.position, step.data)
                file.position += len(step.data)
            case "ftruncate" | "truncate":
                self._change(file, step, step.numbers[-1], None)
            case "fallocate":
                size = step.numbers[-2] + step.numbers[-1]
                if size > file.size:
                    self._change(file, step, size, None)
            case _:
                raise AssertionError(f"{step.name} of {step.path} is not modelled")

    def _change(self, file: File, step: Step, at: int, data: bytes | None) -> None:
        file.changes.append(Change(at, data, step.begun, step.ended))
        size = at if data is None else max(file.size, at + len(data))
        if size != file.size:
            file.size, file.grown = size, step.begun

    def _sync(self, step: Step) -> None:
        """Make sure of what ended before the sync began."""
        file = self.names[step.path]
        for naming in self._namings:
            if naming.ended is not None and naming.ended < step.begun:
                inside = {str(PurePosixPath(name).parent) for name in naming.names}
                naming.is_synced |= file is DIRECTORY and inside == {step.path}
                naming.is_in_journal |= file is DIRECTORY or naming.begun <= file.grown
        while file.changes and file.changes[0].ended is not None and file.changes[0].ended < step.begun:
            file.changes.pop(0).apply(file.durable)


def _content_after_cut(name: str, file: File, chance: random.Random) -> bytes:
    content = bytearray(file.durable)
    chance.choice(losses(name))(content, file.changes, chance)
    return bytes(content)


def lay_out(files: dict[str, bytes | None], root: str, place: Path, chance: random.Random) -> None:
    """Write files below another directory. Indexes, which are mapped into memory, hold anything."""
    for name, content in sorted(files.items()):
        path = place / PurePosixPath(name).relative_to(root)
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
        elif name.endswith("-shm"):
            path.write_bytes(chance.choice((b"", bytes(32768), chance.randbytes(32768))))
        else:
            path.write_bytes(content)
