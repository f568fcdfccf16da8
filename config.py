"""Every setting: read once from the environment and `.env`, checked at start, refused with a reason.

This module imports nothing of the application, so that the server's own configuration, the factory and every
room can import it first. Only here is the environment read.
"""

import base64
import difflib
import fcntl
import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, get_type_hints
from urllib.parse import SplitResult, quote, urlsplit
from zoneinfo import ZoneInfo

import phonenumbers
from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parent
_MOST_TARGETS = 100  # Plivo takes replies of 100 KB, and refuses long before to ring so many at once.
EXAMPLE_NUMBER = "+15551234567"  # The number in Plivo's guide: nobody answers it.

Parser = Callable[[str], object]  # Raises ValueError with what to write; never repeats what it read.


class ConfigError(ValueError):
    """Say why the server does not start: one sentence for each refused setting, in `problems`."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems and join them, one a line."""
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class SignatureMode(StrEnum):
    """What becomes of a request that Plivo did not sign."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    OFF = "off"


class LogFormat(StrEnum):
    """How log lines look; auto is text on a terminal, else JSON."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


# --- Parsers: from the text of a setting to its value.


def _integer(low: int, high: int) -> Parser:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(low: float, high: float) -> Parser:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not low <= float(text) <= high:
            raise ValueError(f"write seconds from {low} to {high}")
        return float(text)

    return parse


def _one_of(*words: str, kind: Callable[[str], object] = str) -> Parser:
    def parse(text: str) -> object:
        for word in words:
            if word.lower() == text.lower():
                return kind(word)
        raise ValueError(f"write {', '.join(words[:-1])} or {words[-1]}")

    return parse


def _boolean(text: str) -> bool:
    if text.lower() in {"true", "yes", "on", "1"}:
        return True
    if text.lower() in {"false", "no", "off", "0"}:
        return False
    raise ValueError("write true or false")


def _word(text: str) -> str:
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("write it without spaces and in plain ASCII")
    return text


def _host(text: str) -> str:
    """Return a host as it stands before a port: an IPv6 address in brackets."""
    try:
        address = ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        if not re.fullmatch(r"[a-z0-9_.-]+", text, re.IGNORECASE):
            raise ValueError("write an address of this machine, such as 127.0.0.1, 0.0.0.0 or ::1") from None
        return text
    return f"[{address}]" if address.version == 6 else str(address)


def _words(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(_word(part.strip()) for part in text.split(",") if part.strip()))
    if text and not words:
        raise ValueError("write at least one between the commas")
    return words


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{16,}", text):
        raise ValueError("write at least 16 characters of plain ASCII without spaces, best random ones")
    return text


_log_level = _one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_SIP_ADDRESS = re.compile(r"sip:([\w.+~*%!-]+)@([a-z0-9.-]+(?::[0-9]{1,5})?)", re.ASCII | re.IGNORECASE)


def _target(text: str) -> str:
    # The rules of app.voice.numbers.parse_target, which to import would load the application: a test holds
    # the two together.
    what = "write +14155550100 (with country code) or sip:alice@phone.plivo.com"
    if sip := _SIP_ADDRESS.fullmatch(text):
        return f"sip:{sip[1]}@{sip[2].lower()}"
    if not text:
        raise ValueError(f"an empty number cannot be called; {what}")
    try:
        number = phonenumbers.parse(text if re.fullmatch(r"\+[0-9 ().\-/]+", text) else "")
    except phonenumbers.NumberParseException as error:
        raise ValueError(what) from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError(f"no telephone has this number; {what}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _targets(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_target(part.strip()) for part in text.split(",")))


def _split_url(text: str) -> SplitResult:
    url = urlsplit(text)
    is_absolute = url.scheme in {"http", "https"} and url.hostname and url.port != 0
    if not is_absolute or not re.fullmatch(r"[!-~]+", text):
        raise ValueError("not an absolute URL")
    return url


def _public_url(text: str) -> str:
    what = "write only what Plivo calls this server, such as https://calls.example.com, without user, ? and #"
    try:
        url = _split_url(text)
    except ValueError as error:
        raise ValueError(what) from error
    if "@" in url.netloc or "?" in text or "#" in text:
        raise ValueError(what)
    if "/dialstatus/" in f"{url.path}/":
        raise ValueError("leave out /dialstatus and what follows: the server adds it")
    return text.rstrip("/")


def _events_url(text: str) -> str:
    try:
        url = _split_url(text)
    except ValueError as error:
        raise ValueError("write an absolute URL such as https://crm.example.com/hooks/dials") from error
    if "@" in url.netloc:
        raise ValueError("write it without a user: the signature says who sent it")
    return text


_HOW_TO_SIGN = "write whsec_ and 24 to 64 random bytes in base64, as Standard Webhooks has it"


def _events_secret(text: str) -> str:
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not text.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError(_HOW_TO_SIGN)
    return text


def _database_url(text: str) -> str:
    """Return the URL as SQLAlchemy takes it: psycopg named, several hosts moved into the query."""
    scheme, _, rest = text.partition("://")
    if scheme == "sqlite" and re.fullmatch(r"/(?!:memory:).+", rest):
        return text
    shape = re.fullmatch(r"(?:([^/?#]*)@)?([^/?#@]*)/([^/?#]*)(?:\?([^#]*))?", rest)
    if scheme not in {"postgres", "postgresql", "postgresql+psycopg"} or not shape:
        raise ValueError(
            "write sqlite:////absolute/path.db or postgresql://user:password@host/database, "
            "special characters of the password percent-encoded"
        )
    login, hosts, name, query = (part or "" for part in shape.groups())
    if "," in hosts:
        query = "&".join([*(f"host={host}" for host in hosts.split(",")), *filter(None, [query])])
        hosts = ""
    return f"postgresql+psycopg://{login}{'@' if login else ''}{hosts}/{name}{'?' if query else ''}{query}"


_RETRY_RANGES = {"ct": (100, 10_000), "rt": (100, 40_000), "tt": (100, 55_000), "rc": (0, 5)}
_RETRY_FAILURES = {"4xx", "5xx", "ct", "rt", "all"}
_RETRY_REGIONS = {"nearest", "local", "n_california", "n_virginia", "frankfurt", "singapore", "mumbai"}


def _retry(text: str) -> str:
    """Check a fragment against the table in Plivo's callback configuration reference."""
    seen = set()
    for part in text.split("&"):
        key, _, value = part.partition("=")
        low, high = _RETRY_RANGES.get(key, (1, 0))
        right = (
            (re.fullmatch(r"[0-9]{1,5}", value) and low <= int(value) <= high)
            or (key == "rp" and _RETRY_FAILURES.issuperset(value.split(",")))
            or (key == "er" and value in _RETRY_REGIONS)
        )
        if not right or key in seen:
            raise ValueError(
                f"{part!r} is not one of ct=100–10000, rt=100–40000, tt=100–55000 (milliseconds), rc=0–5, "
                "rp=4xx,5xx,ct,rt,all and er=nearest; write each once, joined with &, without #"
            )
        seen.add(key)
    return text


def _retry_5xx(text: str) -> str:
    settings = dict(part.split("=") for part in _retry(text).split("&"))
    if not {"5xx", "all"} & set(settings.get("rp", "").split(",")) or settings.get("rc") == "0":
        raise ValueError("a report that was not kept must come again; write rc=1 or more and 5xx in rp")
    return text


def _file(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"{error.strerror}; write the path of a readable file") from error
    return path


def _directory(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError("write the name of a time zone such as UTC or Europe/Paris") from error


# --- The settings: each declared once, with all that is said and checked about it.


@dataclass(frozen=True)
class Setting:
    """What is said and checked about one setting; `otherwise` tells a default that is no fixed text."""

    default: str | None
    help: str
    parse: Parser
    otherwise: str = ""
    name: str = ""
    secret: bool = False


@dataclass(frozen=True, kw_only=True, repr=False)
class Config:
    """Every setting, checked. Make one with `Config.load()`; secrets stay out of its repr."""

    port: Annotated[int, Setting("5000", "Port the server listens on.", _integer(1, 65535))]
    host: Annotated[str, Setting("127.0.0.1", "Address the server listens on; `0.0.0.0` for all.", _host)]
    public_url: Annotated[
        str | None,
        Setting(
            None,
            "What Plivo calls this server: for signatures and for URLs handed out.",
            _public_url,
            "from the request",
        ),
    ]
    trusted_proxies: Annotated[
        int, Setting("0", "Proxies in front that are believed about scheme and host.", _integer(0, 10))
    ]
    plivo_auth_id: Annotated[str | None, Setting(None, "Auth ID of the Plivo account.", _word)]
    plivo_auth_tokens: Annotated[
        tuple[str, ...],
        Setting(
            "",
            "Its auth token; several, comma separated, while rotating.",
            _words,
            name="PLIVO_AUTH_TOKEN",
            secret=True,
        ),
    ]
    verify_signatures: Annotated[
        SignatureMode,
        Setting(
            None,
            "`enforce` turns unsigned requests away, `observe` records why, `off` never looks.",
            _one_of(*SignatureMode, kind=SignatureMode),
            "`enforce` when `PLIVO_AUTH_TOKEN` is set, else `off`",
        ),
    ]
    accept_v2: Annotated[
        bool,
        Setting(
            "false", "Accept requests that Plivo signed with V2 alone; V2 covers neither query nor body.", _boolean
        ),
    ]
    dial_to: Annotated[
        tuple[str, ...],
        Setting(EXAMPLE_NUMBER, "Numbers or `sip:` users to call, comma separated; all ring together.", _targets),
    ]
    dial_plan: Annotated[Path | None, Setting(None, "Path of a TOML dial plan; wins over `DIAL_TO`.", _file)]
    dial_timeout: Annotated[int, Setting("30", "Seconds to let it ring.", _integer(1, 600))]
    dial_time_limit: Annotated[int, Setting("14400", "Seconds after which an answered dial ends.", _integer(1, 86400))]
    dial_method: Annotated[str, Setting("POST", "How Plivo calls us: `GET` or `POST`.", _one_of("GET", "POST"))]
    dial_caller_id: Annotated[
        str | None, Setting(None, "Number shown to whoever is called.", _target, "the caller's own")
    ]
    retry_control: Annotated[
        str,
        Setting(
            "ct=2000&rt=3000&tt=15000&rc=2&rp=ct,rt,5xx",
            "Plivo's callback configuration for URLs where somebody is on the line.",
            _retry,
        ),
    ]
    retry_notice: Annotated[
        str,
        Setting(
            "ct=5000&rt=10000&tt=55000&rc=5&rp=ct,rt,5xx",
            "The same for URLs that bring a report; must retry 5xx.",
            _retry_5xx,
        ),
    ]
    phlo_token: Annotated[
        str | None,
        Setting(
            None,
            "Bearer token that PHLO sends, since it does not sign.",
            _token,
            "PHLO is refused, but with signatures `off`",
            secret=True,
        ),
    ]
    database_url: Annotated[
        str,
        Setting(
            None,
            "`sqlite:////…` or `postgresql://…`, also of several hosts.",
            _database_url,
            "`dialstatus.db` in `INSTANCE_DIR`",
            secret=True,
        ),
    ]
    store_timeout: Annotated[float, Setting("0.8", "Seconds one store operation may take.", _seconds(0.05, 5))]
    retention_days: Annotated[int, Setting("0", "Days that records are kept; 0: for good.", _integer(0, 36500))]
    instance_dir: Annotated[
        Path,
        Setting(
            str(ROOT / "instance"),
            "Directory of database, spool and the tokens made here.",
            _directory,
            "`instance` beside `config.py`",
        ),
    ]
    reports_token: Annotated[
        str,
        Setting(
            None,
            "Opens the dashboard and the API.",
            _token,
            "made at first start, kept in `INSTANCE_DIR`",
            secret=True,
        ),
    ]
    secret_key: Annotated[
        str,
        Setting(
            None,
            "Signs sessions and the URLs Plivo is given; the same on every node.",
            _token,
            "made and kept likewise",
            secret=True,
        ),
    ]
    timezone: Annotated[ZoneInfo, Setting("UTC", "Time zone the dashboard shows.", _zone)]
    plivo_timezone: Annotated[
        ZoneInfo, Setting("UTC", "Time zone of the Plivo account, in which Plivo reports times.", _zone)
    ]
    mask_numbers: Annotated[bool, Setting("false", "Show only last four digits on the dashboard.", _boolean)]
    events_url: Annotated[
        str | None,
        Setting(None, "Where each ended dial is posted as a webhook.", _events_url, "nowhere", secret=True),
    ]
    events_secret: Annotated[
        str | None,
        Setting(None, "Signs those, by Standard Webhooks: `whsec_…`.", _events_secret, secret=True),
    ]
    events_allow_private: Annotated[
        bool, Setting("false", "Let `EVENTS_URL` lead into a private network or to this machine.", _boolean)
    ]
    workers: Annotated[int, Setting("2", "Server processes.", _integer(1, 256))]
    threads: Annotated[
        int,
        Setting("32", "Threads in each process, for the dashboard; webhooks need none.", _integer(1, 1024)),
    ]
    log_format: Annotated[
        LogFormat,
        Setting("auto", "`json`, `text`, or `auto`: text on a terminal.", _one_of(*LogFormat, kind=LogFormat)),
    ]
    log_level: Annotated[str, Setting("INFO", "The least that is logged.", _log_level)]
    simulated_time: Annotated[
        bool, Setting("false", "Believe the simulator's clock; never with `enforce` or in public.", _boolean)
    ]
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Name every setting but the secret ones."""
        shown = (f"{field}={getattr(self, field)!r}" for field, one in _SETTINGS.items() if not one.secret)
        return f"Config({', '.join(shown)})"

    @property
    def dial_to_is_example(self) -> bool:
        """Say whether the guide's number would be called, which nobody answers."""
        return self.dial_plan is None and EXAMPLE_NUMBER in self.dial_to

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, *, dotenv: Path | None = None) -> Self:
        """Read, check and complete the settings; make the instance directory and its tokens when missing.

        Without `environ` the process's environment is read, over the `.env` beside this file; a mapping
        stands alone, or over `dotenv` if given. Raises ConfigError with every problem at once.
        """
        if environ is None:
            environ, dotenv = os.environ, dotenv or ROOT / ".env"
        read = {**_read_dotenv(dotenv), **environ}
        given = {name: (value or "").strip() for name, value in read.items()}
        values, problems = _parse(given)
        if not problems:
            mode = SignatureMode.ENFORCE if values["plivo_auth_tokens"] else SignatureMode.OFF
            values["verify_signatures"] = values["verify_signatures"] or mode
            problems = _contradictions(values) or _complete(values)
        if problems:
            raise ConfigError(problems)
        return cls(**values, warnings=tuple(_warnings(values, given)))


# --- Reading them.


_SETTINGS = {
    field: replace(one, name=one.name or field.upper())
    for field, hint in get_type_hints(Config, include_extras=True).items()
    for one in getattr(hint, "__metadata__", ())
}


def _read_dotenv(path: Path | None) -> dict[str, str | None]:
    try:
        return dotenv_values(path, interpolate=False) if path and path.exists() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path} cannot be read; make it a readable file in UTF-8"]) from error


def _parse(given: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return the values by field and a sentence for each that was refused; an empty text counts as unset."""
    values: dict[str, Any] = {}
    problems = []
    for field, one in _SETTINGS.items():
        text: str | None = given.get(one.name)
        # An empty DIAL_TO is no wish for the default: it would call the guide's number.
        if text is None or (not text and field != "dial_to"):
            text = one.default
        try:
            values[field] = None if text is None else one.parse(text)
        except ValueError as error:
            # A URL may carry a password before the @.
            read = "cannot be used" if one.secret else f"is {re.sub('//.*@', '//…@', text or '')!r}"
            problems.append(f"{one.name} {read}; {error}")
    return values, problems


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each two settings, or two numbers too many, that cannot stand together."""
    problems = []
    if (count := len(values["dial_to"])) > _MOST_TARGETS:
        problems.append(
            f"DIAL_TO holds {count} numbers; write at most {_MOST_TARGETS}, since all of them ring together"
        )
    enforced = values["verify_signatures"] is SignatureMode.ENFORCE
    if enforced and not values["plivo_auth_tokens"]:
        problems.append("VERIFY_SIGNATURES is 'enforce' without PLIVO_AUTH_TOKEN; write the account's auth token")
    if values["simulated_time"] and not _is_closed(values):
        problems.append(
            "SIMULATED_TIME is on; write false, or set VERIFY_SIGNATURES to off, leave PUBLIC_URL and TRUSTED_PROXIES "
            "out and listen on 127.0.0.1"
        )
    if values["events_url"] and not values["events_secret"]:
        problems.append(f"EVENTS_URL is set without EVENTS_SECRET; {_HOW_TO_SIGN}")
    return problems


def _is_closed(values: Mapping[str, Any]) -> bool:
    """Return whether only programs on this machine can reach the server, and it checks no signature."""
    return (
        values["verify_signatures"] is SignatureMode.OFF
        and _is_local(values["public_url"])
        and _is_local(f"//{values['host']}")
        and values["trusted_proxies"] == 0
    )


def _is_local(url: str | None) -> bool:
    host = urlsplit(url).hostname if url else "localhost"
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _complete(values: dict[str, Any]) -> list[str]:
    """Fill in what is made at first start or follows from the others; return what stood in the way."""
    instance: Path = values["instance_dir"]
    try:
        instance.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("reports_token", "secret_key"):
            values[name] = values[name] or _token(_kept_secret(instance / name))
    except OSError as error:
        return [f"INSTANCE_DIR is {str(instance)!r}; {error.strerror}; write a directory this user may write to"]
    except ValueError as error:
        return [f"The file {name} in INSTANCE_DIR cannot be used; {error}, or remove it"]
    values["database_url"] = values["database_url"] or f"sqlite:///{quote(str(instance / 'dialstatus.db'))}"
    return []


def _kept_secret(path: Path) -> str:
    """Return the secret kept in a file, made when there is none; two processes at once get the same."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", errors="replace") as file:
        # The lock ends with the file; a crash between making the file and filling it heals at the next start.
        fcntl.flock(file, fcntl.LOCK_EX)
        secret = file.read().strip()
        if not secret:
            secret = secrets.token_urlsafe(32)
            file.write(f"{secret}\n")
            file.flush()
            os.fsync(file.fileno())
        return secret


def _warnings(values: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[str]:
    if not values["dial_plan"] and EXAMPLE_NUMBER in values["dial_to"]:
        yield f"DIAL_TO is {EXAMPLE_NUMBER}, the guide's example that nobody answers; write your own number"
    if values["verify_signatures"] is not SignatureMode.ENFORCE and not _is_local(values["public_url"]):
        yield "Anybody may post reports to PUBLIC_URL; set PLIVO_AUTH_TOKEN and VERIFY_SIGNATURES=enforce"
    known = {one.name for one in _SETTINGS.values()}
    for name in sorted(given.keys() - known):
        if similar := difflib.get_close_matches(name, sorted(known), n=2, cutoff=0.8):
            yield f"{name} is not a setting and changes nothing; did you mean {' or '.join(similar)}?"


# --- Telling about them.


def settings_table() -> str:
    """Return every setting with its default as a Markdown table: README has it word for word."""
    rows = ["| setting | default | |", "|---|---|---|"]
    for one in _SETTINGS.values():
        default = one.otherwise or (f"`{one.default}`" if one.default else "–")
        rows.append(f"| `{one.name}` | {default} | {one.help} |")
    return "\n".join([*rows, ""])


def env_example() -> str:
    """Return `.env.example`: every setting, explained and commented out."""
    parts = ["# Copy to .env and take the # off what you set; the environment wins over it.\n"]
    for one in _SETTINGS.values():
        about = f"{one.help} Default: {one.otherwise}." if one.otherwise else one.help
        parts.append(f"# {about}\n# {one.name}={'' if one.otherwise else one.default or ''}\n")
    return "\n".join(parts)
