"""The `flask` commands of all rooms. A server loads no command: only `wsgi.py` under `flask`, and tests, add them."""

import click
from flask import Flask
from flask.cli import AppGroup

from app.cli.calls import calls
from app.cli.dials import dials
from app.cli.doctor import doctor, version
from app.cli.plan import cli as plan
from app.cli.plivo import plivo
from app.cli.receipts import receipts
from app.cli.replay import replay
from app.cli.simulate import simulate
from app.cli.store_commands import db, spool
from app.context import REFUSED, Refused

_COMMANDS = (calls, db, dials, doctor, plan, plivo, receipts, replay, simulate, spool, version)


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
    for command in _COMMANDS:
        app.cli.add_command(command)
    return app


def without_services(refused: Refused) -> Flask:
    """Return an application that serves nothing, so that its commands can report what is refused."""
    app = Flask(__name__, static_folder=None)
    app.extensions[REFUSED] = {refused.of: refused.problems}
    app.cli = _DoctorAlone(refused)
    return add_commands(app)
