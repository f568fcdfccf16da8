"""Keep what arrived: in the store, or on the spool while somebody waits on the line."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from flask import Response

from app.dial.answers import xml_reply
from app.dial.deferred_response import DeferredResponse
from app.dial.request import Arrival
from app.records.model.receipt import Receipt, ReceiptRefused, StoredReceipt, StoreUnavailable
from app.records.model.state import Placement
from app.records.spool.spool import SpoolFull
from app.records.writing.entry import Entry
from app.voice.events import Event, Kind
from app.voice.numbers import mask
from app.voice.parsing import parse
from app.voice.xml import EMPTY

log = logging.getLogger(__name__)


def translate(arrival: Arrival) -> Event:
    """Translate an arrival into its event."""
    return parse(arrival.kind, arrival.first, at=arrival.received_at, zone=arrival.services.config.plivo_timezone)


def keep_control(arrival: Arrival, event: Event, reply: str, placement: Placement | None = None) -> Response:
    """Keep a control request and give the reply for it: the first one, where the request came before.

    Where the store does not take it in time it goes on the spool, and the caller gets the reply all the same.
    """
    if arrival.method == "HEAD":
        return xml_reply(reply)
    receipt = _receipt(arrival, event, reply, placement)
    entry = Entry((receipt,))
    return DeferredResponse(arrival.services.journal, entry, partial(_decide_control, arrival, entry), otherwise=reply)


def _decide_control(arrival: Arrival, entry: Entry, response: DeferredResponse) -> None:
    try:
        [kept] = entry.result()
    except StoreUnavailable as error:
        _spool(arrival, entry.receipts[0], error)
        return
    response.when_finished(partial(_log_dial_ended, arrival, kept))
    if kept.deliveries > 1:
        response.set_data(kept.reply or EMPTY)


def keep_notice(arrival: Arrival, event: Event, tell: Callable[[Response, StoredReceipt | None], None]) -> Response:
    """Keep a notice and have `tell` fill the reply, with what was kept: None where the store refuses it for good.

    Where the store is away the reply is 503: nobody waits on the line, and Plivo brings it again.
    """
    entry = Entry((_receipt(arrival, event, EMPTY, None),))
    decide = partial(_decide_notice, arrival, entry, tell)
    return DeferredResponse(arrival.services.journal, entry, decide, otherwise=EMPTY, status=503)


def _decide_notice(
    arrival: Arrival, entry: Entry, tell: Callable[[Response, StoredReceipt | None], None], response: DeferredResponse
) -> None:
    kept: StoredReceipt | None = None
    try:
        [kept] = entry.result()
    except ReceiptRefused as error:
        _spool(arrival, entry.receipts[0], error)  # Brought again it would be refused again: a person must see it.
    except StoreUnavailable as error:
        log.warning(
            "notice_not_kept",
            extra={"kind": arrival.kind.value, "error": str(error), "request_id": arrival.request_id},
        )
        return
    else:
        response.when_finished(partial(_log_dial_ended, arrival, kept))
    response.status_code = 200
    tell(response, kept)


def _receipt(arrival: Arrival, event: Event, reply: str, placement: Placement | None) -> Receipt:
    # In the order of its fields; by their names it takes twice as long.
    return Receipt(
        arrival.kind,
        arrival.method,
        arrival.path,
        arrival.query,
        arrival.params,
        arrival.verification.verdict._value_,
        arrival.sender,
        arrival.request_id,
        arrival.received_at,
        arrival.dial_id,
        event,
        placement,
        200,  # The status that every request gets whose receipt is kept.
        None if reply == EMPTY else reply,
        arrival.elapsed_micros(),
    )


def _spool(arrival: Arrival, receipt: Receipt, error: Exception) -> None:
    fields = {"kind": receipt.kind.value, "dial_id": receipt.dial_id, "request_id": arrival.request_id}
    try:
        arrival.services.spool.put(receipt)
    except SpoolFull:
        # The caller is served, but this receipt is nowhere else: the log is the last place left.
        log.exception("receipt_lost", extra=fields)
        return
    log.error("receipt_spooled", extra={**fields, "error": str(error)})
    arrival.services.drainer.wake()


def _log_dial_ended(arrival: Arrival, kept: StoredReceipt, _response: Response) -> None:
    if arrival.kind not in {Kind.ACTION, Kind.PHLO} or kept.dial is None:
        return
    if not log.isEnabledFor(logging.INFO):
        return
    dial = kept.dial
    record = log.makeRecord(log.name, logging.INFO, __file__, 0, "dial_ended", (), None)
    # As `extra` does, which first compares each name with those of a record: in half of the time.
    vars(record).update(
        {
            "dial_id": dial.dial_id,
            "call_uuid": kept.call_uuid,
            "dial_status": dial.dial_status,
            "dial_ring_status": dial.dial_ring_status,
            "dial_hangup_cause": dial.dial_hangup_cause,
            "dial_a_leg_uuid": kept.call_uuid,
            "dial_b_leg_uuid": dial.b_leg_uuid,
            "outcome": dial.outcome,
            "from": mask(dial.from_number),
            "to": mask(dial.to_number),
            "signature": arrival.verification.verdict._value_,
            "deliveries": kept.deliveries,
            "request_id": arrival.request_id,
        }
    )
    log.handle(record)


def as_hangup(arrival: Arrival) -> Arrival:
    """Read an answer URL request as the hangup notice that it is."""
    return replace(arrival, kind=Kind.HANGUP)
