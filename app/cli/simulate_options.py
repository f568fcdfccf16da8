"""The options of `flask simulate`, and how each is parsed."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from app.simulator.wire.faults import Fault, FaultError, parse_fault
from app.simulator.xml.grammar import is_absolute

MOST_CALLS = 100_000
MOST_AT_ONCE = 256
MOST_TRACED = 5
CALLS_OF_THE_MIX = 10

EPILOG = """
\b
Examples:
  flask simulate                           ten calls, a mix as on a real line
  flask simulate busy answered             one call of each of these
  flask simulate --list                    all scenarios
  flask simulate voicemail --real-time     in real time
  flask simulate --calls 500 --concurrency 16 --verify
  flask simulate --calls 200 --fault lost:action@0.1 --verify
  flask simulate --script my-calls.toml --json

\b
Faults are WHAT[:REQUEST][:PAUSE][@PROBABILITY]. WHAT is lost, duplicate, late,
reorder, slow, bad-signature, unsigned or disconnect; REQUEST is answer, action,
callback, ring, hangup, recording, confirm, music, redirect, fallback, record,
digits, phlo, control or notice (default: all).

\b
Exit codes: 0 the server made no mistake, 1 it did, 2 usage, 3 the server is
not reachable. The address of the server and its tokens are the settings of this
checkout, unless given here. Other users of this machine can read a token in an
option: for a server on this machine, set it. Only this machine is called,
unless --allow-remote is given.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The parsed command line."""

    scenario: tuple[str, ...]
    url: str
    calls: int | None
    concurrency: int
    rate: float
    other_number: str | None
    own_number: str
    names_callers: bool
    seed: int | None
    repeats_uuids: bool
    token: str | None = field(repr=False)
    main_token: str | None = field(repr=False)
    method: str
    hangup_url: str | None
    ring_url: str | None
    fallback_url: str | None
    phlo_url: str | None
    phlo_token: str | None = field(repr=False)
    account_timezone: ZoneInfo
    script: Path | None
    faults: tuple[Fault, ...]
    verifies: bool
    reports_token: str | None = field(repr=False)
    real_time: bool
    patience: float
    spread_days: float
    connect_to: tuple[str, int] | None
    allow_remote: bool
    trace: bool | None
    as_json: bool
    lists: bool


class FaultParam(click.ParamType[Fault]):
    """A fault of the wire, as `lost:action@0.1`."""

    name = "fault"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Fault:
        """Return the parsed fault, or fail with what to write."""
        try:
            return value if isinstance(value, Fault) else parse_fault(str(value))
        except FaultError as error:
            self.fail(str(error), param, ctx)


class UrlParam(click.ParamType[str]):
    """An absolute URL."""

    name = "url"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return an absolute URL, or fail with what to write."""
        if not is_absolute(str(value)):
            self.fail(f"{value!r} is not absolute; write http://127.0.0.1:5000/dialstatus/", param, ctx)
        return str(value)


class NumberParam(click.ParamType[str]):
    """A telephone number or SIP address."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return a number in E.164 form or a SIP address, or fail with what to write."""
        if not re.fullmatch(r"\+[1-9][0-9]{4,14}|sip:[^@\s]+@[^@\s]+", str(value)):
            self.fail(f"{value!r} is not a number; write +14155550100 or sip:alice@phone.plivo.com", param, ctx)
        return str(value)


class AddressParam(click.ParamType[tuple[str, int]]):
    """A host and a port."""

    name = "host:port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return the parsed HOST:PORT, or fail with what to write."""
        host, _, port = str(value).rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            self.fail(f"{value!r} is not a host and a port; write 127.0.0.1:5000", param, ctx)
        return host, int(port)


class ZoneParam(click.ParamType[ZoneInfo]):
    """A time zone by its IANA name."""

    name = "zone"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        """Return the named time zone, or fail with what to write."""
        try:
            return value if isinstance(value, ZoneInfo) else ZoneInfo(str(value))
        except (ZoneInfoNotFoundError, ValueError):
            self.fail(f"{value!r} is not a time zone; write one such as UTC or Asia/Kolkata", param, ctx)


PARAMS: list[click.Parameter] = [
    click.Argument(["scenario"], nargs=-1),
    click.Option(
        ["--url"],
        type=UrlParam(),
        help="Answer URL of the number called.  [default: this checkout's server]",
    ),
    click.Option(
        ["--calls"],
        type=click.IntRange(1, MOST_CALLS),
        help=f"How many calls.  [default: one of each SCENARIO, else {CALLS_OF_THE_MIX}]",
    ),
    click.Option(
        ["--concurrency"],
        type=click.IntRange(1, MOST_AT_ONCE),
        default=8,
        show_default=True,
        help="How many calls at once.",
    ),
    click.Option(
        ["--rate"], type=click.FloatRange(0, 10_000), default=0, help="Calls begun a second.  [default: no limit]"
    ),
    click.Option(
        ["--from", "other_number"],
        type=NumberParam(),
        help="The caller, or the callee of an outbound call.  [default: various]",
    ),
    click.Option(
        ["--to", "own_number"],
        type=NumberParam(),
        default="+14155550199",
        show_default=True,
        help="Your number: the one that is called, or calls in an outbound call.",
    ),
    click.Option(["--caller-names", "names_callers"], is_flag=True, help="Give most callers a name, as CNAM does."),
    click.Option(["--seed"], type=int, help="Repeat a run: the same calls and faults, with new UUIDs."),
    click.Option(["--repeat-uuids", "repeats_uuids"], is_flag=True, help="Repeat UUIDs and nonces too; needs --seed."),
    click.Option(["--token"], help="Plivo auth token to sign with.  [default: PLIVO_AUTH_TOKEN]"),
    click.Option(["--main-token"], help="Main account's token, for the Ma- signatures of a sub-account's call."),
    click.Option(
        ["--method"],
        type=click.Choice(["GET", "POST"]),
        default="POST",
        show_default=True,
        help="Method of the answer URL.",
    ),
    click.Option(["--hangup-url"], type=UrlParam(), help="Hangup URL.  [default: hangup/ under --url]"),
    click.Option(["--ring-url"], type=UrlParam(), help="Ring URL of API calls.  [default: ring/ under --url]"),
    click.Option(["--fallback-url"], type=UrlParam(), help="Fallback URL.  [default: none]"),
    click.Option(["--phlo-url"], type=UrlParam(), help="URL of the PHLO's HTTP Request.  [default: phlo/ under --url]"),
    click.Option(["--phlo-token"], help="Bearer token that the PHLO sends.  [default: PHLO_TOKEN]"),
    click.Option(
        ["--account-timezone"],
        type=ZoneParam(),
        help="Time zone of the Plivo account, for StartTime, AnswerTime, EndTime.  [default: PLIVO_TIMEZONE]",
    ),
    click.Option(
        ["--script"],
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="TOML file with your own scenarios.",
    ),
    click.Option(
        ["--fault", "faults"], type=FaultParam(), multiple=True, help="Break the wire; repeatable, see below."
    ),
    click.Option(["--verify", "verifies"], is_flag=True, help="Compare the server's records with what happened."),
    click.Option(["--reports-token"], help="The server's token, for --verify.  [default: REPORTS_TOKEN]"),
    click.Option(
        ["--patience"],
        type=click.FloatRange(0.1, 100),
        default=1,
        show_default=True,
        help="Multiply Plivo's time limits, for a slow machine.",
    ),
    click.Option(["--real-time"], is_flag=True, help="Wait as long as the calls really take."),
    click.Option(
        ["--spread-days"], type=click.FloatRange(0, 366), default=0, help="Begin the calls within the last days."
    ),
    click.Option(
        ["--connect-to"], type=AddressParam(), help="Connect to this address instead; the URLs are still signed."
    ),
    click.Option(["--allow-remote"], is_flag=True, help="Call other machines too. Only your own."),
    click.Option(
        ["--trace/--no-trace"], default=None, help=f"Show every request.  [default: up to {MOST_TRACED} calls]"
    ),
    click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON."),
    click.Option(["--list", "lists"], is_flag=True, help="List the scenarios and stop."),
]
