"""A receipt that neither the store nor the spool takes."""

from pathlib import Path

import pytest

from app import create_app
from app.context import EXTENSION
from config import Config


def test_the_log_line_of_a_lost_receipt_holds_what_reconcile_needs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"INSTANCE_DIR": str(tmp_path), "VERIFY_SIGNATURES": "off", "DIAL_TO": "+14155550123"}
    app = create_app(Config.load(settings))
    (tmp_path / "spool").touch()  # No directory, so that nothing is spooled; and no tables, so that nothing is stored.
    params = {
        "CallUUID": "a-call",
        "DialALegUUID": "a-call",
        "DialBLegUUID": "b-leg",
        "DialStatus": "completed",
        "DialHangupCause": "NORMAL_CLEARING",
    }

    reply = app.test_client().post("/dialstatus/action/", data=params)
    app.extensions[EXTENSION].journal.close()

    (lost,) = [record for record in caplog.records if record.message == "receipt_lost"]
    assert reply.status_code == 200
    assert (lost.__dict__["call_uuid"], lost.__dict__["dial_b_leg_uuid"]) == ("a-call", "b-leg")
    assert (lost.__dict__["dial_status"], lost.__dict__["dial_hangup_cause"]) == ("completed", "NORMAL_CLEARING")
