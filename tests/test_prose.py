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


def test_every_text_uses_the_words_of_the_field() -> None:
    names = list(texts())

    assert len(names) > 50
    assert [fault for name in names for fault in faults(name)] == []
