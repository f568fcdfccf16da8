"""How many receipts a second the store takes by itself: looked up, folded, written and committed by one thread."""

import statistics
import time

from app import create_app
from app.context import EXTENSION, Services
from app.dial import store_receipt as storing
from app.dial.request import Request, Webhook, read_head, read_parameters
from app.records.model.receipt import Receipt
from app.records.store import migrate
from app.records.writing.batch_writer import BatchWriter
from app.records.writing.entry import Entry
from app.voice.events import Kind
from benchmarks import servers, webhooks
from benchmarks.bench import Bench
from benchmarks.report import Row
from benchmarks.stages import environ_of
from config import Config

_SIZE, _BATCHES, _ROUNDS = 64, 30, 5


def store_row(bench: Bench) -> Row:
    """Commit batches of new receipts to an empty store."""
    scratch = bench.scratch / "store"
    scratch.mkdir()
    app = create_app(Config.load(servers.environment(scratch)))
    services: Services = app.extensions[EXTENSION]
    migrate.upgrade(services.store)
    writer = BatchWriter(services.store, announce=False)
    rates = []
    with app.app_context():
        for _ in range(_ROUNDS):
            batches = [[Entry((receipt(services),)) for _ in range(_SIZE)] for _ in range(_BATCHES)]
            started = time.perf_counter()
            for batch in batches:
                writer.write(batch)
            rates.append(_SIZE * _BATCHES / (time.perf_counter() - started))
    writer.close()
    services.store.close()
    return Row(
        figure=f"store alone: receipts a second, folded and committed in batches of {_SIZE}",
        done_at="10,000",
        goal="20,000",
        value=statistics.median(rates),
        spread=(min(rates), max(rates)),
    )


def receipt(services: Services) -> Receipt:
    """Return the receipt of a new call's report."""
    asked = Request(environ_of(webhooks.action(0).raw))
    webhook: Webhook = read_head(asked, Kind.ACTION, services.config)
    read_parameters(webhook, asked, services.config.secret_key)
    return storing.make_receipt(webhook, storing.translate(webhook, services.config.plivo_timezone))
