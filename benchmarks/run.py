"""This server and its peers side by side: `python -m benchmarks.run`, or `make bench`; see `--help`.

Each figure is the median of ratios of runs that follow one another, so that what else the machine does weighs on both,
over several starts of all servers. Every run gets webhooks that nobody has seen before, signed beforehand.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks import checks, report, servers
from benchmarks.bench import Bench, Side, say
from benchmarks.figures import COMPARISONS, Comparison
from benchmarks.history import history_row
from benchmarks.load import WRK, Measured
from benchmarks.postgresql import postgresql
from benchmarks.report import Row
from benchmarks.store_alone import store_row
from benchmarks.story import bytes_row

RESULTS = Path(__file__).parent / "results.md"


def main() -> None:
    """Measure, check, print, and write `results.md`."""
    options = _options()
    options.scratch.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=options.scratch))
    started = time.monotonic()
    try:
        filesystem = checks.require_disk(scratch)
        with ExitStack() as stack:
            text = _measure(options, scratch, filesystem, stack)
    except checks.Unfit as error:
        sys.exit(f"No figures: {error}.")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    say(f"\n{text}\nIt took {time.monotonic() - started:.0f} seconds.")
    if not options.only:
        RESULTS.write_text(text)
        say(f"Written to {RESULTS}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.run", description="Compare ours with its peers.")
    parser.add_argument(
        "--full", action="store_true", help="more and longer rounds, a million requests, ten million dials"
    )
    parser.add_argument("--starts", type=int, help="starts of all servers (3; 5 when full)")
    parser.add_argument("--rounds", type=int, help="times the pairs of each figure in a start (1; 3 when full)")
    parser.add_argument("--seconds", type=int, help="seconds of each run (1; 5 when full)")
    choices = [*(one.name for one in COMPARISONS), "memory", "history", "store"]
    parser.add_argument("--only", action="append", choices=choices, help="measure only these, and write no results")
    parser.add_argument(
        "--scratch",
        type=Path,
        default=servers.ROOT / "benchmarks" / "scratch",
        help="a directory on a disk, for databases",
    )
    options = parser.parse_args()
    options.scratch = options.scratch.absolute()
    options.starts = options.starts or (5 if options.full else 3)
    options.rounds = options.rounds or (3 if options.full else 1)
    options.seconds = options.seconds or (5 if options.full else 1)
    return options


def _measure(options: argparse.Namespace, scratch: Path, filesystem: str, stack: ExitStack) -> str:
    chosen = [one for one in COMPARISONS if not options.only or one.name in options.only]
    for one in [one for one in chosen if not servers.is_installed(one.peer.server)]:
        say(f"left out, since it is not installed: {one.peer.server}")
        chosen.remove(one)
    bench = Bench(scratch=scratch, seconds=options.seconds)
    wanted = set(options.only or ("memory", "history", "store"))
    needed = {side.server for one in chosen for side in (one.ours, one.peer)} | {"ours"}
    _start(bench, needed | ({"bare"} if "memory" in wanted else set()), stack)
    rows = [*_compare(bench, chosen, options)]
    ours = bench.servers["ours"]
    if not options.only:
        rows += _paced(bench, 3 * options.rounds)
    if "memory" in wanted:
        rows += _memory(bench, full=options.full)
    stored = bench.check_stored()
    proof = checks.prove(ours.port, bench.database("ours"), count=2_000)
    for server in bench.servers.values():
        server.stop()
    if not options.only:
        rows += [_start_row(bench, stack), bytes_row(bench, calls=20_000 if options.full else 2_000)]
    if "store" in wanted:
        rows += [store_row(bench)]
    if "history" in wanted:
        rows += [history_row(bench, stack, dials=10_000_000 if options.full else 100_000, rounds=3 * options.rounds)]
    return "\n".join(
        (
            "# Results\n",
            f"`{'python -m benchmarks.run --full' if options.full else 'make bench'}`: runs of {options.seconds:g} s in pairs, over "
            f"{options.starts} starts of all servers; medians of ratios.\n",
            report.machine(filesystem) + "\n",
            report.table(rows),
            report.runs_table(bench.runs, bench.memory),
            f"{stored}\n\n{proof}\n",
        )
    )


def _start(bench: Bench, names: set[str], stack: ExitStack) -> None:
    knobs = servers.gunicorn_knobs(bench.scratch / "knobs")
    for name in sorted(names):
        scratch = bench.scratch / name
        if name == "ours on PostgreSQL":
            url = stack.enter_context(postgresql())
            checks.require_synced_postgresql(url)
            bench.urls[name] = url
            server = servers.Server(name, servers.ours(), scratch, {"DATABASE_URL": url})
        elif name == "ours":
            server = servers.Server(name, servers.ours(), scratch)
        else:
            url = f"sqlite:///{scratch / 'peer.db'}"
            server = servers.Server(name, servers.PEERS[name](knobs), scratch, {"DATABASE_URL": url})
        stack.callback(server.stop)
        bench.servers[name] = server.start()
        say(f"started {name} in {server.start_seconds:.2f} s")


def _compare(bench: Bench, chosen: list[Comparison], options: argparse.Namespace) -> Iterator[Row]:
    pairs: dict[str, list[tuple[Measured, Measured]]] = {one.name: [] for one in chosen}
    for start in range(options.starts):
        say(f"start {start + 1} of {options.starts}")
        if start:
            for server in bench.servers.values():
                server.stop()
                server.start()
        bench.warm_up()
        for one in chosen:
            say(one.figure)
            for turn in range(start, start + one.pairs * options.rounds):
                sides = [one.ours, one.peer][:: 1 if turn % 2 else -1]
                found = {side: bench.run(side, connections=one.connections) for side in sides}
                pairs[one.name].append((found[one.ours], found[one.peer]))
    for one in chosen:
        yield report.ratio_row(one.figure, one.done_at, one.goal, pairs[one.name])
        if one.name == "bare128":
            p99 = statistics.median(mine.p99 for mine, _ in pairs[one.name])
            yield Row(figure="p99 at 128 connections", done_at="40 ms", goal="20 ms", value=p99, unit=" ms")


def _paced(bench: Bench, rounds: int) -> Iterator[Row]:
    if WRK is None:
        return
    ours, bare = Side("ours"), Side("bare")
    half = statistics.median(one.rate for one in bench.runs["ours@32"]) / 2
    say(f"At {half:,.0f} requests a second")
    pairs = [
        [bench.run(side, connections=32, rate=half, seconds=max(2, bench.seconds)) for side in (ours, bare)]
        for _ in range(rounds)
    ]
    ratios = sorted(mine.p99 / peer.p99 for mine, peer in pairs)
    yield Row(
        figure="p99 at half of our peak load, 32 connections / bare view's under the same load",
        done_at="1.5",
        goal="0.9",
        value=statistics.median(ratios),
        spread=(ratios[0], ratios[-1]),
        detail=" / ".join(f"{statistics.median(one.p99 for one in side):.1f}" for side in zip(*pairs, strict=True))
        + " ms",
    )


def _memory(bench: Bench, *, full: bool) -> Iterator[Row]:
    """Keep loading ours, a million requests in all with `--full`, and compare its memory with the bare view's.

    A worker's own memory is what one more of them costs; what it shares with the master and the others is in the sum.
    """
    for side in (Side("bare"), Side("ours")):
        bench.run(side, connections=32)
    before = bench.memory["ours"]
    while full and bench.answered("ours") < 1_000_000:
        bench.run(Side("ours"), connections=32, seconds=30)
    own = [bench.servers[name].worker_megabytes("Private_Dirty") for name in ("ours", "bare")]
    yield Row(
        figure=f"memory of a worker's own after {bench.answered('ours'):,} requests / bare view's",
        done_at="1.3, flat",
        goal="1.1, flat",
        value=own[0] / own[1],
        detail=f"{own[0]:.0f} / {own[1]:.0f} MB; with its share of common memory {before:.0f} MB before, "
        f"{bench.memory['ours']:.0f} MB after",
    )
    whole = [bench.servers[name].megabytes() for name in ("ours", "bare")]
    yield Row(
        figure="memory of the whole server, master and workers / bare view's",
        done_at="2.2",
        goal="1.5",
        value=whole[0] / whole[1],
        detail=f"{whole[0]:.0f} / {whole[1]:.0f} MB",
    )


def _start_row(bench: Bench, stack: ExitStack) -> Row:
    seconds = []
    for turn in range(3):
        server = servers.Server(f"start{turn}", servers.ours(), bench.scratch / "start")
        stack.callback(server.stop)
        seconds.append(server.start().start_seconds)
        server.stop()
    return Row(
        figure="start to first answer",
        done_at="1.0 s",
        goal="0.5 s",
        value=statistics.median(seconds),
        unit=" s",
        spread=(min(seconds), max(seconds)),
    )


if __name__ == "__main__":
    main()
