"""The commands of this room: the group `flask plivo`, and `flask doctor`."""

import click

from app.account.access import Access, access_options
from app.cli.doctor import doctor
from app.cli.plivo_calls import call, hangup, live, phlo
from app.cli.plivo_reconcile import reconcile
from app.cli.plivo_setup import restore, setup

__all__ = ["doctor", "plivo"]


@click.group()
@access_options
@click.pass_context
def plivo(context: click.Context, api_url: str, phlo_url: str, ngrok_url: str, timeout: float) -> None:
    """Set up the Plivo account, call, hang up, reconcile."""
    context.obj = Access(api_url=api_url, phlo_url=phlo_url, ngrok_url=ngrok_url, timeout=timeout)


for command in (setup, restore, call, hangup, live, reconcile, phlo):
    plivo.add_command(command)
