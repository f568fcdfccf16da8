"""Whether a long history slows a webhook: the same load with ten thousand stored dials and with many more."""

import os
import statistics
from contextlib import ExitStack

from app.records.rollups.update import update_rollups
from app.records.store.store import Store
from benchmarks import servers
from benchmarks.bench import Bench, Side, say
from benchmarks.fill import fill
from benchmarks.report import Row

_FEW = 10_000


def history_row(bench: Bench, stack: ExitStack, *, dials: int, rounds: int) -> Row:
    """Start a server on each history and compare them."""
    sides = []
    for count in (dials, _FEW):
        name = f"beside {count:,} dials"
        server = servers.Server(name, servers.ours(), bench.scratch / f"history{count}")
        stack.callback(server.stop)
        server.start().stop()  # It creates the tables.
        say(f"storing {count:,} dials")
        _fill(server, count)
        bench.servers[name] = server.start()
        sides.append(Side(name))
        bench.run(sides[-1], connections=32, seconds=1)
    pairs = []
    for turn in range(rounds):
        found = {side: bench.run(side, connections=32) for side in sides[:: 1 if turn % 2 else -1]}
        pairs.append((found[sides[0]], found[sides[1]]))
    ratios = sorted(few.rate / many.rate for many, few in pairs)
    return Row(
        figure=f"time of a webhook with {dials:,} dials stored / with {_FEW:,}",
        done_at="1.1",
        goal="1.05",
        value=statistics.median(ratios),
        spread=(ratios[0], ratios[-1]),
    )


def _fill(server: servers.Server, dials: int) -> None:
    store = Store(f"sqlite:///{server.scratch / 'instance' / 'dialstatus.db'}", timeout=60)
    fill(store, dials=dials, days=30)
    update_rollups(store)  # Otherwise the server would count them during the measurement.
    store.close()
    os.sync()
