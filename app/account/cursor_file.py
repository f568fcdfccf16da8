"""Where a long walk through Plivo's records stopped, so that the next one goes on from there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The records that ended from `since` up to, but not including, `until`."""

    since: datetime
    until: datetime


class Marker:
    """The file that remembers a walk that has not come to its end."""

    def __init__(self, path: Path, auth_id: str) -> None:
        self._path = path
        self._auth_id = auth_id

    def read(self) -> tuple[Window, dict[str, Any]] | None:
        """Give the window and the place of an unfinished walk of this account. An unreadable file is none."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            window = Window(since=datetime.fromisoformat(kept["since"]), until=datetime.fromisoformat(kept["until"]))
            return (window, dict(kept["place"])) if kept["auth_id"] == self._auth_id else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, window: Window, place: Mapping[str, Any]) -> None:
        """Remember the place of the next page."""
        kept = {
            "auth_id": self._auth_id,
            "since": window.since.isoformat(),
            "until": window.until.isoformat(),
            "place": dict(place),
        }
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(kept) + "\n", encoding="utf-8")
        beside.replace(self._path)

    def clear(self) -> None:
        """Forget it: the walk has come to its end."""
        self._path.unlink(missing_ok=True)
