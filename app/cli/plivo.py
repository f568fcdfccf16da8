"""`flask plivo`: `call`, `hangup`, `live`, `phlo run`, and the commands of the neighbouring files."""

import json

import click
from flask.cli import with_appcontext

from app.account.access import Access, access_options, addresses_for_plivo
from app.account.calls import hang_up, live_calls, parse_payload, place_call, run_phlo
from app.account.errors import SettingError
from app.cli.plivo_reconcile import reconcile
from app.cli.plivo_setup import restore, setup


@click.group()
@access_options
@click.pass_context
def plivo(context: click.Context, api_url: str, phlo_url: str, ngrok_url: str, timeout: float) -> None:
    """Set up the Plivo account, call, hang up, reconcile."""
    context.obj = Access(api_url=api_url, phlo_url=phlo_url, ngrok_url=ngrok_url, timeout=timeout)


plivo.add_command(setup)
plivo.add_command(restore)
plivo.add_command(reconcile)


@plivo.command()
@click.option("--to", required=True, help="Number or SIP address to call: +14155550100, sip:alice@phone.plivo.com.")
@click.option("--from", "caller", required=True, help="A number of yours, which the called party sees.")
@click.option("--url", help="Where Plivo reaches this server. Default: PUBLIC_URL, else a running ngrok.")
@click.option(
    "--ring-timeout", type=click.IntRange(1, 600), default=120, show_default=True, help="Seconds to let it ring."
)
@click.option(
    "--time-limit",
    type=click.IntRange(1, 86400),
    default=14400,
    show_default=True,
    help="Seconds after which the call ends.",
)
@click.pass_obj
@with_appcontext
def call(access: Access, to: str, caller: str, url: str | None, ring_timeout: int, time_limit: int) -> None:
    """Place one call that is recorded like the rest."""
    with access.client() as client:
        public_url = access.public_url(url).rstrip("/")
        request_uuid = place_call(
            client,
            to=to,
            caller=caller,
            addresses=addresses_for_plivo(public_url),
            ring_timeout=ring_timeout,
            time_limit=time_limit,
        )
    click.echo(f"Call placed, request_uuid {request_uuid}")
    click.echo(f"Its record: {public_url}/calls/{request_uuid} – end it with `flask plivo hangup {request_uuid}`.")


@plivo.command()
@click.argument("call_uuid", required=False)
@click.pass_obj
@with_appcontext
def hangup(access: Access, call_uuid: str | None) -> None:
    """End one call in progress."""
    if not call_uuid:
        raise SettingError(
            "Name the call: without a UUID Plivo would end every call of the account. "
            "`flask plivo live` lists the calls in progress."
        )
    with access.client() as client:
        hang_up(client, call_uuid)
    click.echo(f"Call {call_uuid} is ended.")


@plivo.command()
@click.pass_obj
@with_appcontext
def live(access: Access) -> None:
    """List the calls in progress."""
    with access.client() as client:
        calls = list(live_calls(client))
    if not calls:
        click.echo("No call is in progress.")
    for one in calls:
        click.echo(
            f"{one.call_uuid}  {one.status}  {one.direction}  {one.from_number} → {one.to_number}  "
            f"since {one.session_start} UTC"
        )


@plivo.group()
def phlo() -> None:
    """Work with Plivo's PHLO."""


@phlo.command("run")
@click.argument("phlo_id")
@click.argument("fields", nargs=-1, metavar="[KEY=VALUE]…")
@click.pass_obj
@with_appcontext
def phlo_run(access: Access, phlo_id: str, fields: tuple[str, ...]) -> None:
    """Start a PHLO with the values its API Request trigger expects."""
    payload = parse_payload(fields)
    with access.client() as client:
        click.echo(json.dumps(run_phlo(client, phlo_id, payload), ensure_ascii=False))
