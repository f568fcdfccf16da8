"""`flask --help` and the help of each command: complete sentences in groups, at 80 columns."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask

from app.cli.group import add_commands
from tests.support.server import ROOT, coverage_of_processes


def flask(directory: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `flask` in a process of its own, as a person does."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "INSTANCE_DIR": str(directory), **coverage_of_processes(), **environ},
        capture_output=True,
        text=True,
    )


def commands(group: click.Group, path: str = "flask") -> Iterator[tuple[str, click.Command]]:
    """Yield every command of ours below a group, by what a person writes."""
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


OURS = dict(commands(add_commands(Flask("ours")).cli))


def test_the_help_lists_each_command_once_in_its_group_and_fits_80_columns(tmp_path: Path) -> None:
    done = flask(tmp_path, "--help")
    top = {path.split()[1] for path in OURS}
    listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith(("  ", "    ")) and line.split()]

    assert done.returncode == 0
    assert [name for name in listed if name in top] == sorted(top, key=[*listed].index)
    assert "Calls:\n    calls" in done.stdout
    assert "Examples:\n    flask doctor" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("path", [path for path in OURS if path.count(" ") == 1])
def test_no_sentence_of_a_list_of_commands_is_cut_off(path: str) -> None:
    sentence = OURS[path].get_short_help_str(64)

    assert sentence
    assert not sentence.endswith("...")
