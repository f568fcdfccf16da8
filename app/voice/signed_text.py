"""The text that Plivo signs: the URL taken apart, the parameters joined, and URLs it may have signed instead."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from urllib.parse import unquote_plus

Params = Iterable[tuple[str, str]]
"""Decoded form fields; a repeated field is a repeated pair, their order does not matter."""

_READING_METHODS = frozenset({"GET", "HEAD"})


def split_url(url: str) -> tuple[str, str]:
    """Return a URL's scheme, host and path, and its query, without fragment and `;` parameters."""
    base, _, query = url.partition("#")[0].partition("?")
    if ";" in base and base.count("/") > 2:  # Two slashes precede the host, a third begins a path.
        head, slash, last = base.rpartition("/")
        base = head + slash + last.partition(";")[0]
    return base, query


def rest_of_v3(method: str, encoded_query: str, params: Params, nonce: str, query: Params | None) -> bytes:
    """Return what V3 signs behind the path: everything decoded, sorted by name and value, by code point."""
    asked = _decode(encoded_query) if query is None else list(query)
    fields: list[tuple[str, str]] = []
    if method in _READING_METHODS:
        names = {name for name, _ in asked}
        asked += [pair for pair in params if pair[0] not in names]  # Plivo's SDK lets the query win.
    else:
        fields = sorted(params)
    joined = "&".join([f"{name}={value}" for name, value in sorted(asked)])
    posted = "".join([name + value for name, value in fields])
    mark = "?" if joined or fields else ""  # A body without a query leaves a bare question mark.
    dot = "." if joined and fields else ""
    return utf8(f"{mark}{joined}{dot}{posted}.{nonce}")


def _decode(query: str) -> list[tuple[str, str]]:
    """Decode a query as `urllib.parse.parse_qsl` does when it keeps blank values, only faster."""
    pairs = [piece.partition("=")[::2] for piece in query.split("&") if piece]
    if "%" in query or "+" in query:
        return [(unquote_plus(name), unquote_plus(value)) for name, value in pairs]
    return pairs


def utf8(text: str) -> bytes:
    """Encode any text: a lone surrogate, which Plivo never signs, gives bytes that match nothing."""
    return text.encode("utf-8", "surrogatepass")


def near_bases(base: str, others: Iterable[str]) -> Iterator[str]:
    """Yield what Plivo may have signed instead of `base`, the likeliest first.

    `base` and `others` are URLs without query. `others` are those that the request itself hints at.
    """
    scheme, separator, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    lower_host = scheme.lower() + separator + host.lower() + slash + path
    starts = list(dict.fromkeys([base, lower_host, base.lower(), *others]))
    for count in range(len(_CHANGES) + 1):
        for start in starts:
            for changes in combinations(_CHANGES, count):
                candidate = start
                for change in changes:
                    candidate = change(candidate)
                yield candidate


def name_differences(base: str, other: str) -> str:
    """Return in what two URLs without query differ: host, path, case, scheme, port, slash, joined by `+`."""
    (scheme, host, port, path), (other_scheme, other_host, other_port, other_path) = (
        _split_base(base),
        _split_base(other),
    )
    names = []
    for name, here, there in (
        ("host", host, other_host),
        ("path", path.rstrip("/"), other_path.rstrip("/")),
        ("scheme", scheme, other_scheme),
    ):
        if here != there:
            names.append("case" if here.lower() == there.lower() else name)
    if port != other_port and "host" not in names:
        names.append("port")
    if path.endswith("/") != other_path.endswith("/"):
        names.append("slash")
    return "+".join(dict.fromkeys(names))


def _split_base(url: str) -> tuple[str, str, str, str]:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    name, _, port = host.rpartition(":")
    return (scheme, name, port, slash + path) if port.isdigit() else (scheme, host, "", slash + path)


def show_url(url: str) -> str:
    """Return what a log may show of a URL: scheme, host, port and path."""
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
    return url[:-1] if url.endswith("/") else f"{url}/"


_CHANGES = (_toggle_scheme, _toggle_port, _toggle_slash)
