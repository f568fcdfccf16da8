"""Calls and PHLOs over the REST API: place one call, end one, list those in progress, start a PHLO."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.account.client import PAGE_SIZE, Json, PlivoClient
from app.account.errors import AccountError, NotFoundError, SettingError
from app.account.public_url import Addresses
from app.voice.numbers import parse_target


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """One call in progress, in Plivo's words."""

    call_uuid: str
    status: str
    direction: str
    from_number: str
    to_number: str
    session_start: str


def place_call(
    client: PlivoClient, *, to: str, caller: str, addresses: Addresses, ring_timeout: int, time_limit: int
) -> str:
    """Place one outbound call with our URLs, by exactly one request, and return its request UUID.

    Its webhooks carry that as RequestUUID. Today Plivo's CallUUID is the same; older calls had two.
    """
    to, caller = _parse_party(to, "--to"), _parse_party(caller, "--from")
    if to == caller:
        raise SettingError("--to and --from are the same number; Plivo does not call a number from itself")
    placed = client.calls.create(
        caller,
        to,
        addresses.answer,
        ring_url=addresses.ring,
        hangup_url=addresses.hangup,
        fallback_url=addresses.fallback,
        ring_timeout=ring_timeout,
        time_limit=time_limit,
    )
    request_uuid = placed.get("request_uuid")
    if not isinstance(request_uuid, str):
        raise AccountError(
            f"Plivo took the call without naming its request_uuid ({placed.get('message')}); look first whether it was "
            "placed: `flask plivo live` lists the calls in progress"
        )
    return request_uuid


def hang_up(client: PlivoClient, call_uuid: str) -> None:
    """End one call in progress. Anything but a UUID is refused: Plivo would end every call of the account."""
    uuid = parse_uuid(call_uuid)
    if uuid is None:
        raise SettingError(f"{call_uuid!r} is no call UUID; `flask plivo live` lists the calls in progress")
    try:
        client.calls.hangup(uuid)
    except NotFoundError as error:
        raise NotFoundError(f"No call {uuid} is in progress; it may have ended by itself") from error


def parse_uuid(text: str) -> str | None:
    """Return a UUID in Plivo's form; None for any other text, which must not get into a path of the API."""
    try:
        return str(UUID(text))
    except ValueError:
        return None


def live_calls(client: PlivoClient) -> Iterator[LiveCall]:
    """Yield the calls in progress. A call that ends meanwhile is left out."""
    for call_uuid in live_call_uuids(client):
        try:
            yield _live_call(client.live_calls.get(call_uuid))
        except NotFoundError:
            continue


def live_call_uuids(client: PlivoClient) -> list[str]:
    """Return the UUIDs of the calls in progress, page by page until one holds nothing new."""
    known: dict[str, None] = {}
    while True:
        page = client.live_calls.list_ids(limit=PAGE_SIZE, offset=len(known)).get("calls", [])
        new = [call_uuid for call_uuid in page if call_uuid not in known]
        known.update(dict.fromkeys(new))
        if len(page) < PAGE_SIZE or not new:
            return list(known)


def _live_call(call: Json) -> LiveCall:
    return LiveCall(
        call_uuid=str(call.get("call_uuid", "")),
        status=str(call.get("call_status", "")),
        direction=str(call.get("direction", "")),
        from_number=str(call.get("from", "")),
        to_number=str(call.get("to", "")),
        session_start=str(call.get("session_start", "")),
    )


def _parse_party(text: str, option: str) -> str:
    try:
        return parse_target(text)
    except ValueError as error:
        raise SettingError(f"{option} is {text!r}; {error}") from error


def parse_payload(fields: Sequence[str]) -> dict[str, str]:
    """Parse `key=value` arguments. Raises SettingError."""
    payload: dict[str, str] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not key or not equals or key in payload:
            raise SettingError(f"{field!r} is no field of a PHLO; write key=value, each key once")
        payload[key] = value
    return payload


def run_phlo(client: PlivoClient, phlo_id: str, payload: Mapping[str, str]) -> Json:
    """Start one run of a PHLO, by exactly one request; the `api_id` of Plivo's reply names it (Plivo, PHLO run API)."""
    if not re.fullmatch(r"[0-9A-Za-z-]{1,64}", phlo_id):
        raise SettingError(f"{phlo_id!r} is no PHLO id; copy it from the PHLO's page in the Plivo console")
    try:
        return client.post_phlo(phlo_id, payload)
    except NotFoundError as error:
        raise NotFoundError(f"The account has no PHLO {phlo_id}; copy its id from the Plivo console") from error
