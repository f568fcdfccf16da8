"""The samples in the API's documentation are true: the calls run, and the API's responses look like the samples."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.reports.api.openapi import make_document
from tests.reports.caller import REPORTS_TOKEN, Caller, make_caller
from tests.reports.visitor import Site, served

DOCUMENT = make_document()
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def full_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve an application with a caller who left a message and waits, and an answered call that has a leg."""
    directory = tmp_path_factory.mktemp("examples")
    with make_caller(f"sqlite:///{directory / 'dialstatus.db'}", directory) as caller:
        message = {"RecordUrl": "https://media.plivo.com/r-1.mp3", "RecordingDurationMs": "4000"}
        missed_uuid, _ = caller.ended_call("no-answer", "+14155550166", DialRingStatus="true")
        caller.post("/dialstatus/recording/", CallUUID=missed_uuid, RecordingID="r-0", **message)
        caller.post("/dialstatus/hangup/", CallUUID=missed_uuid, CallStatus="completed", HangupSource="Caller")
        call_uuid, dial_id = caller.call()
        leg = {"CallUUID": call_uuid, "DialBLegUUID": "b-leg", "DialBLegTo": "14155550123", "DialBLegPosition": "1"}
        caller.post(f"/dialstatus/callback/?dial={dial_id}", **leg, DialAction="answer")
        caller.end(call_uuid, dial_id, "completed", DialRingStatus="true", DialBLegUUID="b-leg")
        caller.post("/dialstatus/recording/", CallUUID=call_uuid, RecordingID="r-1", **message)
        with served(caller) as site:
            yield site


def sample(path: str, method: str, label: str, site: Site) -> str:
    """Return a sample call of the document that the site serves, with ids that it has."""
    paths = site.caller.client.get("/openapi.json", base_url=site.url).json["paths"]  # type: ignore[index]
    [source] = [one["source"] for one in paths[path][method]["x-codeSamples"] if one["label"] == label]
    call = site.caller.read("dials")["dials"][0]
    known = DOCUMENT["paths"]["/api/v1/dials"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    for name in ("call_uuid", "dial_id"):
        source = source.replace(known["dials"][0][name], call[name])
    known = DOCUMENT["paths"]["/api/v1/followups"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    return str(source).replace(known["followups"][0]["followup_id"], followup_id(site.caller))


def followup_id(caller: Caller) -> str:
    """Return the id of the follow-up that there is."""
    [one] = caller.read("followups")["followups"]
    return str(one["followup_id"])


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here; apt-get install curl runs the samples")
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_a_sample_of_curl_runs(full_site: Site, path: str, method: str) -> None:
    command = sample(path, method, "curl", full_site).replace("$REPORTS_TOKEN", REPORTS_TOKEN)

    done = subprocess.run(
        [*shlex.split(command), "--silent", "--fail-with-body"], capture_output=True, text=True, timeout=30
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_samples_of_python_run(full_site: Site, tmp_path: Path) -> None:
    script = tmp_path / "samples.py"
    script.write_text("\n".join(sample(path, method, "Python", full_site) for path, method in OPERATIONS))

    done = subprocess.run(
        [sys.executable, script], env={**os.environ, "REPORTS_TOKEN": REPORTS_TOKEN}, capture_output=True, timeout=60
    )

    assert done.returncode == 0, done.stderr


def real(caller: Caller, path: str) -> Any:
    """Return the API's own response to a read without filters."""
    dial = caller.read("dials")["dials"][0]
    response = caller.ask(path.format(**dial, followup_id=followup_id(caller)).removeprefix("/api/v1/"))
    return response.json if response.is_json else response.text


@pytest.mark.parametrize("path", [path for path, method in OPERATIONS if method == "get"])
def test_a_sample_response_has_the_fields_of_a_real_one(full_site: Site, path: str) -> None:
    [(kind, content)] = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"].items()
    expected, given = content["example"], real(full_site.caller, path)

    if kind == "text/csv":
        assert expected.splitlines()[0] == given.splitlines()[0]
        return
    if kind == "application/jsonl":
        expected, given = json.loads(expected), json.loads(given.splitlines()[0])
    assert named(expected) == named(given)


def named(value: Any) -> set[str]:
    """Return the names of all fields in a JSON value; those of maps and of messages are data."""
    if isinstance(value, list):
        return set().union(*map(named, value))
    if not isinstance(value, dict):
        return set()
    inner = (named(each) for name, each in value.items() if name not in {"outcomes", "statuses", "params", "message"})
    return set(value).union(*inner)
