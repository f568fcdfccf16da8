"""Delete recordings at Plivo once they are old (RECORDING_DAYS). Each is marked, so that a run can be resumed."""

import logging
from collections.abc import Callable

from sqlalchemy import and_, select

from app.account.access import check_credentials
from app.account.calls import parse_uuid
from app.account.client import PlivoClient
from app.account.errors import AccountError, NotFoundError
from app.context import Services
from app.records.maintenance.retention import DeletionJob
from app.records.model.ids import first_key, now
from app.records.model.receipt import StoreUnavailable
from app.records.model.tables import recordings
from app.records.model.tables_followup import recording_marks
from app.records.reading.messages import mark_recording
from app.records.reading.read_session import read_session
from app.records.store.store import Store

log = logging.getLogger(__name__)

OnProgress = Callable[[int], None]  # Called after each recording with how many were deleted so far.

_BATCH = 100


def delete_recordings(client: PlivoClient, store: Store, *, before: int, step: OnProgress) -> int:
    """Delete the recordings made before a time in milliseconds at Plivo, oldest first; return how many were left there.

    A recording that Plivo does not have any more is marked too. Raises AccountError and `StoreUnavailable`; what was
    deleted by then stays marked, and the next run goes on from there.
    """
    deleted = 0
    while found := _undeleted(store, before):
        for call_key, recording_id in found:
            if parse_uuid(recording_id):  # Only an id of Plivo's may get into a path of its API.
                try:
                    client.recordings.delete(recording_id)
                    deleted += 1
                except NotFoundError:
                    pass
            mark_recording(store, call_key, recording_id, deleted_at=now())
            step(deleted)
    return deleted


def _undeleted(store: Store, before: int) -> list[tuple[int, str]]:
    is_marked = and_(
        recording_marks.c.call_key == recordings.c.call_key,
        recording_marks.c.recording_id == recordings.c.recording_id,
    )
    query = (
        select(recordings.c.call_key, recordings.c.recording_id)
        .outerjoin(recording_marks, is_marked)
        .where(recordings.c.call_key < first_key(before), recordings.c.recorded_at < before)
        .where(recording_marks.c.deleted_at.is_(None))
        .order_by(recordings.c.call_key)
        .limit(_BATCH)
    )
    with read_session(store) as connection:
        return [(row.call_key, row.recording_id) for row in connection.execute(query)]


class RecordingDeletion(DeletionJob):
    """Deletes old recordings at Plivo."""

    name = "recordings"

    def __init__(self, shared: Services, make_client: Callable[..., PlivoClient] = PlivoClient) -> None:
        super().__init__(days=shared.config.recording_days, directory=shared.config.instance_dir)
        self._shared = shared
        self._make_client = make_client

    def delete(self, before: int) -> None:
        """Delete the recordings made before a time, one after another."""
        config = self._shared.config
        try:
            auth_id = check_credentials(config.plivo_auth_id, config.plivo_auth_tokens)
            with self._make_client(auth_id, config.plivo_auth_tokens) as client:
                deleted = delete_recordings(client, self._shared.store, before=before, step=self.check_stop)
        except (AccountError, StoreUnavailable) as error:
            log.warning("recordings_not_deleted", extra={"error": str(error)})
        else:
            if deleted:
                log.info("recordings_deleted", extra={"recordings": deleted})
