"""Start a PHLO over the API."""

import re
from collections.abc import Sequence

from app.account.client import Json, PhloClient
from app.account.errors import NotFoundError, SettingError


def read_payload(fields: Sequence[str]) -> dict[str, str]:
    """Read `key=value` arguments."""
    payload: dict[str, str] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not key or not equals or key in payload:
            raise SettingError(f"{field!r} is no field of a PHLO; write key=value, each key once")
        payload[key] = value
    return payload


def run_phlo(client: PhloClient, phlo_id: str, payload: dict[str, str]) -> Json:
    """Start one run, once, and give Plivo's answer; its `api_id` names the run (Plivo, PHLO run API)."""
    if not re.fullmatch(r"[0-9A-Za-z-]{1,64}", phlo_id):
        raise SettingError(f"{phlo_id!r} is no PHLO id; copy it from the PHLO's page in the Plivo console")
    try:
        return client.request("POST", ("account", client.auth_id, "phlo", phlo_id), payload)
    except NotFoundError as error:
        raise NotFoundError(f"The account has no PHLO {phlo_id}; copy its id from the Plivo console") from error
