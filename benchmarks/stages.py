"""Where the time of one action request goes, in microseconds: `python -m benchmarks.stages`.

One thread, the stages one after another as a request passes them. Each is the best of several rounds in processor time,
so that other work on the machine counts little; only commits are timed by the clock.
"""

import io
import statistics
import tempfile
import time
import timeit
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flask import Flask, request
from werkzeug.test import EnvironBuilder

from app import create_app
from app.context import EXTENSION, Services
from app.dial import decide as deciding
from app.dial import request as reading
from app.dial import routes
from app.dial import store_receipt as storing
from app.dial.deferred_response import DeferredResponse, _count
from app.dial.guard import guard
from app.dial.snapshot import snapshot_of
from app.dial.ticket import Ticket
from app.ops.counts import Counts
from app.ops.logs import configure_logging
from app.records.model.receipt import Receipt, StoredReceipt
from app.records.model.state import DialState
from app.records.store import migrate
from app.records.store.store import Writer
from app.records.writing.batch import Batch
from app.records.writing.entry import Entry
from app.server.adapter import make_environ
from app.voice.events import DialEnded, Kind
from app.voice.outcome import facts_of_report, outcome_of
from app.voice.signature import verify
from app.voice.xml import EMPTY
from benchmarks import webhooks
from benchmarks.peers.bare import app as bare
from benchmarks.servers import ROOT, environment
from config import Config

_ROUNDS, _TIMES = 7, 500
Stage = tuple[str, float]


def main() -> None:
    """Measure and print a table."""
    scratch = ROOT / "benchmarks" / "scratch"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as directory, Path(directory, "log").open("w") as log:
        config = Config.load(environment(Path(directory)))
        app = create_app(config)
        configure_logging(config, log)
        shared: Services = app.extensions[EXTENSION]
        migrate.upgrade(shared.store)
        raw = webhooks.action(0).raw
        stages = [("a bare view of Flask, whole", _best(_serve(bare, raw)))]
        scope = _scope(raw)
        stages += [("WSGI environ of the request", _best(lambda: make_environ(scope)))]
        stages += [("request context, made and left", _best(_push_and_pop(app, raw)))]
        with app.request_context(environ_of(raw)):
            stages += _in_request(shared, raw)
        stages += _in_store(app, shared)
        shared.store.close()
    for name, micros in stages:
        print(f"| {name} | {micros:.1f} |")


def _in_request(shared: Services, raw: bytes) -> list[Stage]:
    asked = _asked()
    body = raw.partition(b"\r\n\r\n")[2]

    asked.environ[reading.BODY] = body  # As the adapter passes it.
    whole_guard = _best(guard)
    webhook = reading.current_webhook()
    zone = shared.config.plivo_timezone
    event = storing.translate(webhook, zone)
    assert isinstance(event, DialEnded)
    ticket = webhook.ticket
    receipt = storing.make_receipt(webhook, event)
    entry = Entry((receipt,))
    reply = _later(shared, webhook, entry)
    counts = Counts(shared.config.instance_dir / "counts")
    kept = StoredReceipt(deliveries=1, reply_status=200, reply=None, call_uuid="a call", dial=DialState(1, "a dial", 1))
    return [
        ("guard: read the parameters", _best(lambda: _read(asked, shared))),
        ("guard: signature", _best(lambda: _verify(webhook, shared))),
        ("guard, whole", whole_guard),
        ("translate", _best(lambda: storing.translate(webhook, zone))),
        ("decide and reply", _best(lambda: _decide(webhook, shared, event, ticket))),
        ("receipt", _best(lambda: storing.make_receipt(webhook, event))),
        ("deferred response", _best(lambda: _later(shared, webhook, entry))),
        ("log line", _best(lambda: storing._log_dial_ended(receipt, kept))),
        ("counts", _best(lambda: _count(counts, webhook, reply.status_code, reply.finished_at))),
    ]


def _later(shared: Services, webhook: reading.Webhook, entry: Entry) -> DeferredResponse:
    return DeferredResponse(shared, webhook, entry, lambda _reply: None, otherwise=EMPTY)


def _in_store(app: Flask, shared: Services) -> list[Stage]:
    writer = shared.store.connect_writer()
    stages = [("identity of the receipt", _best(_receipt(app, shared).digest))]
    for size in (1, 16, 64):
        rows, commit = _batches(app, shared, writer, size)
        stages.append((f"rows of a receipt, {size} a batch", rows))
        stages.append((f"commit, synced, for each receipt of {size}", commit))
    writer.close()
    return stages


def _batches(app: Flask, shared: Services, writer: Writer, size: int) -> Sequence[float]:
    """Return the median microseconds of a receipt in batches of one size: its rows, and its share of the commit."""
    rounds = []
    for _ in range(50):
        receipts = [_receipt(app, shared) for _ in range(size)]
        writer.begin([])
        started = time.thread_time()
        batch = Batch(writer.cursor, shared.store.statements)
        batch.look_up(receipts)
        batch.add(receipts)
        batch.finish()
        rows = time.thread_time() - started
        written = timeit.default_timer()
        writer.commit()
        rounds.append((rows, timeit.default_timer() - written))
    return [statistics.median(times) / size * 1e6 for times in zip(*rounds, strict=True)]


def _receipt(app: Flask, shared: Services) -> Receipt:
    with app.request_context(environ_of(webhooks.action(0).raw)):
        webhook = _read(_asked(), shared)
        return storing.make_receipt(webhook, storing.translate(webhook, shared.config.plivo_timezone))


def _read(asked: Any, shared: Services) -> reading.Webhook:
    webhook = reading.read_head(asked, Kind.ACTION, shared.config)
    reading.read_parameters(webhook, asked, shared.config.secret_key)
    return webhook


def _asked() -> Any:
    return request._get_current_object()  # type: ignore[attr-defined]


def _verify(webhook: reading.Webhook, shared: Services) -> object:
    tokens = shared.config.plivo_auth_tokens
    return verify(method=webhook.method, url=webhook.url, params=webhook.form, headers=request.headers, tokens=tokens)


def _decide(webhook: reading.Webhook, shared: Services, event: DialEnded, ticket: Ticket | None) -> object:
    outcome = outcome_of(facts_of_report(event))
    decision = deciding.decide_after(
        event, outcome, ticket, shared.plan, snapshot_of(event, shared), caller_is_gone=False
    )
    secret = shared.config.secret_key
    return routes.replies().write(
        decision,
        base_url=webhook.base_url,
        dial_id=lambda: deciding.next_dial_id(event, ticket, secret),
        since=event.at // 1000,
    )


def environ_of(raw: bytes) -> dict[str, Any]:
    """Return the WSGI environ of a request."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    environ: dict[str, Any] = EnvironBuilder(
        path=path, query_string=query, method=method, headers=headers, input_stream=io.BytesIO(body)
    ).get_environ()
    return {**environ, "RAW_URI": target, "REMOTE_ADDR": "127.0.0.1"}


def _scope(raw: bytes) -> dict[str, Any]:
    head = raw.partition(b"\r\n\r\n")[0]
    first, *lines = head.split(b"\r\n")
    method, target, _ = first.split(b" ")
    path, _, query = target.partition(b"?")
    return {
        "method": method.decode(),
        "raw_path": path,
        "query_string": query,
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 5000),
        "client": ("127.0.0.1", 40000),
        "headers": [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)],
    }


def _serve(app: Flask, raw: bytes) -> Callable[[], object]:
    environ = environ_of(raw)

    def serve() -> object:
        return b"".join(app(dict(environ), _start_response))

    return serve


def _start_response(*_: object) -> Callable[[bytes], object]:
    return bytes


def _push_and_pop(app: Flask, raw: bytes) -> Callable[[], object]:
    environ = environ_of(raw)

    def enter() -> None:
        with app.request_context(dict(environ)):
            pass

    return enter


def _best(work: Callable[[], object]) -> float:
    work()
    return min(timeit.repeat(work, number=_TIMES, repeat=_ROUNDS, timer=time.thread_time)) / _TIMES * 1e6


if __name__ == "__main__":
    main()
