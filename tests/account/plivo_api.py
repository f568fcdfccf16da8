"""A Plivo account that answers as the REST API does, as far as this project uses it; `plivo_server.py` serves it.

Shapes follow Plivo's API reference and the fixtures of plivo-python (tests/resources/fixtures).
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from tests.account.plivo_objects import AUTH_ID, AUTH_TOKEN, Json, application

Answer = tuple[int, Json | None]


class RefusalError(Exception):
    """Leave the handling of a request with an error status."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status, self.error = status, error


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    body: Json


@dataclass(slots=True, kw_only=True)
class Trouble:
    """What shall go wrong with the next requests it fits."""

    times: int
    fits: Callable[[Asked], bool]
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    before: Callable[[], object] | None = None
    done_first: bool = False


class PlivoApi:
    """The account behind the server: what is in it, what was asked, what shall go wrong."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.applications: dict[str, Json] = {}
        self.numbers: dict[str, Json] = {}
        self.recordings: set[str] = set()
        self.live: dict[str, Json] = {}
        self.queued: dict[str, Json] = {}
        self.records: list[Json] = []
        self.calls_placed: list[Json] = []
        self.phlo_runs: list[tuple[str, Json]] = []
        self.asked: list[Asked] = []
        self.troubles: list[Trouble] = []
        self.tokens = [AUTH_TOKEN]
        self.tunnels: list[Json] = []
        self.on_look: Callable[[], object] = lambda: None
        self.on_list: Callable[[], object] = lambda: None
        self.uses_cursors = False
        self.timezone: str | None = "UTC"
        self.hides_account = False
        self.url = ""

    def add_application(self, app_id: str, name: str, **fields: Any) -> None:
        self.applications[app_id] = application(app_id, name, **fields)

    def add_number(self, number: str, app_id: str | None = None) -> None:
        path = f"/v1/Account/{AUTH_ID}/Application/{app_id}/" if app_id else None
        self.numbers[number] = {"number": number, "application": path, "voice_enabled": True, "alias": None}

    def add_live_call(self, call_uuid: str, **fields: Any) -> None:
        self.live[call_uuid] = {
            "call_status": "in-progress",
            "call_uuid": call_uuid,
            "caller_name": "",
            "direction": "inbound",
            "from": "14155550100",
            "request_uuid": call_uuid,
            "session_start": "2026-01-05 13:17:49.050872",
            "to": "14155550199",
        } | fields

    def trouble(
        self,
        status: int = 0,
        *,
        times: int = 1,
        method: str = "",
        path: str = "",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        before: Callable[[], object] | None = None,
        done_first: bool = False,
    ) -> None:
        """Let the next `times` requests that fit fail. `done_first`: what was asked happens all the same."""
        self.troubles.append(
            Trouble(
                times=times,
                fits=lambda asked: method in ("", asked.method) and path in asked.path,
                status=status,
                headers=headers or {},
                body=body,
                before=before,
                done_first=done_first,
            )
        )

    def troubles_at(self, name: str, value: str, *, status: int, times: int, **more: Any) -> None:
        """Let the next requests whose query has this value fail."""
        self.troubles.append(
            Trouble(times=times, fits=lambda asked: asked.query.get(name) == value, status=status, **more)
        )

    def next_trouble(self, asked: Asked) -> Trouble | None:
        with self.lock:
            for trouble in self.troubles:
                if trouble.times and trouble.fits(asked):
                    trouble.times -= 1
                    return trouble
        return None

    def writes(self) -> list[Asked]:
        """Return the requests that were meant to change something."""
        return [asked for asked in self.asked if asked.method != "GET"]

    # --- What the server answers

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/api/tunnels":
            self.on_look()
            return 200, {"tunnels": self.tunnels, "uri": "/api/tunnels"}
        if phlo := re.fullmatch(rf"/v1/account/{AUTH_ID}/phlo/([^/]+)/?", asked.path):
            return self._run_phlo(phlo[1], asked.body)
        inside = re.fullmatch(rf"/v1/Account/{AUTH_ID}/(.*)", asked.path)
        if not inside:
            raise RefusalError(404, "not found")
        parts = [part for part in inside[1].split("/") if part]
        if asked.path.endswith("//"):
            raise RefusalError(404, "not found")
        if not parts:
            if self.hides_account:
                raise RefusalError(403, "not allowed")
            account = {"auth_id": AUTH_ID, "account_type": "standard", "cash_credits": "12.5"}
            return 200, account | {"timezone": self.timezone}
        rooms = {
            "Application": self._application,
            "Number": self._number,
            "Call": self._call,
            "Recording": self._recording,
        }
        if parts[0] not in rooms or len(parts) > 2:
            raise RefusalError(404, "not found")
        return rooms[parts[0]](asked, parts[1] if len(parts) > 1 else None)

    def _run_phlo(self, phlo_id: str, body: Json) -> Answer:
        self.phlo_runs.append((phlo_id, body))
        return 201, {"api_id": str(uuid4()), "phlo_id": phlo_id, "message": "success"}

    def _application(self, asked: Asked, app_id: str | None) -> Answer:
        if app_id is None:
            if asked.method == "GET":
                return self._page(asked, list(self.applications.values()))
            return self._create_application(asked.body)
        if app_id not in self.applications:
            raise RefusalError(404, "not found")
        if asked.method == "POST":
            self.applications[app_id] |= asked.body
            return 202, {"api_id": str(uuid4()), "message": "changed"}
        if asked.method == "DELETE":
            del self.applications[app_id]
            return 204, None
        return 200, self.applications[app_id] | {"api_id": str(uuid4())}

    def _create_application(self, body: Json) -> Answer:
        if not re.fullmatch(r"[\w-]+", body.get("app_name", "")):
            raise RefusalError(400, "app_name parameter is invalid")
        app_id = str(20468599130939380 + len(self.applications))
        fields = {name: value for name, value in body.items() if name != "app_name"}
        self.add_application(app_id, body["app_name"], **{"hangup_url": fields.get("answer_url")} | fields)
        return 201, {"api_id": str(uuid4()), "app_id": app_id, "message": "created"}

    def _recording(self, asked: Asked, recording_id: str | None) -> Answer:
        if asked.method != "DELETE" or recording_id not in self.recordings:
            raise RefusalError(404, "not found")
        self.recordings.remove(recording_id)
        return 204, None

    def _number(self, asked: Asked, number: str | None) -> Answer:
        if number is None:
            return self._page(asked, list(self.numbers.values()))
        if number not in self.numbers:
            raise RefusalError(404, "not found")
        if asked.method == "POST":
            app_id = asked.body.get("app_id") or self._default_application()
            if app_id is not None and app_id not in self.applications:
                raise RefusalError(400, "app_id parameter is invalid")
            self.add_number(number, app_id)
            return 202, {"api_id": str(uuid4()), "message": "changed"}
        return 200, self.numbers[number] | {"api_id": str(uuid4())}

    def _default_application(self) -> str | None:
        return next((app_id for app_id, app in self.applications.items() if app["default_app"]), None)

    def _call(self, asked: Asked, call_uuid: str | None) -> Answer:
        if asked.method == "POST" and call_uuid is None:
            return self._place(asked.body)
        if asked.method == "DELETE":
            return self._hang_up(call_uuid)
        status = asked.query.get("status")
        if status in ("live", "queued"):
            return self._present(asked, self.live if status == "live" else self.queued, call_uuid)
        if call_uuid is None:
            self.on_list()
            return self._page(asked, self._filtered(asked.query))
        found = next((cdr for cdr in self.records if cdr["call_uuid"] == call_uuid), None)
        if found is None:
            raise RefusalError(404, "not found")
        return 200, found

    def _place(self, body: Json) -> Answer:
        for name in ("from", "to", "answer_url"):
            if not body.get(name):
                raise RefusalError(400, f"{name} parameter is missing")
        self.calls_placed.append(body)
        return 201, {"api_id": str(uuid4()), "message": "call fired", "request_uuid": str(uuid4())}

    def _hang_up(self, call_uuid: str | None) -> Answer:
        if call_uuid is None:
            self.live.clear()
            return 204, None
        if call_uuid not in self.live:
            raise RefusalError(404, "call not found")
        del self.live[call_uuid]
        return 204, None

    def _present(self, asked: Asked, calls: dict[str, Json], call_uuid: str | None) -> Answer:
        if call_uuid is None:
            offset, limit = int(asked.query.get("offset", 0)), int(asked.query.get("limit", 20))
            return 200, {"api_id": str(uuid4()), "calls": list(calls)[offset : offset + limit]}
        if call_uuid not in calls:
            raise RefusalError(404, "not found")
        return 200, calls[call_uuid] | {"api_id": str(uuid4())}

    def _filtered(self, query: dict[str, str]) -> list[Json]:
        since, until = (_moment(query.get(name)) for name in ("end_time__gte", "end_time__lt"))
        now = datetime.now(UTC)
        if (until or now) - (since or now - timedelta(days=7)) > timedelta(days=30, minutes=1):
            raise RefusalError(400, "end_time range must not exceed 30 days")
        return [
            cdr
            for cdr in self.records
            if query.get("parent_call_uuid") in (None, cdr["parent_call_uuid"])
            and (since or datetime.min.replace(tzinfo=UTC)) <= datetime.fromisoformat(cdr["end_time"])
            and (until is None or datetime.fromisoformat(cdr["end_time"]) < until)
        ]

    def _page(self, asked: Asked, things: list[Json]) -> Answer:
        limit = int(asked.query.get("limit", 20))
        if not 0 < limit <= 20:
            raise RefusalError(400, "limit must be between 1 and 20")
        cursor = asked.query.get("cursor")
        offset = int(cursor.removeprefix("c")) if cursor else int(asked.query.get("offset", 0))
        follow = None
        if offset + limit < len(things):
            place = {"cursor": f"c{offset + limit}"} if self.uses_cursors else {"offset": str(offset + limit)}
            follow = f"{asked.path}?{urlencode(asked.query | {'limit': str(limit)} | place)}"
        meta = {"limit": limit, "next": follow, "offset": offset, "previous": None}
        meta["total_count"] = len(things)
        return 200, {"api_id": str(uuid4()), "meta": meta, "objects": things[offset : offset + limit]}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
