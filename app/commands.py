"""The `flask` commands of all rooms, each imported only when it is called: the server needs none of them."""

from importlib import import_module

import click
from flask.cli import AppGroup

# Command -> where it lives. One room's command never needs another room's.
_COMMANDS = {
    "db": "app.ops.commands:db",
    "dials": "app.reports.commands:dials",
    "doctor": "app.account.commands:doctor",
    "plan": "app.dial.commands:cli",
    "plivo": "app.account.commands:plivo",
    "replay": "app.replay:replay",
    "simulate": "app.simulator.commands:simulate",
    "spool": "app.ops.commands:spool",
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
