"""Plivo's lists, page by page."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from app.account.client import Json
from app.account.errors import AccountError

LIMIT = 20  # Plivo gives no more objects in one page.

Place = dict[str, Any]
FIRST: Mapping[str, Any] = {"limit": LIMIT, "offset": 0}


def pages(list_page: Callable[..., Json], *, start: Mapping[str, Any] = FIRST) -> Iterator[tuple[Json, Place]]:
    """Walk a list; give each page and the place of the one after it (empty at the end).

    Follows `meta.next`, which carries an offset or a cursor (plivo-python 4.63.0, base.py). Ends where a page
    names itself as the next one, so that it always ends.
    """
    place: Place = dict(start)
    while place:
        page = list_page(**place)
        if not isinstance(page.get("objects"), list):
            raise AccountError("What answered is not Plivo's API: its page has no list of objects")
        following = _next_place(page)
        place = following if page["objects"] and following != place else {}
        yield page, place


def every(list_page: Callable[..., Json]) -> Iterator[Json]:
    """Walk all objects of a list."""
    for page, _ in pages(list_page):
        yield from page["objects"]


def _next_place(page: Json) -> Place:
    url = (page.get("meta") or {}).get("next")
    query = dict(parse_qsl(urlsplit(str(url or "")).query))
    if query.get("cursor"):
        return {"limit": LIMIT, "cursor": query["cursor"], "offset": None}
    if query.get("offset", "").isdecimal():
        return {"limit": LIMIT, "offset": int(query["offset"])}
    return {}
