"""`flask simulate`: a local Plivo that calls your server, without a phone, an account or a tunnel."""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import urldefrag, urlsplit, urlunsplit

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from app.cli import simulate_report as report
from app.cli.simulate_options import CALLS_OF_THE_MIX, EPILOG, MOST_TRACED, PARAMS, Options
from app.cli.simulate_report import SimulationResult
from app.context import services
from app.dial.callback_urls import PREFIX
from app.server.local_server import local_server
from app.simulator.carrier.call_requests import ApplicationUrls
from app.simulator.ground_truth import CallTruth
from app.simulator.reports_api import ReportsApi, ReportsApiError
from app.simulator.run import Run, play, verify
from app.simulator.scenario import Scenario, ScriptError, built_in, load_scenarios
from app.simulator.wire.transport import RemoteTargetError, Transport, is_loopback
from config import Config

WRONG, NOT_REACHABLE = 1, 3
_WIDTH_OF_A_PIPE = 160

# `flask plivo setup` writes the same fragment, so that Plivo retries after a 503.
_RETRY_FRAGMENT = "rc=3&rp=ct,rt,5xx"


def run_simulation(**given: Any) -> None:
    """Play Plivo against a running server: fetch its XML, carry it out, report, until each call ends."""
    options = _with_settings(given, services().config)
    scenarios = _known_scenarios(options)
    if options.lists:
        _print_scenarios(list(scenarios.values()))
        return
    if options.repeats_uuids and options.seed is None:
        raise click.UsageError("--repeat-uuids repeats those of an earlier run; pass its --seed too")
    run = _make_run(options, scenarios)
    if options.verifies and not options.reports_token:
        raise click.UsageError("--verify reads another machine's API; pass its REPORTS_TOKEN as --reports-token")
    _check_target(run)
    begun = time.monotonic()
    calls = _play(run, quiet=options.as_json)
    differences = None
    if options.verifies:
        try:
            api = ReportsApi(run.urls.answer, options.reports_token or "", run.transport)
            differences = verify(calls, api, run.concurrency)
        except ReportsApiError as error:
            _leave(f"cannot verify: {error}", WRONG)
    result = SimulationResult(seed=run.seed, calls=calls, differences=differences, seconds=time.monotonic() - begun)
    _print_result(result, options)
    if not result.is_right:
        raise SystemExit(WRONG)


def _with_settings(given: Mapping[str, Any], config: Config) -> Options:
    """Return the options, completed from the settings of this checkout.

    Bearer tokens are completed only for a server on this machine: another one would learn them.
    """
    url, connect_to = given["url"], given["connect_to"]
    if url is None:
        base, address = local_server(config)
        url, connect_to = f"{base}{PREFIX}/", connect_to or (None if given["allow_remote"] else address)
    tokens = {"token": next(iter(config.plivo_auth_tokens), None)}
    if is_loopback(connect_to[0] if connect_to else urlsplit(url).hostname or ""):
        tokens |= {"reports_token": config.reports_token, "phlo_token": config.phlo_token}
    completed = {
        **given,
        **{name: token for name, token in tokens.items() if given[name] is None},
        "url": url,
        "connect_to": connect_to,
        "account_timezone": given["account_timezone"] or config.plivo_timezone,
    }
    return Options(**completed)


def _known_scenarios(options: Options) -> dict[str, Scenario]:
    """Return all scenarios by name; those of a script replace built-in ones of the same name."""
    try:
        own = load_scenarios(options.script) if options.script else ()
    except ScriptError as error:
        raise click.UsageError(str(error)) from error
    return {scenario.name: scenario for scenario in (*built_in(), *own)}


def _make_run(options: Options, scenarios: dict[str, Scenario]) -> Run:
    named = [_named(name, scenarios) for name in options.scenario]
    mix = load_scenarios(options.script) if options.script else built_in()
    if not any(scenario.weight for scenario in mix):
        raise click.UsageError(f"every scenario in {options.script} has weight 0; name one, or give one a weight")
    if not named and options.script and options.calls is None:
        named = list(mix)
    return Run(
        named=named,
        mix=mix,
        calls=options.calls or len(named) or CALLS_OF_THE_MIX,
        concurrency=options.concurrency,
        seed=secrets.randbelow(10**9) if options.seed is None else options.seed,
        urls=_make_urls(options),
        transport=Transport(
            token=options.token,
            main_token=options.main_token,
            connect_to=options.connect_to,
            allow_remote=options.allow_remote,
            sends_simulated_time=not options.real_time,
            patience=options.patience,
        ),
        faults=options.faults,
        other_number=options.other_number,
        own_number=options.own_number,
        zone=options.account_timezone,
        rate=options.rate,
        spread_days=options.spread_days,
        real_time=options.real_time,
        repeats_uuids=options.repeats_uuids,
        names_callers=options.names_callers,
    )


def _named(name: str, scenarios: dict[str, Scenario]) -> Scenario:
    if name not in scenarios:
        raise click.UsageError(f"there is no scenario {name!r}; write one of {', '.join(scenarios)}")
    return scenarios[name]


def _make_urls(options: Options) -> ApplicationUrls:
    return ApplicationUrls(
        answer=_with_fragment(options.url, _RETRY_FRAGMENT),
        method=options.method,
        hangup=options.hangup_url or _below(options.url, "hangup/"),
        ring=options.ring_url or _below(options.url, "ring/"),
        phlo=options.phlo_url or _below(options.url, "phlo/"),
        fallback=options.fallback_url,
        phlo_token=options.phlo_token,
    )


def _below(url: str, name: str) -> str:
    """Return the URL of this name below the answer URL's path."""
    parts = urlsplit(urldefrag(url).url)
    path = f"{parts.path.rstrip('/')}/{name}"
    return _with_fragment(urlunsplit((parts.scheme, parts.netloc, path, "", "")), _RETRY_FRAGMENT)


def _with_fragment(url: str, fragment: str) -> str:
    return url if "#" in url else f"{url}#{fragment}"


def _check_target(run: Run) -> None:
    """Exit before the first call if the server is on another machine or not running."""
    try:
        for url in (run.urls.answer, run.urls.hangup, run.urls.ring, run.urls.phlo, run.urls.fallback):
            if url:
                run.transport.check_target(url)
    except RemoteTargetError as error:
        raise click.UsageError(str(error)) from error
    if not run.transport.is_listening(run.urls.answer):
        parts = urlsplit(run.urls.answer)
        where = ":".join(map(str, run.transport.connect_to)) if run.transport.connect_to else parts.netloc
        _leave(f"nothing listens at {where}; start the server with `make run`, or pass its --url", NOT_REACHABLE)


def _play(run: Run, *, quiet: bool) -> list[CallTruth]:
    """Play all calls, with a progress bar on a terminal."""
    progress = Progress(
        TextColumn("calls"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=quiet or run.calls <= MOST_TRACED or not Console(stderr=True).is_terminal,
    )
    with progress:
        task = progress.add_task("calls", total=run.calls)
        return play(run, lambda _call: progress.advance(task))


def _print_result(result: SimulationResult, options: Options) -> None:
    is_traced = len(result.calls) <= MOST_TRACED if options.trace is None else options.trace
    if options.as_json:
        click.echo(report.as_json(result, with_trace=is_traced))
        return
    console = _console()
    if is_traced:
        for call in result.calls:
            report.print_trace(console, call)
    report.print_summary(console, result, with_faults=not is_traced)


def _print_scenarios(scenarios: Sequence[Scenario]) -> None:
    table = Table(Column("scenario", overflow="fold"), "what happens", "share of the mix")
    total = sum(scenario.weight for scenario in scenarios)
    for scenario in scenarios:
        table.add_row(scenario.name, scenario.about, f"{scenario.weight / total:.0%}" if total else "–")
    _console().print(table)


def _console() -> Console:
    """Return a console as wide as the terminal, or wide enough for a pipe."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_OF_A_PIPE)


def _leave(message: str, code: int) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    raise SystemExit(code)


simulate = click.Command(
    "simulate",
    params=PARAMS,
    callback=run_simulation,
    short_help="Play calls against a running server, as Plivo would.",
    help=f"{run_simulation.__doc__}\n\nSCENARIO names what happens; without one, a mix as on a real line.",
    epilog=EPILOG,
)
"""The command `flask simulate`."""
