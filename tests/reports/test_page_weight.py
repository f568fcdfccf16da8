"""A page is light: with its styles, script and icons it stays under 60 KB when a proxy compresses it."""

import gzip
import random
import re

from app.records.model.ids import now
from tests.reports.caller import Caller
from tests.reports.history import make_call

LARGEST = 60_000  # bytes
DAY = 24 * 60 * 60 * 1000  # milliseconds


def weight(caller: Caller, path: str) -> dict[str, int]:
    """Return the compressed bytes of a page and of every file that it loads."""
    page = caller.client.get(path)
    assert page.status_code == 200, page.text
    addresses = set(re.findall(r'<(?:link|script|img|use)[^>]* (?:href|src)="(/[^"#]+)', page.text))
    assert len(addresses) >= 4, addresses
    sizes = {path: len(gzip.compress(page.data))}
    for address in addresses:
        with caller.client.get(address) as file:
            sizes[address] = len(gzip.compress(file.data))
    return sizes


def test_every_page_stays_light_with_four_hundred_calls(lite_caller: Caller) -> None:
    chance = random.Random(7)
    began = now()
    receipts = [
        receipt
        for number in range(400)
        for receipt in make_call(number, began - (number % 29) * DAY - number * 60_000, chance)
    ]
    lite_caller.services.journal.append_all(receipts)
    lite_caller.log_in()

    sizes = {path: weight(lite_caller, path) for path in ("/?range=30d", "/welcome", "/docs", "/docs/glossary")}

    assert [path for path, parts in sizes.items() if sum(parts.values()) >= LARGEST] == [], sizes
