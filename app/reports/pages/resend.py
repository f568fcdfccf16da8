"""A receipt as a curl command, to send the same webhook again by hand."""

import json
import shlex
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, urlencode

from sqlalchemy import RowMapping

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
