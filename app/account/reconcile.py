"""Fill in what lost webhooks would have reported, from Plivo's call detail records.

Each record becomes a receipt of kind `cdr` and goes through the same journal and fold as a webhook, which always
outweighs it. What is known is not written again, so a second run adds nothing.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.account.calls import live_call_uuids, parse_uuid
from app.account.client import FIRST_PAGE, Cursor, Json, PlivoClient, list_all, list_pages
from app.account.errors import NotFoundError, RefusedError
from app.account.lost_receipts import LostReceipt
from app.account.snapshot import write_json
from app.records.model.ids import now
from app.records.model.receipt import Receipt
from app.records.reading.incomplete import KnownCall, KnownDial, known_calls, open_calls
from app.records.store.store import Store
from app.records.writing.journal import Journal
from app.voice.cdr import parse_record, record_params
from app.voice.events import CallHungUp, Kind, LegHungUp
from app.voice.signature import Verdict
from app.voice.times import parse_time

# A webhook and all its retries may take this long after a call (Plivo, callback configurations).
GRACE = timedelta(minutes=2)
# No call lasts longer (Plivo, Dial: time limits above are cut at 24 hours).
LONGEST_CALL = timedelta(hours=24)
# Plivo keeps call detail records this long, and lists at most this many days at once.
KEPT_FOR = timedelta(days=90)
LONGEST_WINDOW = timedelta(days=30)

OnStep = Callable[[int, int], None]
"""Called with how many are done, and of how many."""


class Finding(StrEnum):
    """What a record or an open call turned out to be."""

    KNOWN = "known already"
    NEW_CALL = "calls never heard of"
    CALL_ENDED = "calls whose end was missing"
    LEG_FILLED = "legs whose end was missing"
    DIAL_CLOSED = "dials that were open"
    IN_PROGRESS = "still in progress"
    NO_RECORD = "open without a record at Plivo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The records that ended from `since` up to, but not including, `until`."""

    since: datetime
    until: datetime

    def as_filters(self) -> dict[str, str]:
        """Return the window as Plivo's filters: UTC, without an offset."""
        return {
            "end_time__gte": f"{self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            "end_time__lt": f"{self.until.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        }


class CursorFile:
    """The file that holds the next page of an unfinished run."""

    def __init__(self, path: Path, auth_id: str) -> None:
        self._path = path
        self._auth_id = auth_id

    def read(self) -> tuple[Window, Cursor] | None:
        """Return window and cursor of this account's unfinished run; None without one, or if unreadable."""
        try:
            saved = json.loads(self._path.read_text(encoding="utf-8"))
            window = Window(since=datetime.fromisoformat(saved["since"]), until=datetime.fromisoformat(saved["until"]))
            return (window, dict(saved["cursor"])) if saved["auth_id"] == self._auth_id else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, window: Window, cursor: Mapping[str, Any]) -> None:
        """Save the cursor of the next page."""
        since, until = window.since.isoformat(), window.until.isoformat()
        write_json(self._path, {"auth_id": self._auth_id, "since": since, "until": until, "cursor": dict(cursor)})

    def remove(self) -> None:
        """Remove the file: the run is complete."""
        self._path.unlink(missing_ok=True)


class Reconciler:
    """One run over one account and one store. `zone` is the time zone of the Plivo account.

    Every method may raise AccountError or StoreUnavailable; what was stored until then stays.
    """

    def __init__(self, client: PlivoClient, store: Store, journal: Journal, *, zone: tzinfo) -> None:
        self._client = client
        self._store = store
        self._journal = journal
        self._zone = zone
        self.findings: Counter[Finding] = Counter()

    def look_up_open_calls(self, at: datetime, on_step: OnStep) -> None:
        """Look up each call whose end is missing, however old, as long as Plivo keeps its record."""
        since, before = (int((at - age).timestamp() * 1000) for age in (KEPT_FOR, GRACE))
        known = open_calls(self._store, since=since, before=before)
        # Only a UUID of Plivo's may get into a path of its API.
        waiting = [call for call in known if parse_uuid(call.call_uuid)]
        live = set(live_call_uuids(self._client)) if waiting else set()
        for number, call in enumerate(waiting, start=1):
            if call.call_uuid in live:
                self.findings[Finding.IN_PROGRESS] += 1
            else:
                self._look_up(call.call_uuid, datetime.fromtimestamp(call.started_at / 1000, UTC))
            on_step(number, len(waiting))

    def look_up_lost(self, lost: Iterable[LostReceipt], on_step: OnStep) -> list[LostReceipt]:
        """Look up the calls of lost receipts; return those of which Plivo has no record."""
        of_calls = {uuid: receipt for receipt in lost if (uuid := parse_uuid(receipt.call_uuid))}
        live = set(live_call_uuids(self._client)) if of_calls else set()
        without_record = []
        for number, (call_uuid, receipt) in enumerate(of_calls.items(), start=1):
            if call_uuid in live:
                self.findings[Finding.IN_PROGRESS] += 1
            elif not self._look_up(call_uuid, receipt.at):
                without_record.append(receipt)
            on_step(number, len(of_calls))
        return without_record

    def read_all(
        self, window: Window, file: CursorFile, on_step: OnStep, *, start: Mapping[str, Any] = FIRST_PAGE
    ) -> None:
        """Read all records of a window, page by page; the file always holds the next page."""
        done = int(start.get("offset") or 0)
        for page, following in self._pages(window, start):
            self._store_new(page["objects"])
            done += len(page["objects"])
            on_step(done, int((page.get("meta") or {}).get("total_count") or done))
            if following:
                file.write(window, following)
        file.remove()

    def _pages(self, window: Window, start: Mapping[str, Any]) -> Iterator[tuple[Json, Cursor]]:
        def list_page(**cursor: Any) -> Json:
            page: Json = self._client.calls.list(**window.as_filters(), **cursor)
            return page

        pages = list_pages(list_page, start=start)
        try:
            yield next(pages)
        except RefusedError:
            if start == FIRST_PAGE:
                raise
            pages = list_pages(list_page)  # A cursor saved by an earlier run may have expired.
        yield from pages

    def _look_up(self, call_uuid: str, at: datetime | None) -> bool:
        """Store what Plivo has of a call and of its legs; return whether it has a record of the call.

        `at` is a time during the call, None if unknown.
        """
        found: Json | None = None
        try:
            found = self._client.calls.get(call_uuid)
        except NotFoundError:
            self.findings[Finding.NO_RECORD] += 1
        began = parse_time((found or {}).get("initiation_time"), self._zone)
        if at is None and began is not None:
            at = datetime.fromtimestamp(began / 1000, UTC)
        self._store_new([*(self._legs(call_uuid, at) if at else ()), *([found] if found else ())])
        return found is not None

    def _legs(self, call_uuid: str, at: datetime) -> list[Json]:
        # Without a window Plivo lists the last seven days only.
        margin = LONGEST_CALL + timedelta(hours=1)
        window = Window(since=at - margin, until=at + margin)

        def list_page(**cursor: Any) -> Json:
            page: Json = self._client.calls.list(parent_call_uuid=call_uuid, **window.as_filters(), **cursor)
            return page

        return list(list_all(list_page))

    def _store_new(self, records: Sequence[Json]) -> None:
        """Store what these records report that was not known."""
        call_uuids = {_a_leg_uuid(record) for record in records} - {""}
        before = known_calls(self._store, call_uuids)
        receipts = [receipt for record in records if (receipt := self._receipt(record, before))]
        self.findings[Finding.KNOWN] += len(records) - len(receipts)
        if not receipts:
            return
        self._journal.append_all(receipts)
        after = known_calls(self._store, call_uuids)
        self.findings[Finding.NEW_CALL] += len(after.keys() - before.keys())
        self.findings[Finding.CALL_ENDED] += sum(after[uuid].is_ended and not before[uuid].is_ended for uuid in before)
        self.findings[Finding.LEG_FILLED] += sum(isinstance(receipt.event, LegHungUp) for receipt in receipts)
        self.findings[Finding.DIAL_CLOSED] += sum(
            len(before[uuid].open_dials() - after[uuid].open_dials()) for uuid in before
        )

    def _receipt(self, record: Json, known: Mapping[str, KnownCall]) -> Receipt | None:
        """Return the receipt of a record; None if all of it is known."""
        params = record_params(record)
        at = now()
        event = parse_record(dict(params), at=at, zone=self._zone)
        call = known.get(event.call.call_uuid or "")
        if not event.call.call_uuid or (call and _is_known(event, call)):
            return None
        leg = event if isinstance(event, LegHungUp) else None
        return Receipt(
            kind=Kind.CDR,
            method="GET",
            path=f"Call/{record['call_uuid']}/",
            query="",
            params=params,
            signature=Verdict.UNCHECKED,
            sender=None,
            request_id=None,
            received_at=at,
            dial_id=dial_of(leg, call.dials) if leg and call else None,
            event=event,
        )


def dial_of(leg: LegHungUp, dials: Sequence[KnownDial]) -> str | None:
    """Return the dial of a call that a leg belongs to: one that names it, else one that rang its number.

    Of several, the one that began nearest to the leg; None where the call has no dials.
    """
    naming = [dial for dial in dials if dial.b_leg_uuid == leg.b_leg_uuid]
    ringing = [dial for dial in dials if leg.target in dial.targets]
    candidates = naming or ringing or list(dials)
    nearest = min(candidates, key=lambda dial: (abs(dial.started_at - leg.at), dial.dial_id), default=None)
    return nearest.dial_id if nearest else None


def _is_known(event: CallHungUp | LegHungUp, call: KnownCall) -> bool:
    if isinstance(event, LegHungUp):
        return call.legs_ended.get(event.b_leg_uuid, False)
    return call.is_ended


def _a_leg_uuid(record: Json) -> str:
    return str(record.get("parent_call_uuid") or record.get("call_uuid") or "")
