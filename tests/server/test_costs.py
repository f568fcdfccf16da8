"""What makes a webhook cheap, held by its causes: no figure in here depends on how fast the machine is."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.context import EXTENSION
from app.records.store import migrate
from app.voice.signature import make_nonce, sign_v3
from config import Config
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import ROOT, TOKEN, Server, until

_PUBLIC_URL = "https://calls.example.com"
# What a webhook must not do again once the process has served one: look for modules, connect, read files, compile.
_EXPENSIVE = frozenset({"import", "sqlite3.connect", "open", "compile", "subprocess.Popen", "socket.connect"})
_OTHERS = ("sqlalchemy", "alembic", "jinja2", "plivo", "pydantic", "itsdangerous")

_heard: list[str] | None = None
_WATCHED = ("MainThread", "journal")


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _heard is not None and event in _EXPENSIVE and threading.current_thread().name in _WATCHED:
        _heard.append(f"{event} {arguments[:1]}")


sys.addaudithook(_hear)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    """Return a client of an application that has served each kind of webhook once."""
    config = Config.load(
        {
            "INSTANCE_DIR": str(tmp_path),
            "PLIVO_AUTH_TOKEN": TOKEN,
            "PUBLIC_URL": _PUBLIC_URL,
            "DIAL_TO": "+14155550123",
            "STORE_TIMEOUT": "5",
        }
    )
    app = create_app(config)
    shared = app.extensions[EXTENSION]
    migrate.upgrade(shared.store)
    client = app.test_client(use_cookies=False)
    for target, fields in _webhooks():
        assert _post(client, target, fields) == 200
    yield client
    shared.journal.close()
    shared.spool.close()
    shared.store.close()


def _webhooks() -> list[tuple[str, dict[str, str]]]:
    """Return an answer, a report and a hangup of one new call."""
    call_uuid = new_uuid()
    return [
        ("/dialstatus/", inbound(call_uuid)),
        (f"/dialstatus/action/?dial=of-{call_uuid}", dial_report(call_uuid, "busy")),
        ("/dialstatus/hangup/", inbound(call_uuid, Event="Hangup", CallStatus="completed")),
    ]


def _post(client: FlaskClient, target: str, fields: dict[str, str]) -> int:
    nonce = make_nonce()
    signature = sign_v3(method="POST", url=_PUBLIC_URL + target, params=fields.items(), nonce=nonce, token=TOKEN)
    headers = {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}
    return client.post(target, data=fields, headers=headers).status_code


def test_a_webhook_imports_connects_opens_and_compiles_nothing(client: FlaskClient) -> None:
    global _heard
    webhooks = _webhooks()
    heard: list[str] = []
    canary: list[str] = []
    _heard = heard
    statuses = [_post(client, target, fields) for target, fields in webhooks]
    _heard = canary
    Path(__file__).open().close()
    _heard = None

    assert statuses == [200, 200, 200]
    assert heard == []
    assert canary


def test_a_server_loads_none_of_the_commands(tmp_path: Path) -> None:
    look = "import sys, gunicorn.app.wsgiapp, wsgi; print(*sys.modules)"
    environment = {"PATH": os.environ["PATH"], "INSTANCE_DIR": str(tmp_path)}

    found = subprocess.run([sys.executable, "-c", look], cwd=ROOT, env=environment, capture_output=True, check=True)

    loaded = set(found.stdout.decode().split())
    assert {"sqlalchemy", "sqlite3", "app.records.writing.journal"} <= loaded
    assert not [name for name in loaded if name.startswith(("app.cli", "app.simulator", "rich", "pytest"))]


def test_a_webhook_runs_no_line_of_libraries_that_only_prepare(client: FlaskClient) -> None:
    webhooks = _webhooks()
    entered: set[str] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        found = re.search(r"site-packages/([a-z_0-9]+)", frame.f_code.co_filename)
        if event == "call" and found:
            entered.add(found[1])

    sys.setprofile(note)
    try:
        statuses = [_post(client, target, fields) for target, fields in webhooks]
    finally:
        sys.setprofile(None)

    assert statuses == [200, 200, 200]
    assert "flask" in entered
    assert entered.isdisjoint(_OTHERS)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux lets a process choose its processor")
def test_each_worker_keeps_to_a_processor_of_its_own(start_server: Callable[..., Server]) -> None:
    free = len(os.sched_getaffinity(0))
    server = start_server(WORKERS=2)

    def kept() -> list[set[int]]:
        affinities = [os.sched_getaffinity(pid) for pid in server.workers()]
        return affinities if [len(one) for one in affinities] == [1, 1] else []

    processors = until(kept)  # A worker that was forked a moment ago has yet to choose.
    assert len(set.union(*processors)) == min(2, free)
