"""Calls told webhook by webhook to the real application on real SQLite, and read back through its API."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from flask import Flask

from app import create_app
from app.context import EXTENSION, Services
from app.records.store.migrate import upgrade
from config import Config

REPORTS_TOKEN = "a-made-up-reports-token"
ALICE, BOB = "+14155550111", "+14155550122"
PLAN = f"""
[routes.main]
ending = "sorry"
steps.first = {{ ring = ["{ALICE}"] }}
steps.second = {{ ring = ["{BOB}"] }}

[endings.sorry]
say = "Nobody is there."
"""

App = Callable[..., Flask]


@dataclass
class Line:
    """One call. Each method posts a webhook one second after the one before, or after the seconds given to `wait`."""

    app: Flask
    call_uuid: str = field(default_factory=lambda: str(uuid4()))
    direction: str = "inbound"
    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=250_000) - timedelta(hours=1))
    reply: str = ""
    pause: float = 1

    def wait(self, seconds: float) -> "Line":
        """Let time pass before the next webhook."""
        self.pause = seconds
        return self

    def post(self, target: str, **params: str) -> str:
        """Post form fields to one of Plivo's URLs and return the body of the reply."""
        self.at, self.pause = self.at + timedelta(seconds=self.pause), 1
        answer = self.app.test_client().post(
            target, data=params, headers={"X-Dialstatus-Simulated-Time": self.at.isoformat()}
        )
        assert answer.status_code == 200, answer.text
        return answer.text

    def answer(self, **params: str) -> "Line":
        """Ask the answer URL."""
        self.reply = self.post("/dialstatus/", **self.standard("ringing"), **{"Event": "StartApp", **params})
        return self

    def leg(self, word: str, name: str = "b", **params: str) -> "Line":
        """Report something about a leg of the dial that was placed last."""
        own = {"DialAction": word, "DialALegUUID": self.call_uuid, "DialBLegUUID": f"{name}-{self.call_uuid}"}
        self.post(self.url("callbackUrl"), CallUUID=self.call_uuid, **own, **params)
        return self

    def leg_ends(self, code: int | str, name: str = "b", *, seconds: int = 0, source: str = "Carrier") -> "Line":
        """Report the end of a leg."""
        why = {"DialBLegHangupCauseCode": str(code), "DialBLegHangupCause": "NORMAL_CLEARING"}
        return self.leg("hangup", name, DialBLegDuration=str(seconds), DialBLegHangupSource=source, **why)

    def action(self, status: str, cause: str = "NORMAL_CLEARING", rang: str = "true", **params: str) -> str:
        """Report the end of the dial and return the reply."""
        told = {"DialStatus": status, "DialHangupCause": cause, "DialRingStatus": rang, "DialBLegUUID": ""}
        told |= {"DialALegUUID": self.call_uuid, **params}
        standard = self.standard(told.pop("CallStatus", "in-progress"))
        self.reply = self.post(self.url("action"), **standard, **{k: v for k, v in told.items() if v != "absent"})
        return self.reply

    def hangup(self, source: str = "Caller", **params: str) -> "Line":
        """Report the end of the call."""
        why = {"HangupCause": "NORMAL_CLEARING", "HangupCauseCode": "4000", "HangupSource": source, "Duration": "9"}
        self.post(
            "/dialstatus/hangup/",
            **{**self.standard("completed"), **why, "Event": "Hangup", **params},
        )
        return self

    def standard(self, status: str) -> dict[str, str]:
        """Return the standard parameters."""
        numbers = {"From": "14155550100", "To": "14155550199", "Direction": self.direction}
        return {"CallUUID": self.call_uuid, "CallStatus": status, **numbers}

    def url(self, attribute: str) -> str:
        """Return path and query of a URL in the last reply that placed a dial."""
        found = re.search(rf'\b{attribute}="([^"]*)"', self.reply)
        assert found, f"no {attribute} in {self.reply}"
        parts = urlsplit(unescape(found[1]))
        return f"{parts.path}?{parts.query}"

    @property
    def record(self) -> Any:
        """Return the whole call as the API shows it."""
        return read(self.app, f"/api/v1/calls/{self.call_uuid}")

    @property
    def dials(self) -> list[Any]:
        """Return the dials, the first first."""
        return sorted(self.record["dials"], key=lambda dial: str(dial["started_at"]))

    @property
    def outcome(self) -> str:
        """Return the outcome of the first dial."""
        return str(self.dials[0]["outcome"])


def read(app: Flask, path: str) -> Any:
    """Return what the API says."""
    answer = app.test_client().get(path, headers={"Authorization": f"Bearer {REPORTS_TOKEN}"})
    assert answer.status_code == 200, answer.text
    return answer.json


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[App]:
    """Return a function that makes the application; settings are keyword arguments, `plan` is a plan's text."""
    made: list[Services] = []

    def make(plan: str = PLAN, **settings: str) -> Flask:
        file = tmp_path / f"plan{len(made)}.toml"
        file.write_text(plan)
        app = create_app(
            Config.load(
                {
                    "INSTANCE_DIR": str(tmp_path / f"instance{len(made)}"),
                    "DIAL_PLAN": str(file),
                    "REPORTS_TOKEN": REPORTS_TOKEN,
                    "VERIFY_SIGNATURES": "off",
                    "SIMULATED_TIME": "true",
                    "STORE_TIMEOUT": "5",
                    **settings,
                }
            )
        )
        made.append(app.extensions[EXTENSION])
        upgrade(made[-1].store)
        return app

    yield make
    for services in made:
        services.journal.close()
        services.store.close()


@pytest.fixture
def line(make_app: App) -> Line:
    """Return a call to a plan of two steps."""
    return Line(make_app())
