"""Keys that any node can make alone and that sort by time."""

import base64
import time
from random import getrandbits

from app.voice.keyed_hash import keyed_hash

_RANDOM_BITS = 22
_STEP_BITS = 10
# 2020-01-01 UTC: 41 bits of milliseconds from here last until 2089.
_EPOCH = 1_577_836_800_000

# A dial whose key is older than this may be part of an hour that was counted; milliseconds. An hour is counted 35
# minutes after its end, so the clocks of two nodes may differ by a quarter of an hour before a change could be missed.
LATE_AFTER = 20 * 60_000
COUNTED_AFTER = 35 * 60_000


def now() -> int:
    """Tell the time in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


class _Keys:
    """The keys of this process: those made one after the other for one millisecond ascend, by random steps.

    So the rows of a batch come in the order of their keys, which SQLite adds to the end of a table without a look at
    the pages before: these stay full, and fewer of them are written. For use by one thread, the one that writes.
    """

    def __init__(self) -> None:
        self._last = 0

    def make(self, at: int) -> int:
        """Make a row key for a moment in milliseconds: 41 bits of time, 22 random bits.

        Two keys of one millisecond differ with all but certainty; the writer takes another where they do not.
        """
        key = first_key(at) | getrandbits(_RANDOM_BITS)
        stepped = self._last + 1 + getrandbits(_STEP_BITS)
        # The step before the first of a millisecond, or beyond its last, is in another one.
        self._last = stepped if stepped >> _RANDOM_BITS == key >> _RANDOM_BITS else key
        return self._last


make_key = _Keys().make


def first_key(at: int) -> int:
    """Give the smallest key of a moment in milliseconds: what a time filter compares with."""
    return min(max(at - _EPOCH, 0), (1 << 41) - 1) << _RANDOM_BITS


def key_time(key: int) -> int:
    """Tell the moment in milliseconds at which a key was made."""
    return (key >> _RANDOM_BITS) + _EPOCH


def make_dial_id(secret: bytes, *, call_uuid: str, turn: str, at: int) -> str:
    """Name a dial: 26 letters and digits, the time first, then 80 bits that only this server can make.

    The same call, turn and moment give the same id on every node, so a repeated question gets the same answer.
    """
    tag = keyed_hash(secret, f"{call_uuid}\0{turn}".encode(errors="replace"))[:10]
    moment = min(max(at, 0), (1 << 48) - 1).to_bytes(6, "big")
    return base64.b32hexencode(moment + tag).decode().rstrip("=").lower()


def dial_id_time(dial_id: str) -> int | None:
    """Read the moment in milliseconds from a dial id of ours; None from any other text."""
    if len(dial_id) != 26 or not dial_id.isascii():
        return None
    try:
        return int.from_bytes(base64.b32hexdecode(dial_id.upper() + "======")[:6], "big")
    except ValueError:
        return None
