"""How fast we may ask Plivo, and how long to wait after a refusal."""

from collections import deque
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Waits before a read is tried again, in seconds. Together they outlast the five seconds of Plivo's limit.
PAUSES = (0.5, 2.0, 5.0)

# No server makes a command sleep longer than this at once.
LONGEST_PAUSE = 60.0


class Pace:
    """Keep to `requests` in any `seconds` (Plivo, rate limits: 300 API requests per 5 seconds)."""

    def __init__(self, requests: int = 300, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._sent: deque[float] = deque(maxlen=requests)

    def reserve(self, now: float) -> float:
        """Take the next place and return the seconds to wait for it. The clock of `now` only goes forward."""
        place = now
        if len(self._sent) == self._sent.maxlen:
            place = max(now, self._sent[0] + self._seconds)
        self._sent.append(place)
        return place - now


def retry_after(header: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, seconds or an HTTP date, as seconds from now. None where that fails."""
    if not header:
        return None
    if header.strip().isdecimal():
        return min(float(header), LONGEST_PAUSE)
    moment = http_date(header)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_PAUSE) if moment else None


def http_date(header: str | None) -> datetime | None:
    """Read a date as HTTP writes it. None where there is none."""
    try:
        moment = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
