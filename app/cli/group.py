"""The `flask` commands of all rooms, each imported only when it is called: the server needs none of them."""

from importlib import import_module

import click
from flask import Flask
from flask.cli import AppGroup

from app.context import REFUSED
from app.server.shared_services import Refused

_DOCTOR = "doctor"
# Command -> where it lives. One room's command never needs another room's.
_COMMANDS = {
    "db": "app.cli.store_commands:db",
    "dials": "app.cli.dials:dials",
    _DOCTOR: "app.cli.plivo:doctor",
    "plan": "app.cli.plan:cli",
    "plivo": "app.cli.plivo:plivo",
    "replay": "app.cli.replay:replay",
    "simulate": "app.cli.simulate:simulate",
    "spool": "app.cli.store_commands:spool",
    "version": "app.cli.doctor:version",
}


class Commands(AppGroup):
    """The application's command group."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command."""
        return sorted({*super().list_commands(ctx), *_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command by its name."""
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


class _DoctorAlone(Commands):
    """The command group where settings are refused: one command tells of it in its own form, others end with it."""

    def __init__(self, refused: Refused) -> None:
        super().__init__()
        self._refused = refused

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the doctor, or end."""
        if cmd_name != _DOCTOR:
            raise self._refused
        return super().get_command(ctx, cmd_name)


def without_services(refused: Refused) -> Flask:
    """Make an application that serves nothing: what is refused can be looked at."""
    app = Flask(__name__, static_folder=None)
    app.extensions[REFUSED] = {refused.of: refused.problems}
    app.cli = _DoctorAlone(refused)
    return app
