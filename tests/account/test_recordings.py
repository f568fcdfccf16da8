"""RECORDING_DAYS: old recordings are deleted at Plivo, each once, and an interrupted run goes on."""

from collections.abc import Callable

import pytest
from flask import Flask

from app.account.client import PlivoClient
from app.account.errors import AccountError
from app.account.recordings import RecordingDeletion, delete_recordings
from app.context import EXTENSION, Services
from app.records.model.ids import now
from app.voice.events import Kind
from tests.account.conftest import Table
from tests.account.plivo_api import PlivoApi
from tests.account.plivo_objects import AUTH_ID, AUTH_TOKEN
from tests.records.histories import HOUR
from tests.records.scenarios import receipt

DAY = 24 * HOUR


def uuid_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def keep(shared: Services, api: PlivoApi, number: int, *, days: float, recording_id: str | None = None) -> None:
    """Store a recording made so many days ago, which Plivo has."""
    named = recording_id or uuid_of(number)
    params = {"CallUUID": f"call-{number}", "RecordingID": named, "RecordingDuration": "9"}
    shared.journal.append(receipt(Kind.RECORDING, None, params, now() - round(days * DAY)))
    api.recordings.add(named)


@pytest.fixture
def shared(environ: dict[str, str], make_app: Callable[[], Flask]) -> Services:
    """Return the services of a server that keeps recordings for 30 days."""
    environ["RECORDING_DAYS"] = "30"
    services: Services = make_app().extensions[EXTENSION]
    return services


def client(api: PlivoApi) -> PlivoClient:
    return PlivoClient(AUTH_ID, (AUTH_TOKEN,), api_url=api.url, sleep=lambda _: None)


def test_the_job_deletes_what_is_older_and_leaves_the_rest(shared: Services, plivo_api: PlivoApi) -> None:
    keep(shared, plivo_api, 1, days=31)
    keep(shared, plivo_api, 2, days=29)
    job = RecordingDeletion(shared, lambda *_: client(plivo_api))

    assert job.work() == 3600
    job.stop()

    assert plivo_api.recordings == {uuid_of(2)}


def test_an_interrupted_run_goes_on_and_deletes_nothing_twice(
    shared: Services, plivo_api: PlivoApi, rows: Callable[[str], Table]
) -> None:
    for number in range(1, 6):
        keep(shared, plivo_api, number, days=40 + number)
    keep(shared, plivo_api, 6, days=50, recording_id="../Call")
    plivo_api.recordings.discard(uuid_of(2))  # Somebody deleted it in the console.
    plivo_api.trouble(500, method="DELETE", path=uuid_of(3))
    before = now() - 30 * DAY

    with client(plivo_api) as first, pytest.raises(AccountError):
        delete_recordings(first, shared.store, before=before, step=lambda _: None)
    with client(plivo_api) as second:
        deleted = delete_recordings(second, shared.store, before=before, step=lambda _: None)

    asked = [one.path.rstrip("/").rpartition("/")[2] for one in plivo_api.writes()]
    assert plivo_api.recordings == {"../Call"}
    assert sorted(asked) == sorted([uuid_of(number) for number in (1, 2, 3, 3, 4, 5)])
    assert deleted in {1, 2, 3}
    assert rows("SELECT count(*) FROM recording_marks WHERE deleted_at IS NOT NULL") == [(6,)]
    with client(plivo_api) as third:
        assert delete_recordings(third, shared.store, before=before, step=lambda _: None) == 0
