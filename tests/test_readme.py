"""README is true: its examples run, and it names every setting and command."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from app import create_app
from app.cli.group import add_commands
from config import Config, settings_table
from tests.support.server import REPORTS_TOKEN, Server

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
DOCS = ROOT / "docs"


def examples() -> Iterator[tuple[str, str]]:
    """Yield each command line of README's console blocks with the output it shows."""
    for block in re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL):
        for line, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, flags=re.MULTILINE):
            yield line, output.strip()


def as_pattern(shown: str) -> str:
    """Return a pattern of an output in which … stands for anything."""
    return ".*".join(re.escape(part) for part in shown.split("…"))


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here; apt-get install curl runs README's examples")
def test_the_shell_examples_print_the_output_they_show(start_server: Callable[..., Server]) -> None:
    server = start_server(PLIVO_AUTH_TOKEN="", DIAL_TO="+15551234567")
    for line, shown in examples():
        here = line.replace(":5000", f":{server.port}").replace("$REPORTS_TOKEN", REPORTS_TOKEN)

        done = subprocess.run([*shlex.split(here), "--silent"], capture_output=True, text=True, check=True, timeout=30)

        given = done.stdout.replace(f":{server.port}", ":5000").strip()
        assert re.fullmatch(as_pattern(shown), given, flags=re.DOTALL), f"{line}\ngave {given}\nnot   {shown}"


def test_every_setting_is_in_its_table() -> None:
    assert settings_table() in README


def test_every_command_is_named(tmp_path: Path) -> None:
    app = add_commands(create_app(Config.load({"INSTANCE_DIR": str(tmp_path)})))

    for name in commands(app.cli, click.Context(app.cli), "flask"):
        assert f"`{name}" in README, f"README does not name `{name}`"


@pytest.mark.parametrize("page", ["README.md", *sorted(str(path.relative_to(ROOT)) for path in DOCS.rglob("*.md"))])
def test_every_command_and_option_that_a_page_names_exists(page: str, tmp_path: Path) -> None:
    app = add_commands(create_app(Config.load({"INSTANCE_DIR": str(tmp_path)})))
    said = re.findall(
        r"(?:`|^\$ |^)flask (?:--app wsgi )?(?!run|--)([^`\n#|…]+)", (ROOT / page).read_text(), re.MULTILINE
    )

    for line in said:
        command: click.Command = app.cli
        words = line.split()
        while words and isinstance(command, click.Group) and re.fullmatch("[a-z]+,?", words[0]):
            found = command.get_command(click.Context(command), words.pop(0).rstrip(","))
            assert found is not None, f"{page} names `flask {line}`"
            command = found
        known = {name for option in command.params for name in option.opts}
        assert {word for word in words if word.startswith("--")} <= known, f"{page} names `flask {line}`"


@pytest.mark.parametrize(
    ("page", "pattern"),
    [
        ("alerts.yml", r'event="(\w+)"|log lines? (\w+)'),
        ("operating.md", r"are `(\w+)`; `(\w+)`, `(\w+)`, `(\w+)`, `(\w+)`, `(\w+)` and `(\w+)` are exported"),
        ("operating.md", r"(?:is|are) logged \(`(\w+)`\)|logged as `(\w+)`|`(\w+)` is logged"),
        ("account.md", r"logged as `(\w+)`"),
        ("reliability.md", r"it logs `(\w+)`|`(\w+)` is logged"),
    ],
)
def test_every_log_line_that_a_page_names_is_written_somewhere(page: str, pattern: str) -> None:
    source = "".join(path.read_text() for path in [*(ROOT / "app").rglob("*.py"), ROOT / "gunicorn.conf.py"])
    found = re.findall(pattern, (DOCS / page).read_text())
    named = {event for match in found for event in (match if isinstance(match, tuple) else (match,)) if event}

    assert named
    assert {event for event in named if f'"{event}"' not in source} == set()


def commands(group: click.Group, context: click.Context, path: str) -> Iterator[str]:
    """Yield the full name of every command in a group."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, click.Context(command), f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_every_make_target_that_readme_names_exists() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)

    for named in re.findall(r"`?make ([a-z-]+)", README):
        assert named in targets


@pytest.mark.parametrize("name", ["release", "web"])
def test_the_procfile_starts_what_exists(name: str) -> None:
    [command] = re.findall(rf"^{name}: (.*)$", (ROOT / "Procfile").read_text(), flags=re.MULTILINE)

    assert command.split()[0] in {"flask", "gunicorn"}


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md", "SECURITY.md", "docs/README.md"])
def test_every_file_that_a_page_for_contributors_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    files = re.findall(r"[\w./-]+\.(?:py|toml|md|ini)\b", re.sub(r"\]\([^)]*\)", "]", text))
    folders = [ROOT, ROOT / "app", ROOT / "app/records/writing", ROOT / "settings", ROOT / "docs"]

    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []
    assert [name for name in files if not any((folder / name).exists() for folder in folders)] == []
