"""Has a request arrived whole? Told from the bytes that have come so far, before any thread takes it up."""

import re

# As much as a webhook's body may hold, and what its head and the frames of its chunks may add.
MOST_BODY = 64 * 1024
MOST_BYTES = 192 * 1024

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_WEBHOOK = re.compile(rb"(?:GET|POST|HEAD) /dialstatus[/? ]")
_UNUSUAL = re.compile(rb"\r\n(?:transfer-encoding|expect|upgrade):", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)


def is_whole(seen: bytes) -> bool:
    """Tell whether a thread that reads these bytes would wait for no more.

    What breaks the rules is whole too: the parser refuses it without reading on.
    """
    end = seen.find(b"\r\n\r\n") + 4
    if end < 4:
        return False
    head = seen[: end - 2]
    if _CHUNKED.search(head):
        return _ends(seen, end)
    length = _LENGTH.search(head)
    if length is None or int(length[1]) > MOST_BODY:
        return True  # There is no body, or it is refused unread.
    return len(seen) >= end + int(length[1])


def is_webhook(seen: bytes) -> bool:
    """Tell whether a whole request is a plain one to Plivo's routes: its length is told, and it is here."""
    if not _WEBHOOK.match(seen):
        return False
    end = seen.find(b"\r\n\r\n") + 4
    head = seen[: end - 2]
    if _UNUSUAL.search(head):
        return False
    length = _LENGTH.search(head)
    return length is None or (int(length[1]) <= MOST_BODY and end + int(length[1]) <= len(seen))


def awaits_consent(seen: bytes) -> bool:
    """Tell whether the client sends its body only when it is told to (RFC 9110, Expect)."""
    end = seen.find(b"\r\n\r\n")
    return end >= 0 and _EXPECT.search(seen[: end + 2]) is not None


def _ends(seen: bytes, at: int) -> bool:
    """Walk the chunks that begin at `at` to their end, or to more than is taken."""
    held = 0
    while held <= MOST_BODY:
        line = seen.find(b"\r\n", at)
        if line < 0:
            return False
        try:
            size = int(seen[at:line].partition(b";")[0], 16)
        except ValueError:
            return True
        if size <= 0:
            return size < 0 or seen.find(b"\r\n\r\n", line) >= 0
        at = line + 2 + size + 2
        if at > len(seen):
            return held + len(seen) - line > MOST_BODY + 2
        held += size
    return True
