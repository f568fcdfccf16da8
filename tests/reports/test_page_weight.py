"""A page is light: with its styles, script and icons it stays under 60 KB as it is sent."""

import gzip
import random
import re

from app.records.model.ids import now
from tests.reports.caller import Caller
from tests.reports.history import make_call

LARGEST = 60_000  # bytes
GZIP = {"Accept-Encoding": "gzip, deflate, br"}
DAY = 24 * 60 * 60 * 1000  # milliseconds


def weight(caller: Caller, path: str) -> dict[str, int]:
    """Return the bytes, as sent, of a page and of every file that it loads."""
    page = caller.client.get(path, headers=GZIP)
    assert page.status_code == 200, page.text
    text = gzip.decompress(page.data).decode()
    addresses = set(re.findall(r'<(?:link|script|img|use)[^>]* (?:href|src)="(/[^"#]+)', text))
    assert len(addresses) >= 4, addresses
    sizes = {path: len(page.data)}
    for address in addresses:
        with caller.client.get(address, headers=GZIP) as file:
            sizes[address] = len(file.data)
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


def test_only_what_asks_for_gzip_gets_it(lite_caller: Caller) -> None:
    lite_caller.log_in()
    lite_caller.ended_call("busy")
    plain, zipped = (lite_caller.client.get("/?range=today", headers=each) for each in ({}, GZIP))

    assert plain.headers.get("Content-Encoding") is None
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert zipped.headers["Content-Length"] == str(len(zipped.data))
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert "Accept-Encoding" in zipped.headers["Vary"]
    refusing = {"Accept-Encoding": "gzip;q=0, identity"}
    assert lite_caller.client.get("/", headers=refusing).headers.get("Content-Encoding") is None


def test_a_compressed_file_is_sent_once(lite_caller: Caller) -> None:
    with lite_caller.client.get("/assets/reports.css", headers=GZIP) as first:
        tag = first.headers["ETag"]
    with lite_caller.client.get("/assets/reports.css", headers={**GZIP, "If-None-Match": tag}) as again:
        assert (again.status_code, again.data) == (304, b"")


def test_plivo_gets_plain_xml_and_exports_are_streamed(lite_caller: Caller) -> None:
    lite_caller.log_in()
    reply = lite_caller.client.post(
        "/dialstatus/", data={"CallUUID": "one", "From": "14155550199", "To": "14155550100"}, headers=GZIP
    )
    with lite_caller.client.get("/calls.csv", headers=GZIP) as file:
        assert file.headers.get("Content-Encoding") is None

    assert reply.text.startswith("<Response>")
