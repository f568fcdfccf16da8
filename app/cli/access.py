"""`flask access`: who may see and do what, beside the owner of REPORTS_TOKEN."""

import json
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from app.cli.dials import RecordsGroup
from app.context import services
from app.records.model.ids import now
from app.records.reading.changes import read_changes
from app.records.reading.read_session import read_session
from app.records.reading.scope import Scope
from app.records.writing.access_tokens import (
    NameTaken,
    Role,
    add_token,
    list_tokens,
    revoke_subject,
    revoke_token,
)
from app.records.writing.audit import record_change
from app.reports.access.viewers import LONGEST_SHARE_DAYS, make_named_token, make_share

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_@+-]{0,62}", re.ASCII)
_DAYS = re.compile(r"([1-9][0-9]{0,3})d")
_DAY = 86_400_000  # milliseconds
_SHARE = re.compile(r"share:[0-9a-f]{12}")

access = RecordsGroup("access", help="Add, list and revoke named tokens; make share links.")


def _moment(option: str, text: str | None, *, is_future: bool) -> int | None:
    """Parse a date in `TIMEZONE`, or a number of days from now on or back; return milliseconds since 1970 UTC."""
    if text is None:
        return None
    if found := _DAYS.fullmatch(text.strip()):
        days = timedelta(days=int(found[1]))
        moment = datetime.now(UTC) + (days if is_future else -days)
    else:
        try:
            moment = datetime.combine(date.fromisoformat(text.strip()), time(), services().config.timezone)
        except ValueError as error:
            wanted = "neither a date such as 2026-12-31 nor a number of days such as 30d"
            raise click.BadParameter(f"{text!r} is {wanted}", param_hint=option) from error
    if is_future and moment <= datetime.now(UTC):
        raise click.BadParameter(f"{text!r} has passed; write a later date", param_hint=option)
    return round(moment.timestamp() * 1000)


@access.command()
@click.argument("name")
@click.option("--route", "routes", multiple=True, help="A route that may be seen; may be repeated. Default: all.")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.READ.value,
    show_default=True,
    help="read sees, work also takes and closes follow-ups, admin may everything.",
)
@click.option("--until", "until_text", metavar="DATE", help="When it expires, such as 2026-12-31 or 90d.")
def add(name: str, routes: Sequence[str], role: str, until_text: str | None) -> None:
    """Add a token for somebody and print it, this once, with a link that logs them in."""
    shared = services()
    until = _moment("--until", until_text, is_future=True)
    if not _NAME.fullmatch(name):
        raise click.BadParameter(f"{name!r} is not a name; write letters, digits, _, @, + and -", param_hint="NAME")
    if routes and role == Role.ADMIN:
        raise click.UsageError("an admin sees all routes; leave out --route, or choose another --role")
    if unknown := sorted(set(routes) - shared.plan.routes.keys()):
        known = ", ".join(sorted(shared.plan.routes))
        raise click.UsageError(f"the plan has no route {', '.join(unknown)}; its routes are {known}")
    token = make_named_token(name, secrets.token_urlsafe(24))
    try:
        add_token(
            shared.store,
            name,
            token,
            role=Role(role),
            routes=tuple(dict.fromkeys(routes)) or None,
            until=until,
            actor="cli",
        )
    except NameTaken as error:
        raise click.ClickException(str(error)) from error
    link = f"{_url('/login')}?token={token}"
    click.echo(f"Token of {name}, shown only now:\n\n  {token}\n\nOr the link to the pages:\n\n  {link}")


@access.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_access(as_json: bool) -> None:
    """List the named tokens, without the tokens themselves."""
    with read_session(services().store) as connection:
        found = list_tokens(connection)
    if as_json:
        shown = [
            {"name": one.name, "role": one.role, "routes": one.routes, "until": _utc(one.until), "valid": one.is_valid}
            for one in found
        ]
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    if not found:
        click.echo("There are no named tokens. REPORTS_TOKEN is the admin's; add others with `flask access add NAME`.")
        return
    table = Table("Name", "Role", "Routes", "Until", box=None, pad_edge=False)
    for one in found:
        until = _day(one.until) + ("" if one.is_valid else ", expired")
        table.add_row(one.name, one.role, ", ".join(one.routes) if one.routes is not None else "all", until)
    Console().print(table)


@access.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Revoke a token or a share link; its sessions end with it.

    NAME is that of the token, or what `flask access share` printed, such as share:0123456789ab.
    """
    if name.startswith("share:"):
        if not _SHARE.fullmatch(name):
            raise click.ClickException(f"{name!r} is no share link; `flask access log` lists those that were made")
        until = now() + LONGEST_SHARE_DAYS * _DAY
        revoke_subject(services().store, name, until=until, actor="cli")
        click.echo(f"Revoked {name}. The link opens nothing any more, nor do its sessions.")
        return
    if not revoke_token(services().store, name, actor="cli"):
        raise click.ClickException(f"there is no token named {name}; see `flask access list`")
    click.echo(f"Revoked the token of {name}. It opens nothing any more, nor do its sessions.")


@access.command()
@click.option("--call", "call_uuid", metavar="UUID", help="Share this call.")
@click.option("--since", "since_text", metavar="DATE", help="Share calls from here on, such as 7d or 2026-11-01.")
@click.option("--until", "until_text", metavar="DATE", help="Share calls before this date.")
@click.option("--route", "routes", multiple=True, help="Share only calls of this route; may be repeated.")
@click.option(
    "--days", type=click.IntRange(1, LONGEST_SHARE_DAYS), default=7, show_default=True, help="How long the link opens."
)
def share(
    call_uuid: str | None, since_text: str | None, until_text: str | None, routes: Sequence[str], days: int
) -> None:
    """Print a link that shows one call, or a range of calls, to anybody who has it."""
    since = _moment("--since", since_text, is_future=False)
    until = _moment("--until", until_text, is_future=False)
    if (call_uuid is None) == (since is None):
        raise click.UsageError("write either --call or --since")
    if call_uuid is not None and (until is not None or routes):
        raise click.UsageError("--until and --route go with --since")
    scope = Scope(call_uuid=call_uuid, since=since, until=until, routes=tuple(routes) or None)
    name, held = make_share(scope, seconds=days * 24 * 60 * 60)
    opens_until = now() + days * _DAY
    detail = {"call": call_uuid, "since": since, "until": until, "routes": routes or None, "opens_until": opens_until}
    with services().store.transaction() as connection:
        record_change(connection, actor="cli", action="share.made", subject=name, detail=detail)
    click.echo(
        f"Opens until {_day(opens_until)}, for anybody who has it:\n\n  {_url(f'/share/{held}')}\n\n"
        f"To end it earlier: flask access revoke {name}"
    )


@access.command("log")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The most to list.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_changes(limit: int, as_json: bool) -> None:
    """List who changed what, newest first."""
    with read_session(services().store) as connection:
        found = read_changes(connection, limit=limit)
    if as_json:
        click.echo(json.dumps([{**one, "at": _utc(one["at"])} for one in found], ensure_ascii=False))
    for one in found if not as_json else []:
        detail = ", ".join(f"{name} {value}" for name, value in one["detail"].items() if value is not None)
        click.echo(
            f"{_utc(one['at'])}  {one['actor']}  {one['action']}  {one['subject']}"
            + (f"  ({detail})" if detail else "")
        )
    if not found and not as_json:
        click.echo("Nobody has changed anything yet.")


def _url(path: str) -> str:
    config = services().config
    host = "127.0.0.1" if config.host in {"0.0.0.0", "[::]"} else config.host  # noqa: S104 - Only compared.
    return f"{config.public_url or f'http://{host}:{config.port}{config.path_prefix}'}{path}"


def _day(at: int | None) -> str:
    return (
        "for ever" if at is None else f"{datetime.fromtimestamp(at / 1000, services().config.timezone):%Y-%m-%d %H:%M}"
    )


def _utc(at: Any) -> str | None:
    return None if at is None else f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
