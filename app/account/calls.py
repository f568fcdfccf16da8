"""Calls over the REST API: place one, end one, list those in progress."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from app.account.addresses import Addresses
from app.account.client import Json, PlivoClient
from app.account.errors import AccountError, NotFoundError, SettingError
from app.account.paging import LIMIT
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
    """Place one outbound call with our URLs and give its request uuid, by which its webhooks are joined.

    Today Plivo's CallUUID is the same as this RequestUUID; older calls had two. Sent once, whatever happens.
    """
    to, caller = _read(to, "--to"), _read(caller, "--from")
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
            f"Plivo took the call without saying its request_uuid ({placed.get('message')}); "
            "look with `flask plivo live`"
        )
    return request_uuid


def hang_up(client: PlivoClient, call_uuid: str) -> None:
    """End one call in progress. Anything but a UUID is refused: Plivo would end every call of the account."""
    uuid = read_uuid(call_uuid)
    if uuid is None:
        raise SettingError(f"{call_uuid!r} is no call UUID; `flask plivo live` lists the calls in progress")
    try:
        client.calls.hangup(uuid)
    except NotFoundError as error:
        raise NotFoundError(f"No call {uuid} is in progress; it may have ended by itself") from error


def read_uuid(text: str) -> str | None:
    """Give a UUID in Plivo's form; None for any other text, which must not come into a path of the API."""
    try:
        return str(UUID(text))
    except ValueError:
        return None


def live_calls(client: PlivoClient) -> Iterator[LiveCall]:
    """List the calls in progress. One that ends while we look is left out."""
    for call_uuid in live_ids(client):
        try:
            yield _live_call(client.live_calls.get(call_uuid))
        except NotFoundError:
            continue


def live_ids(client: PlivoClient) -> list[str]:
    """List the UUIDs of the calls in progress, page by page until one brings nothing new."""
    known: dict[str, None] = {}
    while True:
        page = client.live_calls.list_ids(limit=LIMIT, offset=len(known)).get("calls", [])
        new = [call_uuid for call_uuid in page if call_uuid not in known]
        known.update(dict.fromkeys(new))
        if len(page) < LIMIT or not new:
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


def _read(text: str, option: str) -> str:
    try:
        return parse_target(text)
    except ValueError as error:
        raise SettingError(f"{option} is {text!r}; {error}") from error
