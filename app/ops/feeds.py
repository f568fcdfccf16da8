"""Calendars and holidays that the plan names: read in the background, kept on disk, expanded by another program.

A webhook looks only at the timelines in memory. Of a calendar that is away, damaged, huge or full of nonsense the last
good copy stays in use, however old it is.
"""

import hashlib
import json
import logging
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.ops.fetch import MOST_BYTES, FeedError, fetch
from app.plan.load import PlanError
from app.plan.model import Plan
from app.plan.snapshot import FeedState, LiveState, Source, Timeline, feed_name
from app.plan.sources import FeedUse, uses
from app.records.model.periodic_job import PeriodicJob
from app.records.store.files import lock_within, make_private_directory, open_lock, sync
from config import Config
from settings.outgoing import public_or_any

log = logging.getLogger(__name__)

_PROGRAM = Path(__file__).parents[1] / "plan" / "calendars.py"
_PATIENCE = 30  # Seconds that the program may take, most of them waiting for a busy processor.
_EVERY = 900.0  # Seconds between two readings of a calendar.
_AFTER_PROBLEM = 120.0
_PAUSE = 15.0  # Seconds between two looks at the copies, which another process may have renewed.
_ENCODING = "utf-8-sig"
_BEFORE, _AHEAD = timedelta(days=1), timedelta(days=62)


class Feeds:
    """The calendars and holidays of one plan, and their copies in a directory that all processes of this node share."""

    def __init__(self, plan: Plan, directory: Path, *, allow_private: bool) -> None:
        self._uses = tuple(uses(plan))
        self._folder = plan.folder or Path()
        self._directory = directory
        self._allows = public_or_any(allow_private=allow_private)
        self._known: dict[tuple[Source, bool], tuple[object, Timeline]] = {}

    @classmethod
    def of(cls, plan: Plan, config: Config) -> "Feeds":
        """Return the feeds of a plan with the settings of this server."""
        return cls(plan, config.instance_dir / "feeds", allow_private=config.feeds_allow_private)

    def __bool__(self) -> bool:
        """Return whether the plan names any."""
        return bool(self._uses)

    def check_holidays(self) -> None:
        """Raise PlanError where the holidays of a country or of a part of it are not known."""
        problems = []
        for use in self._uses:
            try:
                if use.is_holidays:
                    _expand({"holidays": use.source.address}, use.source, datetime.now(UTC))
            except FeedError as error:
                problems.append(f"[{use.place}]: holidays is {use.source.address!r}; {error}")
        if problems:
            raise PlanError(tuple(problems))

    def refresh(self, *, at_once: bool = False) -> None:
        """Read every calendar that is due, unless another process of this node does."""
        make_private_directory(self._directory)
        with open_lock(self._directory / "lock" / "feeds") as file:
            if lock_within(file, 0):
                for source in {use.source.address: use.source for use in self._uses if not use.is_holidays}.values():
                    self._refresh(source, at_once=at_once)

    def _refresh(self, source: Source, *, at_once: bool) -> None:
        copy, notes = self._paths(source.address)
        known = _read_notes(notes)
        due_at = known.get("tried_at", 0) + (_AFTER_PROBLEM if known.get("problem") else _EVERY)
        if not at_once and time.time() < due_at:
            return
        known |= {"tried_at": time.time(), "problem": None}
        if known.get("digest") != _digest(copy):  # The copy is missing or damaged.
            known |= {"etag": None, "modified": None}
        try:
            body = self._fetch(source.address, known)
            if body is not None:
                # Only what can be read replaces a copy.
                _expand({"calendar": body.decode(_ENCODING)}, source, datetime.now(UTC))
                _replace(copy, body)
                known["digest"] = _digest(copy)
            known["read_at"] = time.time()
        except (FeedError, OSError, UnicodeDecodeError) as error:
            known["problem"] = (
                str(error) if isinstance(error, FeedError) else f"it cannot be read: {type(error).__name__}"
            )
            log.warning("feed_not_read", extra={"feed": feed_name(source.address), "reason": known["problem"]})
        _replace(notes, json.dumps(known).encode())

    def _fetch(self, address: str, known: dict[str, Any]) -> bytes | None:
        """Return the calendar, None where it has not changed; note in `known` what to ask with the next time."""
        if "://" in address:
            etag, modified = known.get("etag"), known.get("modified")
            body, known["etag"], known["modified"] = fetch(address, etag=etag, modified=modified, allows=self._allows)
            return body
        with (self._folder / address).open("rb") as file:
            body = file.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise FeedError(f"it is larger than {MOST_BYTES // 1024 // 1024} MB")
        return body

    def publish(self, live: LiveState, around: datetime) -> None:
        """Expand the copies around a moment where they or the day have changed, and let decisions know them."""
        days: dict[Source, Timeline] = {}
        oncall: dict[Source, Timeline] = {}
        for use in self._uses:
            timeline = self._timeline(use, around)
            if timeline is not None:
                (oncall if use.is_rota else days)[use.source] = timeline
        live.days, live.oncall, live.feeds = days, oncall, self.states()

    def _timeline(self, use: FeedUse, around: datetime) -> Timeline | None:
        """Return the timeline of a use; the one before where the copy cannot be expanded, None without any."""
        source, copy, key = use.source, self._paths(use.source.address)[0], (use.source, use.is_rota)
        before = self._known.get(key)
        try:
            version = (around.date(), copy.stat().st_mtime_ns if not use.is_holidays else 0)
            if before is not None and before[0] == version:
                return before[1]
            what = {"holidays": source.address} if use.is_holidays else {"calendar": copy.read_text(_ENCODING)}
            events = _expand(what, source, around)
            self._known[key] = (version, Timeline.of(_held(event, is_rota=use.is_rota) for event in events))
        except FileNotFoundError:
            return None  # It was never read.
        except (FeedError, OSError, UnicodeDecodeError) as error:
            log.warning("feed_not_expanded", extra={"feed": feed_name(source.address), "reason": str(error)})
            return before[1] if before is not None else None
        return self._known[key][1]

    def states(self) -> tuple[FeedState, ...]:
        """Return how old the copy of each calendar is."""
        states = []
        for use in self._uses:
            if not use.is_holidays:
                known = _read_notes(self._paths(use.source.address)[1])
                name, read_at, problem = feed_name(use.source.address), known.get("read_at"), known.get("problem")
                states.append(FeedState(place=use.place, name=name, read_at=read_at, problem=problem))
        return tuple(states)

    def _paths(self, address: str) -> tuple[Path, Path]:
        """Return the copy of a calendar and the notes about it. Plans in two folders may name files alike."""
        whole = address if "://" in address else str((self._folder / address).resolve())
        name = hashlib.sha256(whole.encode()).hexdigest()[:16]
        return self._directory / f"{name}.ics", self._directory / f"{name}.json"


class FeedsJob(PeriodicJob):
    """Keeps the timelines in memory up to date; rests where the plan names no calendar and no holidays."""

    name = "feeds"

    def __init__(self, feeds: Feeds, live: LiveState) -> None:
        super().__init__()
        self._feeds = feeds
        self._live = live

    def work(self) -> float | None:
        """Read what is due and publish what has changed."""
        if not self._feeds:
            return None
        self._feeds.refresh()
        self._feeds.publish(self._live, datetime.now(UTC))
        return _PAUSE


def _expand(what: dict[str, str], source: Source, around: datetime) -> list[Any]:
    """Return the events around a moment. Raises FeedError with the reason why there are none."""
    asked = {
        "zone": source.zone,
        "first": (around - _BEFORE).timestamp(),
        "last": (around + _AHEAD).timestamp(),
        **what,
    }
    try:
        done = subprocess.run(  # noqa: S603 - Our own program; what it reads comes by its standard input.
            [sys.executable, "-I", str(_PROGRAM)],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FeedError("it takes too long to read") from error
    if done.returncode:
        raise FeedError("it takes too much time or memory to read")
    answer = json.loads(done.stdout)
    if "refused" in answer:
        raise FeedError(answer["refused"])
    events: list[Any] = answer["events"]
    return events


def _held(event: list[Any], *, is_rota: bool) -> tuple[int, int, tuple[str, ...]]:
    start, end, title, numbers = event
    return start, end, tuple(numbers) if is_rota else (title or "without a title",)


def _read_notes(path: Path) -> dict[str, Any]:
    try:
        notes: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return notes


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one, also after a power cut."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    sync(new)
    new.replace(path)
