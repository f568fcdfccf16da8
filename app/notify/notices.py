"""Notices for people: what they say, how many at once, and how they are sent."""

import json
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, select_autoescape

from app.notify.addresses import Address
from app.notify.attempts import ended
from app.plan.outlets import DIGEST
from app.records.reading.read_session import read_session
from app.records.store.store import Store
from app.records.writing.deliveries import DROPPED, Attempt, Claim, settle
from app.records.writing.outbox import NOTICE, announcement_of
from app.voice.numbers import last_digits, mask, spaced
from config import ROOT, Config

MOST_A_MINUTE = 5
NAMED = 3  # Calls that a notice about many names; the others are counted.
_WINDOW = 60.0  # seconds
_BATCH = 10_000
_PATIENCE = 40.0  # Seconds for all messages of one process.
_NUMBER = re.compile(r"(?<![\w-])\+?[0-9][0-9 ().-]{4,}[0-9](?![\w-])")
_PROCESS = Path(__file__).with_name("apprise_process.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A title, a text, and for mail the same as HTML."""

    title: str
    text: str
    html: str | None = None


class Texts:
    """Writes notices and digests, by the built-in templates or those in NOTIFY_TEMPLATES."""

    def __init__(self, config: Config) -> None:
        self._config = config
        own = [FileSystemLoader(config.notify_templates)] if config.notify_templates else []
        self._templates = Environment(
            loader=ChoiceLoader([*own, PackageLoader("app.notify", "templates/notify")]),
            autoescape=select_autoescape(),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            number=lambda text: spaced(text) if text else "a hidden number", clock=self._clock
        )

    def notice(self, claims: Sequence[Claim]) -> Message:
        """Return what people are told: about one event, or about many at once."""
        if claims[0].type == DIGEST:
            return self.digest(json.loads(claims[0].body)["data"])
        about = [{"type": one.type, "data": self._data_of(one), "link": self._link(one)} for one in claims]
        return self._written("notice.txt", events=about[:NAMED] if len(about) > 1 else about, more=len(about) - NAMED)

    def digest(self, figures: Mapping[str, Any]) -> Message:
        """Return a digest as text and HTML."""
        shown = _masked(figures) if self._config.mask_numbers else figures
        values = {**shown, "link": self._config.public_url}
        message = self._written("digest.txt", **values)
        html = self._templates.get_template("digest.html").render(values)
        return Message(title=message.title, text=message.text, html=html)

    def _written(self, name: str, **values: Any) -> Message:
        title, _, text = self._templates.get_template(name).render(**values).strip().partition("\n")
        return Message(title=" ".join(title.split()), text=text.strip())

    def _data_of(self, one: Claim) -> Any:
        read = json.loads(one.body)
        data = read if one.type == NOTICE else read["data"]
        return _masked(data) if self._config.mask_numbers else data

    def _link(self, one: Claim) -> str | None:
        base = self._config.public_url
        return f"{base}/calls/{one.subject}" if base and one.type == NOTICE else base

    def _clock(self, at: str | None) -> str:
        if not at:
            return "an unknown time"
        return f"{datetime.fromisoformat(at).astimezone(self._config.timezone):%a %-d %b, %H:%M}"


def _masked(data: Any, key: str = "") -> Any:
    """Return the data of an event with the numbers masked, those in names and transcriptions too."""
    if isinstance(data, dict):
        return {name: _masked(value, name) for name, value in data.items()}
    if isinstance(data, list):
        return [_masked(value, key) for value in data]
    if not isinstance(data, str) or key.endswith(("_at", "_uuid", "_id")):
        return data
    if data[:4].lower() == "sip:":
        return mask(data)
    return _NUMBER.sub(lambda found: f"…{last_digits(found[0])}", data)


class NoticeSender:
    """Sends the notices of one address, at most a few a minute. Not thread-safe."""

    lease = 60_000  # Milliseconds; longer than `_PATIENCE`.

    def __init__(self, store: Store, address: Address, texts: Texts) -> None:
        self._store = store
        self._address = address
        self._texts = texts
        self._sent: deque[float] = deque(maxlen=MOST_A_MINUTE)

    @property
    def batch(self) -> int:
        """How many claims to take: all that are due, but none while the last minute was full."""
        return _BATCH if self._room() else 0

    def _room(self) -> int:
        """Return how many notices may be sent now."""
        return MOST_A_MINUTE - sum(at > time.monotonic() - _WINDOW for at in self._sent)

    def send(self, claims: Sequence[Claim]) -> None:
        """Send one notice for each claim, or one for all where that would be too many; store how each ended.

        A call that was answered after all, as a later report says, is dropped. Raises `StoreUnavailable`.
        """
        current = self._still_true(claims)
        settle(self._store, [Attempt(claim=one, state=DROPPED) for one in claims if one not in current])
        if not current:
            return
        single = [one for one in current if one.type == DIGEST or len(current) <= self._room()]
        others = [one for one in current if one not in single]
        groups = [*([one] for one in single), *([others] if others else [])]
        started = time.monotonic()
        reasons = run_apprise(self._address, [self._texts.notice(group) for group in groups])
        self._sent.extend([time.monotonic()] * len(groups))
        took = round((time.monotonic() - started) * 1000)
        attempts = [
            ended(one, reason=reason, milliseconds=took)
            for group, reason in zip(groups, reasons, strict=True)
            for one in group
        ]
        settle(self._store, attempts)

    def _still_true(self, claims: Sequence[Claim]) -> list[Claim]:
        current = []
        with read_session(self._store) as connection:
            for one in claims:
                known = announcement_of(connection, one.call_key) if one.type == NOTICE and one.call_key else None
                if known is None or known.outcome in self._address.types:
                    current.append(one)
        return current


def run_apprise(address: Address, messages: Sequence[Message]) -> list[str | None]:
    """Send messages through Apprise in a process of its own; return for each why it was not sent, or None."""
    job = {
        "url": address.url,
        "allow_private": address.allow_private,
        "messages": [
            {"title": one.title, "text": one.text, "html": one.html if address.is_mail else None} for one in messages
        ],
    }
    try:
        process = subprocess.run(  # noqa: S603 - Our own program; nothing of the job is an argument.
            [sys.executable, "-P", str(_PROCESS)],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},  # Nothing else of ours: no secret of the server.
            check=True,
        )
        replies: list[str | None] = json.loads(process.stdout)
    except subprocess.TimeoutExpired:
        return [f"the service did not answer within {_PATIENCE:.0f} seconds"] * len(messages)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        return [f"Apprise broke off: {type(error).__name__}"] * len(messages)
    return replies
