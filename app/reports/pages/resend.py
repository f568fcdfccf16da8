"""Send a receipt again: as a curl command to copy, or newly signed by a button."""

import json
import shlex
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qsl, quote, urlencode

from flask import Response, abort, make_response, render_template, request
from sqlalchemy import RowMapping

from app.reports.pages.first_run import is_from_this_machine, the_guide
from app.reports.pages.formatting import readable


def curl_command(receipt: RowMapping, server: str, hide: Callable[[str], str]) -> str:
    """Return the command that sends a receipt to the server, one parameter on each line, unsigned.

    On GET Plivo's parameters are in the query, from which they are left out here. `hide` masks numbers.
    """
    params = json.loads(receipt["params"])
    pairs = [
        (name, readable(each))
        for name, value in params.items()
        for each in (value if isinstance(value, list) else [value])
    ]
    query = receipt["query"]
    is_get = receipt["method"] == "GET"
    if is_get:
        query = urlencode([pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in params])
    url = f"{server}{receipt['path']}{'?' if query else ''}{hide(query)}"
    lines = [f"curl {'--get ' if is_get else ''}{shlex.quote(url)}"]
    lines += [
        f"  --data-urlencode {shlex.quote(quote(readable(name), safe='') + '=' + hide(value))}" for name, value in pairs
    ]
    if not pairs and not is_get:
        lines[0] = f"curl --request POST {shlex.quote(url)}"
    return " \\\n".join(lines)


def replay_receipt(receipt_key: int) -> Response:
    """Send a receipt again as `flask replay` does, for somebody on this machine, and show the reply."""
    if not is_from_this_machine():
        abort(HTTPStatus.FORBIDDEN, "Only from this machine can a webhook be sent again. Run flask replay there.")
    to = request.form.get("to", "").strip()
    if not to.isprintable():
        abort(HTTPStatus.BAD_REQUEST, "The server's address has characters that no URL has.")
    is_taken, said = the_guide().replay(receipt_key, to)
    call_uuid = request.form.get("call", "")
    return make_response(render_template("reports/replayed.html", is_taken=is_taken, said=said, call_uuid=call_uuid))
