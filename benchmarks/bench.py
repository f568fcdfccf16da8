"""The servers under test and what was measured so far."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import checks, webhooks
from benchmarks.load import Measured, load
from benchmarks.servers import Server
from benchmarks.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: a server, and the requests it gets."""

    server: str
    make: Callable[[int], Webhook] = webhooks.action

    @property
    def name(self) -> str:
        """Return its name in tables."""
        return self.server + (", answer" if self.make is webhooks.answer else "")


@dataclass(slots=True)
class Bench:
    """One session of measuring. `runs` and `memory` (MB of a worker) are by side and connections, and by side."""

    scratch: Path
    seconds: int
    servers: dict[str, Server] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    runs: dict[str, list[Measured]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    _acknowledged: dict[str, int] = field(default_factory=dict)
    _issued: dict[str, int] = field(default_factory=dict)
    _rates: dict[str, float] = field(default_factory=dict)
    _written: dict[Path, int] = field(default_factory=dict)

    def run(self, side: Side, *, connections: int, seconds: int = 0, rate: float = 0) -> Measured:
        """Load one side once. Raises `Unfit` when a request was refused, or the load ran out of new ones."""
        server, seconds = self.servers[side.server], seconds or self.seconds
        count = int((rate * 1.5 or max(8000, self._rates.get(side.name, 0) * 2)) * seconds) + 4 * connections
        path = self._load(side, count)
        before = server.processor_seconds()
        measured = load(server.port, path, connections=connections, seconds=seconds, rate=rate)
        spent = (server.processor_seconds() - before) * 1e6 / max(measured.answered, 1)
        measured = replace(measured, processor_micros=spent)
        if measured.issued > count and side.server.startswith(("ours", "beside")):  # Others do not recognise copies.
            raise checks.Unfit(f"{side.name} took {measured.issued} requests and {count} were signed; start again")
        if measured.refused or measured.broken:
            raise checks.Unfit(f"{side.name}: {measured.refused} requests were refused, {measured.broken} broke")
        if not rate:
            self._rates[side.name] = max(self._rates.get(side.name, 0), measured.rate)
        self.runs.setdefault(f"{side.name}@{connections}{' paced' if rate else ''}", []).append(measured)
        self.memory[side.name] = server.worker_megabytes()
        for total, more in ((self._acknowledged, measured.answered), (self._issued, min(measured.issued, count))):
            total[side.server] = total.get(side.server, 0) + more
        say(f"  {side.name:24} {connections:4} {measured.rate:9,.0f}/s  {spent:6.0f} µs  p99 {measured.p99:7.1f} ms")
        return measured

    def _load(self, side: Side, count: int) -> Path:
        """Return a file with `count` requests: new ones, unless the server does not recognise copies."""
        if not side.server.startswith(("bare", "sample")):
            path = self.scratch / "load"
        else:
            path = self.scratch / f"load-{side.make.__name__}"
            if self._written.get(path, 0) >= count:
                return path
        webhooks.write_load(path, (side.make(number) for number in range(count)))
        self._written[path] = count
        return path

    def warm_up(self) -> None:
        """Load each server once without counting its speed; its receipts count."""
        before = {name: list(measured) for name, measured in self.runs.items()}
        for name in self.servers:
            self.run(Side(name), connections=32)
        self.runs = before

    def answered(self, server: str) -> int:
        """Return how many requests a server has acknowledged."""
        return self._acknowledged[server]

    def database(self, server: str) -> Path:
        """Return the path of a server's SQLite database."""
        return self.servers[server].scratch / "instance" / "dialstatus.db"

    def check_stored(self) -> str:
        """Compare what our servers acknowledged with what they stored. Raises `Unfit` where something is missing."""
        sentences = []
        for name in [one for one in self._acknowledged if one.startswith("ours")]:
            acknowledged = self._acknowledged[name]
            stored = checks.stored_receipts(
                self.urls.get(name) or f"sqlite:///{self.database(name)}", at_least=acknowledged
            )
            if stored < acknowledged:
                raise checks.Unfit(f"{name} acknowledged {acknowledged} requests and holds {stored}")
            sentences.append(
                f"{name}: {acknowledged:,} requests acknowledged, {stored:,} stored; "
                "those beyond were under way when a run ended."
            )
        return "\n".join(sentences)


def say(text: str) -> None:
    """Print to the terminal, apart from the results."""
    print(text, file=sys.stderr, flush=True)
