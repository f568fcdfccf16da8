"""The `flask` commands of all rooms. A server loads no command: only `wsgi.py` under `flask`, and tests, add them."""

from itertools import chain

import click
from flask import Flask
from flask.cli import AppGroup

from app.cli.access import access
from app.cli.calls import calls
from app.cli.dials import dials
from app.cli.doctor import doctor, version
from app.cli.events import digest, events, notify
from app.cli.followups import followups
from app.cli.plan_simulate import simulate_plan
from app.cli.plan_state import group as plan
from app.cli.plan_targets import put_in, take_out, targets
from app.cli.plivo import plivo
from app.cli.receipts import receipts
from app.cli.replay import replay
from app.cli.simulate import simulate
from app.cli.store_commands import db, spool
from app.context import REFUSED, Refused

for _command in (targets, take_out, put_in, simulate_plan):
    plan.add_command(_command)

# As `flask --help` lists them.
_COMMANDS: dict[str, tuple[click.Command, ...]] = {
    "Calls": (calls, followups, dials, receipts),
    "What callers get": (plan,),
    "Your Plivo account": (doctor, plivo),
    "Try it without a phone": (simulate, replay),
    "Who is told": (events, notify, digest),
    "The records": (db, spool, access, version),
}
_WIDTH = 64  # What 80 columns leave for the sentence.
_EXAMPLES = """
Examples:
  flask doctor                   what is wrong, and what to do
  flask calls list --since 24h   the calls of a day
  flask plan try                 what a caller gets
  flask simulate --verify        play ten calls and compare the records

Each command has --help. Outside this directory write flask --app PATH/wsgi.
"""


class _DoctorAlone(AppGroup):
    """The command group where settings are refused: `doctor` reports that, every other command ends with it."""

    def __init__(self, refused: Refused) -> None:
        super().__init__()
        self._refused = refused

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the doctor, or end."""
        if cmd_name != doctor.name:
            raise self._refused
        return super().get_command(ctx, cmd_name)


def add_commands(app: Flask) -> Flask:
    """Add every command to an application, and return it."""
    for command in chain(*_COMMANDS.values()):
        app.cli.add_command(command)
    root = click.get_current_context(silent=True)
    if root is not None and root.parent is None:
        _list_in_groups(root.command)
    return app


def _list_in_groups(root: click.Command) -> None:
    """Let the help of `flask` list our commands in groups, below those of Flask, instead of by name."""
    lines = []
    for title, commands in _COMMANDS.items():
        lines += ["", f"{title}:"]
        for command in commands:
            command.hidden = True  # In Flask's own list.
            lines.append(f"  {command.name:<10}  {command.get_short_help_str(_WIDTH)}")
    # \b keeps the lines of a paragraph apart.
    root.epilog = "\n".join(line or "\n\b" for line in [*lines, *_EXAMPLES.splitlines()])


def without_services(refused: Refused) -> Flask:
    """Return an application that serves nothing, so that its commands can report what is refused."""
    app = Flask(__name__, static_folder=None)
    app.extensions[REFUSED] = {refused.of: refused.problems}
    app.cli = _DoctorAlone(refused)
    return add_commands(app)
