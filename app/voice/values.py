"""Single values of Plivo's parameters: text, ids, words, counts. Nothing here raises; what cannot be read is None."""

import re
from hashlib import blake2b

from app.voice.hangup_causes import NAMES

# Longest text kept in a column of its own. PostgreSQL refuses index entries above about 2,700 bytes; no value that
# Plivo documents comes near this. The whole text stays in the receipt.
TEXT_LIMIT = 255
# What PHLO sends where it could not fill in a variable. As an id it would join strangers' calls into one.
_TEMPLATE = "{{"
LIVE_STATUSES = frozenset({"queued", "ringing", "in-progress"})
_DOCUMENTED = frozenset(
    {
        *("completed", "busy", "failed", "no-answer", "cancel", "timeout", *LIVE_STATUSES, "inbound", "outbound"),
        *("Caller", "Callee", "Call recipient", "Plivo", "Carrier", "API Request", "Answer XML", "Error", "Unknown"),
        *NAMES,
    }
)
_BY_FOLDED_CASE = {word.casefold(): word for word in _DOCUMENTED}
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)


def as_word(value: str | None) -> str | None:
    """Return one of Plivo's words in the spelling of its documentation; any other word as it came."""
    text = as_text(value)
    return text if text is None or text in _DOCUMENTED else _BY_FOLDED_CASE.get(text.strip().casefold(), text)


def as_text(value: str | None) -> str | None:
    """Return a text that a column holds."""
    if not value or _TEMPLATE in value:
        return None
    if value.isprintable() and len(value) <= TEXT_LIMIT:
        return value  # Nearly every value; neither NUL nor a surrogate can be printed.
    return storable(value[:TEXT_LIMIT])


def storable(value: str) -> str:
    """Replace what no store accepts: NUL (refused by PostgreSQL) and lone surrogates (no encoding can write them)."""
    if not value.isascii():
        value = value.encode(errors="replace").decode()
    return value.replace("\0", "\ufffd") if "\0" in value else value


def as_identity(value: str | None) -> str | None:
    """Return an id. One that no column could hold is replaced by its digest, so that two never become one."""
    if not value or _TEMPLATE in value or value.isspace():
        return None
    if len(value) <= TEXT_LIMIT and (value.isprintable() or storable(value) == value):
        return value
    return "hash-" + blake2b(value.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def as_flag(value: str | None) -> bool | None:
    """Return what `true` or `false` says, in upper or lower case."""
    return {"true": True, "false": False}.get((value or "").lower())


def as_whole(value: str | None) -> int | None:
    """Return a count of up to nine ASCII digits. Plivo writes -1 for "not known yet"."""
    return int(value) if value and value.isascii() and value.isdigit() and len(value) <= 9 else None


def as_milliseconds(value: str | None, *, unit: int) -> int | None:
    """Return a length in milliseconds; `unit` is how many it counts in. Plivo's API writes decimals: 22480.00000."""
    if value is None or not _DECIMAL.fullmatch(value):
        return None
    length = round(float(value) * unit)
    return length if length < 10**9 else None
