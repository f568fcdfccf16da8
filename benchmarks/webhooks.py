"""The load: webhooks as Plivo sends them, signed beforehand, as the bytes on the wire."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from app.dial.ticket import Ticket
from app.records.model.ids import make_dial_id, now
from app.voice.signature import make_nonce, sign_v3

PUBLIC_URL = "https://calls.example.com"
HOST = "calls.example.com"
TOKEN = "a-made-up-auth-token"
SECRET_KEY = "a-made-up-secret-key"
RANG_FOR = 30_000  # Milliseconds between the reply that started a dial and the report of its end.
STRANGERS_TOKEN = "somebody-elses-token"

_STATUSES = (("no-answer", "NO_ANSWER"), ("completed", "NORMAL_CLEARING"), ("busy", "USER_BUSY"))

Fields = dict[str, str]


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request: its bytes, and the call it is about."""

    raw: bytes
    call_uuid: str


def standard(call_uuid: str, **more: str) -> Fields:
    """Return the parameters of every request about an inbound call."""
    return {
        "CallStatus": "in-progress",
        "CallUUID": call_uuid,
        "CallerName": "+14155550100",
        "Direction": "inbound",
        "From": "14155550100",
        "ParentAuthID": "MAXXXXXXXXXXXXXXXXXX",
        "SessionStart": "2026-01-05 09:30:00.123456",
        "To": "14155550199",
        **more,
    }


def action_fields(call_uuid: str, number: int = 0) -> Fields:
    """Return the parameters of the action URL when a dial has ended."""
    status, cause = _STATUSES[number % len(_STATUSES)]
    return standard(
        call_uuid,
        DialALegUUID=call_uuid,
        DialBLegUUID=str(uuid.uuid4()) if status == "completed" else "",
        DialHangupCause=cause,
        DialRingStatus="true",
        DialStatus=status,
    )


def post(path: str, fields: Fields, *, token: str = TOKEN, sent: Fields | None = None) -> bytes:
    """Return a POST with `fields` signed; `sent` goes over the wire in their place."""
    nonce = make_nonce()
    signature = sign_v3(method="POST", url=PUBLIC_URL + path, params=fields.items(), nonce=nonce, token=token)
    body = urlencode(sent or fields)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: plivo\r\nAccept: */*\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        f"X-Plivo-Signature-V3: {signature}\r\nX-Plivo-Signature-V3-Nonce: {nonce}\r\n\r\n"
    )
    return (head + body).encode()


def action(number: int) -> Webhook:
    """Return one signed report about a call that is new to the server."""
    call_uuid = str(uuid.uuid4())
    return Webhook(post(_action_path(call_uuid), action_fields(call_uuid, number)), call_uuid)


def answer(_number: int) -> Webhook:
    """Return one signed answer request of a new call."""
    call_uuid = str(uuid.uuid4())
    return Webhook(post("/dialstatus/", standard(call_uuid, CallStatus="ringing")), call_uuid)


def forged(number: int) -> Webhook:
    """Return a report signed without the token."""
    call_uuid = str(uuid.uuid4())
    return Webhook(post(_action_path(call_uuid), action_fields(call_uuid, number), token=STRANGERS_TOKEN), call_uuid)


def altered(number: int) -> Webhook:
    """Return a report that was altered after Plivo signed it."""
    call_uuid = str(uuid.uuid4())
    fields = action_fields(call_uuid, number)
    return Webhook(post(_action_path(call_uuid), fields, sent={**fields, "DialStatus": "failed"}), call_uuid)


def story() -> Iterator[Webhook]:
    """Return the five webhooks of a call with one answered dial."""
    call_uuid, b_leg = str(uuid.uuid4()), str(uuid.uuid4())
    dial_id = _dial_id(call_uuid)
    leg = standard(
        call_uuid, DialALegUUID=call_uuid, DialBLegUUID=b_leg, DialBLegFrom="14155550100", DialBLegTo="14155550123"
    )
    ended = {
        "DialBLegHangupCause": "NORMAL_CLEARING",
        "DialBLegHangupCauseName": "Normal Hangup",
        "DialBLegHangupCauseCode": "4000",
        "DialBLegHangupSource": "Callee",
        "DialBLegDuration": "61",
        "DialBLegBillDuration": "120",
        "DialBLegTotalCost": "0.00850",
    }
    hangup = {
        "Event": "Hangup",
        "CallStatus": "completed",
        "HangupCause": "NORMAL_CLEARING",
        "HangupCauseName": "Normal Hangup",
        "HangupCauseCode": "4000",
        "HangupSource": "Caller",
        "Duration": "66",
        "BillDuration": "120",
        "TotalCost": "0.00850",
        "StartTime": "2026-01-05 09:30:00",
        "AnswerTime": "2026-01-05 09:30:01",
        "EndTime": "2026-01-05 09:31:07",
    }
    requests = (
        ("/dialstatus/", standard(call_uuid, CallStatus="ringing")),
        (f"/dialstatus/callback/?dial={dial_id}", {**leg, "DialAction": "answer", "DialBLegStatus": "answer"}),
        (f"/dialstatus/callback/?dial={dial_id}", {**leg, **ended, "DialAction": "hangup", "DialBLegStatus": "hangup"}),
        (f"/dialstatus/action/?dial={dial_id}", {**action_fields(call_uuid, 1), "DialBLegUUID": b_leg}),
        ("/dialstatus/hangup/", standard(call_uuid, **hangup)),
    )
    for path, fields in requests:
        yield Webhook(post(path, fields), call_uuid)


def write_load(path: Path, webhooks: Iterable[Webhook]) -> None:
    """Write requests into a file, separated by NUL, which no webhook holds."""
    path.write_bytes(b"\0".join(one.raw for one in webhooks))


def _dial_id(call_uuid: str) -> str:
    """Return a dial id as the server makes it: the time first, so that its index grows at the end."""
    return make_dial_id(SECRET_KEY.encode(), call_uuid=call_uuid, turn="main/all/1", at=now() - RANG_FOR)


def _action_path(call_uuid: str) -> str:
    started_at = (now() - RANG_FOR) // 1000
    ticket = Ticket(dial_id=_dial_id(call_uuid), route="main", step="all", round=1, started_at=started_at)
    return f"/dialstatus/action/?{ticket.to_query(SECRET_KEY)}"
