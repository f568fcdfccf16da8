"""Store what Plivo sent: in the store, or on the spool while somebody waits on the line."""

import logging
import time
from collections.abc import Callable
from datetime import tzinfo
from functools import partial
from typing import NamedTuple

from flask import Response

from app.context import Services
from app.dial.deferred_response import DeferredResponse
from app.dial.replies import EMPTY_REPLY
from app.dial.request import Webhook
from app.records.model.receipt import (
    DecideAgain,
    Receipt,
    ReceiptRefused,
    Reply,
    StoredReceipt,
    StoreUnavailable,
)
from app.records.spool.spool import SpoolFull
from app.records.writing.entry import Entry
from app.voice.cdr import parse_any
from app.voice.events import CallHungUp, Event, Kind
from app.voice.numbers import mask
from app.voice.times import offset_text
from app.voice.xml import EMPTY

log = logging.getLogger(__name__)

WriteReply = Callable[[Response, StoredReceipt | None], None]

_WARN_EVERY = 3600.0  # Seconds between two warnings of one process about the time zone.
_last_warning: list[float] = []  # A reading of `time.monotonic`, once there was a warning.


class Stored(NamedTuple):
    """A receipt on its way to disk. The server sends `reply` once the receipt is committed or spooled."""

    reply: Response


def translate(webhook: Webhook, zone: tzinfo) -> Event:
    """Return the event of a webhook; `zone` is the configured time zone of the Plivo account."""
    event = parse_any(webhook.kind, webhook.first, at=webhook.received_at, zone=zone)
    if isinstance(event, CallHungUp) and event.derived_offset is not None:
        _warn_of_time_zone(event, event.derived_offset, str(zone))
    return event


def _warn_of_time_zone(event: CallHungUp, derived_offset: int, configured: str) -> None:
    """Log that the times of a call are in another zone than is configured, at most once an hour."""
    now = time.monotonic()
    if _last_warning and now - _last_warning[0] < _WARN_EVERY:
        return
    _last_warning[:] = [now]
    log.warning(
        "plivo_timezone_differs",
        extra={
            "configured": configured,
            "derived": offset_text(derived_offset),
            "call_uuid": event.call.call_uuid,
            "advice": "set PLIVO_TIMEZONE to the time zone of the account in Plivo's console",
        },
    )


def make_receipt(
    webhook: Webhook, event: Event, reply: Reply = EMPTY_REPLY, decide_again: DecideAgain | None = None
) -> Receipt:
    """Return the receipt of a webhook with its reply."""
    return Receipt(
        kind=webhook.kind,
        method=webhook.method,
        path=webhook.path,
        query=webhook.query,
        params=webhook.params,
        signature=webhook.verification.verdict.value,
        sender=webhook.sender,
        request_id=webhook.request_id,
        received_at=webhook.received_at,
        dial_id=webhook.dial_id,
        event=event,
        placement=reply.placement,
        reply=None if reply.document == EMPTY else reply.document,
        reply_micros=webhook.elapsed_micros(),
        decide_again=decide_again,
        nonce=webhook.nonce,
        otherwise=reply.otherwise,
    )


def store(shared: Services, webhook: Webhook, receipt: Receipt) -> Stored:
    """Store the receipt of a control request with its reply. A copy of an earlier request gets the earlier reply.

    Where the store does not take it in time it goes on the spool, and the caller gets the reply all the same.
    """
    finish = partial(_finish_control, shared, receipt)
    return Stored(DeferredResponse(shared, webhook, Entry((receipt,)), finish, otherwise=receipt.reply or EMPTY))


def store_notice(
    shared: Services,
    webhook: Webhook,
    receipt: Receipt,
    write_reply: WriteReply,
) -> Stored:
    """Store a notice. `write_reply` fills the reply, with None where the store refuses the receipt for good.

    While the store is away the reply is 503: no caller waits, and Plivo sends the notice again.
    """
    finish = partial(_finish_notice, shared, receipt, write_reply)
    return Stored(DeferredResponse(shared, webhook, Entry((receipt,)), finish, otherwise=EMPTY, status=503))


def _finish_control(shared: Services, receipt: Receipt, response: DeferredResponse) -> None:
    try:
        [kept] = response.entry.result()
    except StoreUnavailable as error:
        _spool(shared, receipt, error)
        return
    response.log_outcome = partial(_log_dial_ended, receipt, kept)
    if kept.reply_status != response.status_code:
        response.status_code = kept.reply_status
    if kept.deliveries != 1 or kept.reply != receipt.reply:
        response.set_data(kept.reply or EMPTY)


def _finish_notice(
    shared: Services,
    receipt: Receipt,
    write_reply: WriteReply,
    response: DeferredResponse,
) -> None:
    kept: StoredReceipt | None = None
    try:
        [kept] = response.entry.result()
    except ReceiptRefused as error:
        _spool(shared, receipt, error)  # Sent again it would be refused again: an operator must look at it.
    except StoreUnavailable as error:
        fields = {"kind": receipt.kind.value, "error": str(error), "request_id": receipt.request_id}
        log.warning("notice_not_kept", extra=fields)
        return
    else:
        response.log_outcome = partial(_log_dial_ended, receipt, kept)
    response.status_code = kept.reply_status if kept else 200
    write_reply(response, kept)


def _spool(shared: Services, receipt: Receipt, error: Exception) -> None:
    fields = {"kind": receipt.kind.value, "dial_id": receipt.dial_id, "request_id": receipt.request_id}
    try:
        shared.spool.put(receipt)
    except SpoolFull:
        # The caller is served, but this receipt is stored nowhere: the log is the last place left.
        log.exception("receipt_lost", extra={**fields, **receipt.names()})
        return
    log.error("receipt_spooled", extra={**fields, "error": str(error)})
    shared.drainer.wake()


def _log_dial_ended(receipt: Receipt, kept: StoredReceipt) -> None:
    if receipt.kind not in (Kind.ACTION, Kind.PHLO) or kept.dial is None:
        return
    dial = kept.dial
    log.info(
        "dial_ended",
        extra={
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
            "signature": receipt.signature,
            "deliveries": kept.deliveries,
            "request_id": receipt.request_id,
        },
    )
