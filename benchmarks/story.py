"""How much disk a call takes: every webhook of calls with one answered dial each."""

from benchmarks import checks, servers, webhooks
from benchmarks.bench import Bench
from benchmarks.client import send_all
from benchmarks.report import Row


def bytes_row(bench: Bench, *, calls: int) -> Row:
    """Send whole calls to a separate server and divide the growth of its database by their number."""
    server = servers.Server("story", servers.ours(), bench.scratch / "story").start()
    try:
        database = bench.scratch / "story" / "instance" / "dialstatus.db"
        empty = checks.bytes_on_disk(database)
        requests = [one.raw for _ in range(calls) for one in webhooks.story()]
        answers = send_all(server.port, requests, connections=16)
        if set(answers.statuses) != {200}:
            raise checks.Unfit(f"whole calls were answered {sorted(set(answers.statuses))}")
        stored = checks.stored_receipts(f"sqlite:///{database}")
        if stored != len(requests):
            raise checks.Unfit(f"{len(requests)} requests of whole calls are {stored} receipts")
        grown = checks.bytes_on_disk(database) - empty
    finally:
        server.stop()
    return Row(
        figure="bytes on disk per call with one dial, its five webhooks",
        done_at="6,000",
        goal="4,000",
        value=grown / calls,
        detail=f"{calls:,} calls",
    )
