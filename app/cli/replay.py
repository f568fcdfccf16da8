"""`flask replay`: send a stored receipt again, newly signed, to a server under development."""

import json
import sys
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import parse_qsl, urlencode, urlsplit

import click
from sqlalchemy import RowMapping

from app.context import services
from app.records.model.receipt import StoreUnavailable
from app.records.reading.queries import find_receipt
from app.records.reading.read_session import read_session
from app.server.local_server import local_server
from app.simulator.wire.http_exchange import NoReplyError
from app.simulator.wire.transport import RemoteTargetError, send_again

_USAGE, _UNREACHABLE = 2, 3


@click.command(short_help="Send a stored receipt again and print the reply.")
@click.argument("receipt_id", type=click.IntRange(min=0))
@click.option("--to", "url", metavar="URL", help="The server.  [default: this checkout's]")
@click.option("--allow-remote", is_flag=True, help="Call other machines too. Only your own.")
def replay(receipt_id: int, url: str | None, allow_remote: bool) -> None:
    """Send a stored receipt again, newly signed, and print the reply.

    RECEIPT_ID is on the call's page and in /api/v1/calls/<call_uuid>. Path and query of the receipt are kept; of
    --to only scheme, host and port count. PLIVO_AUTH_TOKEN signs, the first of several.

    Exit codes: 0 the reply is a 2xx, 1 another status, 2 no such receipt or URL, 3 the server is not reachable.
    """
    config = services().config
    row = _find(receipt_id)
    params = {name: value if isinstance(value, str) else value[0] for name, value in json.loads(row["params"]).items()}
    base, connect_to = (_server_of(url), None) if url else local_server(config)
    target = base + _target(row, params)
    token = next(iter(config.plivo_auth_tokens), None)
    try:
        reply = send_again(target, row["method"], params, token, connect_to=connect_to, allow_remote=allow_remote)
    except (NoReplyError, RemoteTargetError) as error:
        _fail(str(error), _UNREACHABLE)
    click.echo(f"{row['method']} {target}\n{reply.status}\n{reply.body.decode('utf-8', 'replace')}")
    sys.exit(0 if reply.is_success else 1)


def _find(receipt_id: int) -> RowMapping:
    """Return the stored receipt, or exit."""
    try:
        with read_session(services().store) as connection:
            row = find_receipt(connection, receipt_id)
    except StoreUnavailable as error:
        _fail(str(error), _UNREACHABLE)
    return row or _fail(f"there is no receipt {receipt_id}; take its id from the call's page", _USAGE)


def _server_of(url: str) -> str:
    """Return scheme, host and port of a URL, or exit."""
    server = urlsplit(url)
    if server.scheme not in {"http", "https"} or not server.netloc:
        _fail(f"--to is {url!r}; write scheme and host, such as http://127.0.0.1:5000", _USAGE)
    return f"{server.scheme}://{server.netloc}"


def _target(row: RowMapping, params: Mapping[str, str]) -> str:
    """Return path and query. On GET Plivo's parameters are in the query, and the transport adds them again."""
    query = row["query"]
    if row["method"] == "GET":
        query = urlencode([pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in params])
    return f"{row['path']}?{query}" if query else str(row["path"])


def _fail(sentence: str, code: int) -> NoReturn:
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(code)
