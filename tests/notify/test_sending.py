"""The job that sends: when it looks, and what it announces by itself."""

from app.notify.sending import sending
from app.records.model.ids import now
from app.records.writing.announce import SETTLING
from tests.notify.conftest import Listen, Open
from tests.notify.receiver import events_to


def test_the_job_looks_again_just_when_the_next_event_falls_due(open_office: Open, listen: Listen) -> None:
    office = open_office(**events_to(listen().url))
    job = sending(office.app)
    assert job.work() == 0.5  # The outbox is empty.
    office.missed_call()
    office.execute(f"UPDATE outbox SET due_at = {now() + SETTLING}")
    assert job.work() == 0.5
    due_in = 400
    office.execute(f"UPDATE outbox SET due_at = {now() + due_in}")

    assert 0 <= (job.work() or 0) <= due_in / 1000
