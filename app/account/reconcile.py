"""Lost webhooks made good from Plivo's call detail records.

Each record becomes a receipt of its own with the source `cdr` and goes through the same journal and the same fold as
a webhook, which always outweighs it. What is known already is not written again, so a second run adds nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from app.account.calls import live_ids, read_uuid
from app.account.client import Json, PlivoClient
from app.account.cursor_file import Marker, Window
from app.account.errors import NotFoundError, RefusedError
from app.account.paging import FIRST, Place, every, pages
from app.records.model.ids import now
from app.records.model.receipt import Receipt
from app.records.reading.incomplete import KnownCall, KnownDial, OpenCall, known_calls, open_calls
from app.records.store.store import Store
from app.records.writing.journal import Journal
from app.voice.cdr import parse_record, record_params
from app.voice.events import CallHungUp, Kind, LegHungUp
from app.voice.signature import Verdict

# A webhook may still be on its way this long after a call, with all its retries (Plivo, callback configurations).
GRACE = timedelta(minutes=2)
# No call lasts longer (Plivo, Dial: time limits above are cut at 24 hours).
LONGEST_CALL = timedelta(hours=24)
# Plivo keeps call detail records this long, and lists at most this many days at once.
KEPT_FOR = timedelta(days=90)
LONGEST_WINDOW = timedelta(days=30)


class Found(StrEnum):
    """What a record or an open call turned out to be."""

    KNOWN = "known already"
    NEW_CALL = "calls never heard of"
    CALL_ENDED = "calls whose end was missing"
    LEG_FILLED = "legs whose end was missing"
    DIAL_CLOSED = "dials that were open"
    IN_PROGRESS = "still in progress"
    NO_RECORD = "open without a record at Plivo"


Tally = Counter[Found]
Step = Callable[[int, int], None]  # Told after each step: how many are done, and of how many.


class Reconciler:
    """One run over one account and one store. `zone` is the time zone of the Plivo account.

    Everything here may raise `AccountError`, or `StoreUnavailable`; what was taken until then stays.
    """

    def __init__(self, client: PlivoClient, store: Store, journal: Journal, *, zone: tzinfo) -> None:
        self._client = client
        self._store = store
        self._journal = journal
        self._zone = zone
        self.tally: Tally = Counter()

    def look_up_open_calls(self, at: datetime, step: Step) -> None:
        """Ask Plivo about each call whose end is missing, whenever it was, as long as Plivo may know."""
        known = open_calls(self._store, since=_milliseconds(at - KEPT_FOR), before=_milliseconds(at - GRACE))
        # What a stranger named a call, or we where nobody did, is nothing to ask Plivo about.
        waiting = [call for call in known if read_uuid(call.call_uuid)]
        live = set(live_ids(self._client)) if waiting else set()
        for number, call in enumerate(waiting, start=1):
            if call.call_uuid in live:
                self.tally[Found.IN_PROGRESS] += 1
            else:
                self._look_up(call)
            step(number, len(waiting))

    def walk(self, window: Window, marker: Marker, step: Step, *, start: Mapping[str, Any] = FIRST) -> None:
        """Go through all records of a window, page by page; the marker always names the next page."""
        done = int(start.get("offset") or 0)
        for page, following in self._pages(window, start):
            self._take(page["objects"])
            done += len(page["objects"])
            step(done, int((page.get("meta") or {}).get("total_count") or done))
            if following:
                marker.write(window, following)
        marker.clear()

    def _pages(self, window: Window, start: Mapping[str, Any]) -> Iterator[tuple[Json, Place]]:
        def list_page(**place: Any) -> Json:
            answer: Json = self._client.calls.list(**_end_time(window), **place)
            return answer

        walked = pages(list_page, start=start)
        try:
            yield next(walked)
        except RefusedError:
            if start == FIRST:
                raise
            walked = pages(list_page)  # A cursor kept from an earlier run may have expired.
        yield from walked

    def _look_up(self, call: OpenCall) -> None:
        # Without a window Plivo lists the last seven days only.
        began = datetime.fromtimestamp(call.started_at / 1000, UTC)
        window = Window(since=began - timedelta(hours=1), until=began + LONGEST_CALL + timedelta(hours=1))

        def list_legs(**place: Any) -> Json:
            answer: Json = self._client.calls.list(parent_call_uuid=call.call_uuid, **_end_time(window), **place)
            return answer

        found = list(every(list_legs))
        try:
            found.append(self._client.calls.get(call.call_uuid))
        except NotFoundError:
            self.tally[Found.NO_RECORD] += 1
        self._take(found)

    def _take(self, found: Sequence[Json]) -> None:
        """Keep what these records tell that was not known."""
        whose = {_a_leg_uuid(record) for record in found} - {""}
        before = known_calls(self._store, whose)
        receipts = [receipt for record in found if (receipt := self._receipt(record, before))]
        self.tally[Found.KNOWN] += len(found) - len(receipts)
        if not receipts:
            return
        self._journal.append_all(receipts)
        after = known_calls(self._store, whose)
        self.tally[Found.NEW_CALL] += len(after.keys() - before.keys())
        self.tally[Found.CALL_ENDED] += sum(after[uuid].is_ended and not before[uuid].is_ended for uuid in before)
        self.tally[Found.LEG_FILLED] += sum(receipt.event.__class__ is LegHungUp for receipt in receipts)
        self.tally[Found.DIAL_CLOSED] += sum(
            len(before[uuid].open_dials() - after[uuid].open_dials()) for uuid in before
        )

    def _receipt(self, record: Json, known: Mapping[str, KnownCall]) -> Receipt | None:
        """Make the receipt of a record that says something new, else None."""
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
    """Tell which dial of a call a leg belongs to: the one that names it, else one that rang its number.

    Of several, the one that began nearest to the leg. None where the call has no dials.
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


def _end_time(window: Window) -> dict[str, str]:
    """Write a window as Plivo's filters: UTC, without an offset."""
    return {
        "end_time__gte": f"{window.since.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        "end_time__lt": f"{window.until.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
    }


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
