"""Row keys and dial ids: any node makes them alone, and they sort by time."""

import base64
import hmac
import time
from random import getrandbits

_RANDOM_BITS = 22
_STEP_BITS = 10
# 2020-01-01 UTC: 41 bits of milliseconds from here last until 2089.
_EPOCH = 1_577_836_800_000

# Milliseconds. An hour is rolled up 35 minutes after its end, and a change to a dial older than 20 minutes is noted as
# late: the clocks of two nodes may differ by 15 minutes before a change could be missed.
LATE_AFTER = 20 * 60_000
COUNTED_AFTER = 35 * 60_000


def now() -> int:
    """Return the time in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


class KeyMaker:
    """Makes row keys for one thread; keys of one millisecond ascend in random steps.

    SQLite appends ascending keys to full pages and so writes fewer pages. Not thread-safe.
    """

    def __init__(self) -> None:
        self._last = 0

    def make(self, at: int) -> int:
        """Return a key for a time in milliseconds: 41 bits of time, then 22 random bits.

        Two nodes may make the same key, once in four million pairs; the insert fails and the writer tries again.
        """
        lowest = first_key(at)
        stepped = self._last + 1 + getrandbits(_STEP_BITS)
        # A step that leaves the millisecond would change the time in the key.
        is_same = lowest <= stepped < lowest + (1 << _RANDOM_BITS)
        self._last = stepped if is_same else lowest | getrandbits(_RANDOM_BITS)
        return self._last


make_key = KeyMaker().make  # Only the journal's thread makes keys with it.


def first_key(at: int) -> int:
    """Return the smallest key of a time in milliseconds: the bound that time filters compare with."""
    return min(max(at - _EPOCH, 0), (1 << 41) - 1) << _RANDOM_BITS


def key_time(key: int) -> int:
    """Return the time in milliseconds that a key holds."""
    return (key >> _RANDOM_BITS) + _EPOCH


# What begins the UUID that we give to a call when a receipt names none.
ORPHAN_PREFIXES = ("unnamed-", "dial-")


def orphan_uuid(dial_id: str | None, digest: bytes) -> str:
    """Return the call UUID for a receipt that names no call."""
    return f"unnamed-{digest.hex()}" if dial_id is None else f"dial-{dial_id}"


def make_dial_id(secret: bytes, *, call_uuid: str, turn: str, at: int) -> str:
    """Return a dial id: 26 letters and digits, 48 bits of time, then 80 bits that need `secret`.

    Every node makes the same id of the same call, turn and time, so a repeated webhook gets the same reply.
    """
    tag = hmac.digest(secret, f"{call_uuid}\0{turn}".encode(errors="replace"), "sha256")[:10]
    moment = min(max(at, 0), (1 << 48) - 1).to_bytes(6, "big")
    return base64.b32hexencode(moment + tag).decode().rstrip("=").lower()


def dial_id_time(dial_id: str) -> int | None:
    """Return the time in milliseconds in one of our dial ids; None for any other text."""
    if len(dial_id) != 26 or not dial_id.isascii():
        return None
    try:
        return int.from_bytes(base64.b32hexdecode(dial_id.upper() + "======")[:6], "big")
    except ValueError:
        return None
