"""Take apart the URL that Plivo signs, and find those it may have signed instead."""

from collections.abc import Iterable, Iterator
from itertools import combinations


def split_url(url: str) -> tuple[str, str]:
    """Part a URL's scheme, host and path from its query, without fragment and `;` parameters."""
    base, _, query = url.partition("#")[0].partition("?")
    if ";" in base and base.count("/") > 2:  # Two slashes stand before the host, a third begins a path.
        head, slash, last = base.rpartition("/")
        base = head + slash + last.partition(";")[0]
    return base, query


def near_urls(url: str, other_urls: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield what Plivo may have signed instead, each named by its differences, the fewest first."""
    for origin, start in [("", url), *(("host", other) for other in other_urls)]:
        for count in range(len(_CHANGES) + 1):
            for names in combinations(_CHANGES, count):
                candidate = start
                for name in names:
                    candidate = _CHANGES[name](candidate)
                yield "+".join(filter(None, (origin, *names))), candidate


def show_url(url: str) -> str:
    """Keep of a URL what a log may show: scheme, host, port and path."""
    scheme, separator, rest = split_url(url)[0].partition("://")
    host, slash, path = rest.partition("/")
    return scheme + separator + host.rpartition("@")[2] + slash + path


def _toggle_scheme(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return ("https" if scheme == "http" else "http") + separator + rest


def _toggle_port(url: str) -> str:
    """Remove the port that is written, or write the default one."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    name, _, port = host.rpartition(":")
    if not port.isdigit():
        name = f"{host}:{443 if scheme == 'https' else 80}"
    return scheme + separator + name + slash + path


def _toggle_slash(url: str) -> str:
    base, query = split_url(url)
    base = base[:-1] if base.endswith("/") else f"{base}/"
    return f"{base}?{query}"


_CHANGES = {"scheme": _toggle_scheme, "port": _toggle_port, "slash": _toggle_slash}
