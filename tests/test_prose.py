"""Prose: words that have no place in this project do not come back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (".ci", "app", "benchmarks", "docs", "settings", "tests")
SUFFIXES = {"", ".css", ".html", ".js", ".json", ".lua", ".md", ".py", ".toml", ".txt", ".yml"}
LEFT_OUT = {"requirements.txt", "requirements-dev.txt", "benchmarks/requirements.txt", "tests/test_prose.py"}
# Each sends the reader back to the start of the sentence; the usual word is shorter.
PHRASES = "whoever|anew|none of|told apart|by less|parted by|nine in ten|as good as none"
WORDS = re.compile(rf"\b({PHRASES})\b".replace(" ", r"[\s#*|>]+"), re.IGNORECASE)
# Return, Raise, Yield, Parse, Store … name what a function does.
VERBS = re.compile(r"(Give|Tell|Say)s?\b")
# Rooms that are still being rewritten. Remove a path once its files are clean; the list must end empty.
REWRITTEN_LATER: tuple[str, ...] = (
    "app/context.py",
    "app/ops",
    "app/server",
    "tests/server",
    "tests/test_house.py",
)


def texts() -> Iterator[str]:
    """Yield the path of each text of ours; the locks and this file are left out."""
    found = [*ROOT.glob("*"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))]
    for path in sorted(found):
        name = str(path.relative_to(ROOT))
        if path.is_file() and path.suffix in SUFFIXES and name not in LEFT_OUT and "scratch" not in path.parts:
            yield name


def faults(name: str) -> Iterator[str]:
    """Yield each word or docstring of a file that has no place here, with its line."""
    text = (ROOT / name).read_text()
    for match in WORDS.finditer(text):
        yield f"{name}:{text.count(chr(10), 0, match.start()) + 1} {' '.join(match[0].split())}"
    if name.endswith(".py"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                docstring = ast.get_docstring(node) or ""
                if VERBS.match(docstring):
                    yield f"{name}:{getattr(node, 'lineno', 1)} {docstring.splitlines()[0]}"


def in_room(name: str, room: str) -> bool:
    """Return whether a file is the room or lies in it."""
    return name == room or name.startswith(f"{room}/")


def test_every_text_uses_the_words_of_the_field() -> None:
    names = [name for name in texts() if not any(in_room(name, room) for room in REWRITTEN_LATER)]

    assert len(names) > 50
    assert [fault for name in names for fault in faults(name)] == []


def test_every_room_that_is_rewritten_later_still_needs_it() -> None:
    names = list(texts())
    clean = [room for room in REWRITTEN_LATER if not any(any(faults(name)) for name in names if in_room(name, room))]

    assert clean == []
