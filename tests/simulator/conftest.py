"""Calls against a scripted server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app import create_app
from app.simulator.carrier.call_requests import ApplicationUrls
from app.simulator.ground_truth import CallTruth
from app.simulator.run import Run, play
from app.simulator.scenario import Scenario, built_in
from app.simulator.wire.faults import parse_fault
from app.simulator.wire.transport import Transport
from config import Config
from tests.simulator.scripted_server import ScriptedReply, ScriptedServer, dial_xml

TOKEN = "a-made-up-auth-token"
BEGUN_AT = datetime(2026, 3, 2, 8, 35, 10, 910772, tzinfo=UTC)


def scenario(name: str) -> Scenario:
    """Return a built-in scenario."""
    return next(one for one in built_in() if one.name == name)


@dataclass
class Player:
    """Plays calls against a scripted server."""

    server: ScriptedServer

    def play(
        self,
        played: Scenario | str,
        *,
        faults: tuple[str, ...] = (),
        zone: str = "UTC",
        fragment: str = "",
        fallback: bool = False,
        method: str = "POST",
        seed: int = 7,
    ) -> CallTruth:
        """Play one call to its end."""
        chosen = scenario(played) if isinstance(played, str) else played
        url = self.server.url
        urls = ApplicationUrls(
            answer=f"{url}/{fragment}",
            hangup=f"{url}/hangup/",
            ring=f"{url}/ring/",
            phlo=f"{url}/phlo/",
            fallback=f"{url}/fallback/" if fallback else None,
            method=method,
            phlo_token="a-made-up-phlo-token",
        )
        run = Run(
            named=[chosen],
            mix=(),
            calls=1,
            concurrency=1,
            seed=seed,
            urls=urls,
            transport=Transport(token=TOKEN),
            faults=[parse_fault(text) for text in faults],
            other_number="+14155550100",
            own_number="+14155550199",
            zone=ZoneInfo(zone),
            begun_at=BEGUN_AT,
            repeats_uuids=True,
        )
        [call] = play(run, lambda _call: None)
        return call


@contextmanager
def checkout(instance: Path, **settings: str) -> Iterator[None]:
    """Push an application with these settings, so that commands run as in a checkout."""
    config = Config.load({"INSTANCE_DIR": str(instance), "DIAL_TO": "+14155550123", **settings})
    with create_app(config).app_context():
        yield


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Yield a server that dials one number and then ends the call."""
    with ScriptedServer() as running:
        running.replies["/"] = ScriptedReply(body=dial_xml(running))
        yield running


@pytest.fixture
def player(server: ScriptedServer) -> Player:
    """Return a player for the server."""
    return Player(server)
