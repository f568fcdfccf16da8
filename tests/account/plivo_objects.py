"""Objects of Plivo's REST API as its reference and the fixtures of plivo-python show them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
AUTH_TOKEN = "a-made-up-token-that-must-never-show"

Json = dict[str, Any]


def application(app_id: str, name: str, **fields: Any) -> Json:
    """Build an application as `GET Application/{id}/` shows it."""
    return {
        "answer_method": "POST",
        "answer_url": "http://old.example.com/answer",
        "app_id": app_id,
        "app_name": name,
        "default_app": False,
        "default_endpoint_app": False,
        "enabled": True,
        "fallback_answer_url": "",
        "fallback_method": "POST",
        "hangup_method": "POST",
        "hangup_url": "http://old.example.com/answer",
        "message_method": "POST",
        "message_url": "http://sms.example.com/",
        "public_uri": False,
        "resource_uri": f"/v1/Account/{AUTH_ID}/Application/{app_id}/",
        "sip_uri": f"sip:{app_id}@app.plivo.com",
        "sub_account": None,
    } | fields


def record(call_uuid: str | None = None, now: datetime | None = None, /, **fields: Any) -> Json:
    """Build a call detail record as `GET Call/{uuid}/` shows it: 12 seconds of talk, the console in India."""
    call_uuid = call_uuid or str(uuid4())
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    started, answered, ended = (now - timedelta(seconds=ago) for ago in (1825, 1812, 1800))
    india = timedelta(hours=5, minutes=30)
    local = {
        name: (moment + india).strftime("%Y-%m-%d %H:%M:%S") + "+05:30"
        for name, moment in (("initiation_time", started), ("answer_time", answered), ("end_time", ended))
    }
    return {
        "api_id": str(uuid4()),
        "bill_duration": 12,
        "billed_duration": 60,
        "call_direction": "inbound",
        "call_duration": 12,
        "call_state": "ANSWER",
        "call_uuid": call_uuid,
        "from_number": "+14155550100",
        "hangup_cause_code": 4000,
        "hangup_cause_name": "Normal Hangup",
        "hangup_source": "Callee",
        "parent_call_uuid": None,
        "resource_uri": f"/v1/Account/{AUTH_ID}/Call/{call_uuid}/",
        "to_number": "14155550199",
        "total_amount": "0.00500",
        "total_rate": "0.00500",
        **local,
    } | fields
