"""Parsers of settings that are URLs, or the part of one that Plivo reads after the #."""

import ipaddress
import os
import re
import socket
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from settings.parsers import ROOT

_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?", re.IGNORECASE)

# Domains that are reserved, or in use, for private networks.
_PRIVATE_DOMAINS = (
    *(".localhost", ".localdomain", ".local", ".internal", ".intranet", ".lan", ".corp", ".home", ".home.arpa"),
    *(".test", ".invalid"),
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# IANA's special-purpose registries, as far as `is_global` does not know them in every version of Python we run on.
_SPECIAL = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20"))
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def split_url(text: str) -> SplitResult:
    """Return the parts of an absolute http or https URL. Raises ValueError."""
    url = urlsplit(text)
    name = url.hostname or ""
    is_absolute = url.scheme in {"http", "https"} and url.port != 0 and not url.netloc.endswith(":")
    is_host = _HOST_NAME.fullmatch(name) or (":" in name and ipaddress.ip_address(name))
    if not is_absolute or not is_host or not re.fullmatch(r"[!-~]+", text):
        raise ValueError("not an absolute URL")
    return url


def public_url(text: str) -> str:
    """Return the URL at which Plivo reaches this server, without a slash at its end."""
    what = "write only what Plivo calls this server, such as https://calls.example.com, without user, ? and #"
    try:
        url = split_url(text)
    except ValueError as error:
        raise ValueError(what) from error
    if "@" in url.netloc or "?" in text or "#" in text:
        raise ValueError(what)
    if "/dialstatus/" in f"{url.path}/":
        raise ValueError("leave out /dialstatus and what follows: the server adds it")
    if url.hostname in {"0.0.0.0", "::"}:  # noqa: S104 - Refused, not listened on.
        raise ValueError("every address of this machine is no address that Plivo can call; write a host name")
    return text.rstrip("/")


def path_prefix(text: str) -> str:
    """Return the path below which the server is reached, without a slash at its end."""
    if not re.fullmatch(r"(/[\w.~%!$&'()*+,;=:@-]+)+/?", text, re.ASCII) or "/dialstatus/" in f"{text}/":
        raise ValueError("write a path that begins with a slash, such as /voice, without /dialstatus")
    return text.rstrip("/")


def is_loopback(url: str | None) -> bool:
    """Return whether a URL leads to this machine; so does a missing one."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".") if url else "localhost"
    except ValueError:
        return False
    address = _address_of(host)
    return host == "localhost" or host.endswith(".localhost") if address is None else address.is_loopback


def is_private(url: str) -> bool:
    """Return whether a URL leads to a place that Plivo cannot reach, as far as its host shows."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    address = _address_of(host)
    return ("." not in host or host.endswith(_PRIVATE_DOMAINS)) if address is None else not is_public(address)


def is_public(address: Address) -> bool:
    """Return whether an address belongs to the open internet; an IPv6 address that wraps an IPv4 one counts as that."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _wrapped_address(address)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _wrapped_address(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _address_of(host: str) -> Address | None:
    """Return the address that a host is written as: 127.0.0.1, but also 127.1, 0x7f000001 and 2130706433."""
    try:
        address: Address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return None
    return (isinstance(address, ipaddress.IPv6Address) and _wrapped_address(address)) or address


_DATABASE_FORMS = (
    "write sqlite:////absolute/path.db or postgresql://user:password@host/database, "
    "special characters of the password percent-encoded"
)


def database_url(text: str) -> str:
    """Return the URL as SQLAlchemy takes it: a file by its absolute path, psycopg named, several hosts in the query."""
    scheme, _, rest = text.partition("://")
    if scheme == "sqlite":
        return f"sqlite:///{_sqlite_path(rest)}"
    shape = re.fullmatch(r"(?:([^/?#@]*)@)?([^/?#@]*)/([^/?#@:]*)(?:\?([^#]*))?", rest)
    if scheme not in {"postgres", "postgresql", "postgresql+psycopg"} or not shape:
        raise ValueError(_DATABASE_FORMS)
    login, hosts, name, query = (part or "" for part in shape.groups())
    _check_hosts(hosts, query)
    if "," in hosts:
        query = "&".join([*(f"host={host}" for host in hosts.split(",")), *filter(None, [query])])
        hosts = ""
    return f"postgresql+psycopg://{login}{'@' if login else ''}{hosts}/{name}{'?' if query else ''}{query}"


def _sqlite_path(rest: str) -> str:
    """Return the percent-encoded absolute path in what follows `sqlite://`, with its query."""
    path, mark, query = rest.partition("?")
    if not path.startswith("/") or re.match(r"/(:memory:|file:|$)", path):
        raise ValueError(_DATABASE_FORMS)
    absolute = Path(os.path.normpath(ROOT / Path(unquote(path[1:])).expanduser()))
    if path.endswith("/") or absolute.is_dir():
        raise ValueError("this is a directory; write the path of a file, such as sqlite:////absolute/path.db")
    return f"{quote(str(absolute))}{mark}{query}"


def _check_hosts(hosts: str, query: str) -> None:
    """Raise ValueError where a host or its port cannot be used."""
    fields = parse_qsl(query, keep_blank_values=True)
    named = [*hosts.split(","), *(value for key, value in fields if key == "host" and not value.startswith("/"))]
    named = [one for one in named if one]
    for one in named:
        parts = re.fullmatch(r"(?:[\w.%~-]*|\[[0-9a-fA-F:.]+\])(?::([^:]*))?", one, re.ASCII)
        # Several hosts move into the query, where SQLAlchemy takes no IPv6 address.
        if not parts or ("[" in one and (one != hosts or len(named) > 1)):
            raise ValueError(_DATABASE_FORMS)
        _check_port(parts[1])
    ports = [value for key, value in fields if key == "port"]
    for port in ports:
        _check_port(port)
    if ports and (len(ports) > 1 or len(named) > 1 or any(re.search(r":[0-9]+$", one) for one in named)):
        raise ValueError("write each port once, after its host: postgresql://user:password@host:5432/database")


def _check_port(port: str | None) -> None:
    if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) and 1 <= int(port) <= 65535):
        raise ValueError("write the port as a number from 1 to 65535")


_RETRY_RANGES = {"ct": (100, 10_000), "rt": (100, 40_000), "tt": (100, 55_000), "rc": (0, 5)}
_RETRY_FAILURES = {"4xx", "5xx", "ct", "rt", "all"}
_RETRY_REGIONS = {"nearest", "local", "n_california", "n_virginia", "frankfurt", "singapore", "mumbai"}


def retry(text: str) -> str:
    """Return a retry fragment that agrees with the table in Plivo's callback configuration reference."""
    seen = set()
    for part in text.split("&"):
        key, _, value = part.partition("=")
        low, high = _RETRY_RANGES.get(key, (1, 0))
        is_valid = (
            (re.fullmatch(r"[0-9]{1,5}", value) and low <= int(value) <= high)
            or (key == "rp" and _RETRY_FAILURES.issuperset(value.split(",")))
            or (key == "er" and value in _RETRY_REGIONS)
        )
        if not is_valid or key in seen:
            raise ValueError(
                f"{part!r} is not one of ct=100–10000, rt=100–40000, tt=100–55000 (milliseconds), rc=0–5, "
                "rp=4xx,5xx,ct,rt,all and er=nearest; write each once, joined with &, without #"
            )
        seen.add(key)
    return text


def retry_5xx(text: str) -> str:
    """Return a retry fragment by which Plivo repeats what was answered with 5xx."""
    fields = dict(part.split("=") for part in retry(text).split("&"))
    if not {"5xx", "all"} & set(fields.get("rp", "").split(",")) or fields.get("rc") == "0":
        raise ValueError("a report that was not kept must come again; write rc=1 or more and 5xx in rp")
    return text
