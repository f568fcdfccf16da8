"""`flask plivo call`, `hangup`, `live` and `phlo run`."""

import json

import click
from flask.cli import with_appcontext

from app.account.access import Access
from app.account.addresses import addresses_at
from app.account.calls import hang_up, live_calls, place_call
from app.account.errors import SettingError
from app.account.phlo import read_payload, run_phlo
from app.context import services


@click.command()
@click.option("--to", required=True, help="Whom to call: +14155550100 or sip:alice@phone.plivo.com.")
@click.option("--from", "caller", required=True, help="A number of yours, shown to whoever is called.")
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
    config = services().config
    with access.client() as client:
        public_url = access.public_url(url).rstrip("/")
        addresses = addresses_at(public_url, retry_control=config.retry_control, retry_notice=config.retry_notice)
        request_uuid = place_call(
            client,
            to=to,
            caller=caller,
            addresses=addresses,
            ring_timeout=ring_timeout,
            time_limit=time_limit,
        )
    click.echo(f"Call placed, request_uuid {request_uuid}")
    click.echo(f"Its record: {public_url}/calls/{request_uuid} – end it with `flask plivo hangup {request_uuid}`.")


@click.command()
@click.argument("call_uuid", required=False)
@click.pass_obj
@with_appcontext
def hangup(access: Access, call_uuid: str | None) -> None:
    """End one call in progress."""
    if not call_uuid:
        raise SettingError(
            "Say which call: without a UUID Plivo would end every call of the account. "
            "`flask plivo live` lists the calls in progress."
        )
    with access.client() as client:
        hang_up(client, call_uuid)
    click.echo(f"Call {call_uuid} is ended.")


@click.command()
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


@click.group()
def phlo() -> None:
    """Work with Plivo's PHLO."""


@phlo.command("run")
@click.argument("phlo_id")
@click.argument("fields", nargs=-1, metavar="[KEY=VALUE]…")
@click.pass_obj
@with_appcontext
def phlo_run(access: Access, phlo_id: str, fields: tuple[str, ...]) -> None:
    """Start a PHLO with the values its API Request trigger expects."""
    payload = read_payload(fields)
    with access.phlo_client() as client:
        click.echo(json.dumps(run_phlo(client, phlo_id, payload), ensure_ascii=False))
