"""What the tests of `flask plivo reconcile` share: webhooks that arrived, records of calls, the tables on disk."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from flask import Flask

from tests.account.plivo_objects import record

# The records of the fake account begin about half an hour ago; the webhooks of a test do likewise.
BEGAN = timedelta(seconds=1826)


class Webhooks:
    """What did arrive of a call's webhooks."""

    def __init__(self, app: Flask, call_uuid: str) -> None:
        self._client = app.test_client()
        self.call_uuid = call_uuid
        self.dial_id = ""
        self.now = datetime.now(UTC)  # One moment, however long the test takes.

    def _post(self, path: str, ago: timedelta, **params: str) -> str:
        at = self.now - ago
        answer = self._client.post(
            f"/dialstatus/{path}",
            data={
                "Direction": "inbound",
                "CallStatus": "ringing",
                "CallUUID": self.call_uuid,
                "From": "14155550100",
                "To": "14155550199",
            }
            | params,
            headers={"X-Dialstatus-Simulated-Time": at.isoformat()},
        )
        assert answer.status_code == 200, answer.text
        return answer.text

    def answer(self, ago: timedelta = BEGAN, **params: str) -> "Webhooks":
        xml = self._post("", ago, Event="StartApp", **params)
        found = re.search(r"[?&](?:amp;)?dial=([\w-]+)", xml)
        assert found
        self.dial_id = found[1]
        return self

    def action(self, status: str, b_leg_uuid: str = "", ago: timedelta = timedelta(seconds=1800)) -> None:
        self._post(
            f"action/?dial={self.dial_id}",
            ago,
            DialStatus=status,
            DialRingStatus="true",
            DialHangupCause="NORMAL_CLEARING",
            DialALegUUID=self.call_uuid,
            DialBLegUUID=b_leg_uuid,
        )

    def hangup(self, code: int = 4000, cost: str = "0.00900") -> None:
        self._post(
            "hangup/",
            timedelta(seconds=1800),
            Event="Hangup",
            CallStatus="completed",
            HangupCause="NORMAL_CLEARING",
            HangupCauseCode=str(code),
            HangupCauseName="Normal Hangup",
            HangupSource="Caller",
            Duration="13",
            TotalCost=cost,
        )


def records_of(
    call_uuid: str, b_leg_uuid: str = "", *, now: datetime | None = None, **leg: Any
) -> list[dict[str, Any]]:
    """Make the records of an answered call: one for the A leg, one for its B leg."""
    now = now or datetime.now(UTC)
    b_leg = {"parent_call_uuid": call_uuid, "call_direction": "outbound", "to_number": "14155550123"}
    return [record(call_uuid, now), record(b_leg_uuid or str(uuid4()), now, **b_leg | leg)]
