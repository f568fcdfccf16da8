"""An application on a real store, called as Plivo and as a program with the token."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.context import EXTENSION, Services
from app.records.store import migrate
from config import Config

REPORTS_TOKEN = "a-made-up-reports-token"


@dataclass
class Caller:
    """Calls the application's routes as Plivo and as a program that reads the API."""

    app: Flask
    client: FlaskClient = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    @property
    def services(self) -> Services:
        services: Services = self.app.extensions[EXTENSION]
        return services

    def call(self, caller: str = "+14155550199", called: str = "+14155550100") -> tuple[str, str]:
        """Start a call; return its UUID and the id of the dial that our reply started."""
        self.count += 1
        call_uuid = f"00000000-0000-4000-8000-{self.count:012d}"
        reply = self.post("/dialstatus/", CallUUID=call_uuid, From=caller, To=called, CallStatus="ringing")
        found = re.search(r"dial=([\w-]+)", unescape(reply))
        assert found, reply
        return call_uuid, found[1]

    def end(self, call_uuid: str, dial_id: str, status: str, **fields: str) -> None:
        """Report how a dial ended."""
        self.post(
            f"/dialstatus/action/?dial={dial_id}",
            **{"CallUUID": call_uuid, "DialALegUUID": call_uuid, "DialStatus": status, **fields},
        )

    def ended_call(
        self, status: str = "no-answer", caller: str = "+14155550199", called: str = "+14155550100", **fields: str
    ) -> tuple[str, str]:
        """Start a call and end its dial; return the call's UUID and the dial's id."""
        call_uuid, dial_id = self.call(caller, called)
        self.end(call_uuid, dial_id, status, **fields)
        return call_uuid, dial_id

    def post(self, path: str, **fields: str) -> str:
        """Post as Plivo does."""
        response = self.client.post(path, data=fields)
        assert response.status_code == 200, response.text
        return response.text

    def ask(self, path: str, query: Mapping[str, Any] | None = None) -> TestResponse:
        """Return the API's response to a request with the token."""
        return self.client.get(
            f"/api/v1/{path}", query_string=query, headers={"Authorization": f"Bearer {REPORTS_TOKEN}"}
        )

    def read(self, path: str, **query: Any) -> Any:
        """Return JSON from the API. A parameter that is a Python keyword takes a trailing underscore."""
        response = self.ask(path, {name.rstrip("_"): value for name, value in query.items()})
        assert response.status_code == 200, response.text
        return response.json

    def log_in(self) -> str:
        """Log in with the printed link; return the dashboard."""
        self.client.get(f"/login?token={REPORTS_TOKEN}")
        return self.client.get("/").text


@contextmanager
def make_caller(url: str, directory: Path, **settings: str) -> Iterator[Caller]:
    """Yield a caller of an application on this database, with its files below `directory`."""
    config = Config.load(
        {
            "DATABASE_URL": url,
            "INSTANCE_DIR": str(directory / "instance"),
            "REPORTS_TOKEN": REPORTS_TOKEN,
            "DIAL_TO": "+14155550123",
            "STORE_TIMEOUT": "5",
            **settings,
        }
    )
    app = create_app(config)
    caller = Caller(app)
    migrate.upgrade(caller.services.store)
    yield caller
    caller.services.journal.close()
    caller.services.store.close()
