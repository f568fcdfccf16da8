"""Samples in the OpenAPI document: for each operation a call with curl and with Python, and its responses.

A sample response is put together by the document's own schemas from one value for each field, so that it has every
field of the model and no other.
"""

import csv
import io
import json
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from app.reports.api.problems import CHALLENGES

Json = dict[str, Any]

_CALL_UUID, _B_LEG_UUID = "8ea8a16f-1d1b-4c5c-a4c6-1f2d3e4b5a60", "3c1f0f5e-7a55-4d0e-9a3a-0c7c5b1d2e3f"
_DIAL_ID, _BEGAN = "01ktq3vd9k7m8n2p", "2026-03-02T09:15:04.120Z"
# By field, or by model and field where a name has several meanings. A nullable field that is not here is null.
_VALUES: Json = {
    "call_uuid": _CALL_UUID, "request_uuid": _CALL_UUID, "a_leg_uuid": _CALL_UUID, "b_leg_uuid": _B_LEG_UUID,
    "dial_id": _DIAL_ID, "route": "main", "step": "desk", "round": 1, "position": 1, "direction": "inbound",
    "from": "+14155550143", "to": "+14155550199", "target": "+14155550123", "targets": ["+14155550123"],
    "answered_by": "+14155550123", "caller_name": "GREEN PHARMACY", "outcome": "answered", "dial_status": "completed",
    "explanation": "A callee picked up and was put through.", "dial_ring_status": True, "call_status": "completed",
    "started_at": _BEGAN, "answered_at": "2026-03-02T09:15:10.120Z", "connected_at": "2026-03-02T09:15:10.640Z",
    "ended_at": "2026-03-02T09:16:45.000Z", "ring_seconds": 6, "waited_seconds": 6, "talk_seconds": 95,
    "hangup_code": 4000, "hangup_name": "Normal Hangup", "hangup_source": "Callee", "cost": "0.01000",
    "duration": 95, "bill_duration": 120, "hangup_cause": "NORMAL_CLEARING", "heard_from": "webhook",
    "signature": "valid", "deliveries": 1, "Call.dials": 1, "CallDetails.dials": 1, "next_cursor": "AAZP0n5sAAA",
    "receipt_id": "455866720", "received_at": _BEGAN, "last_received_at": _BEGAN, "kind": "answer", "method": "POST",
    "path": "/dialstatus/", "query": "", "params": {"CallUUID": _CALL_UUID, "CallStatus": "ringing"},
    "sender": "192.0.2.1", "reply_status": 200, "reply": "<Response>…</Response>", "reply_micros": 640,
    "recording_id": "c2186400-1c8c-11ec-8b6d-0242ac110002", "milliseconds": 17000, "recorded_at": _BEGAN,
    "url": "https://media.plivo.com/Account/MAXXXXXXXXXXXXXXXXXX/Recording/c2186400-1c8c-11ec-8b6d-0242ac110002.mp3",
    "total": 40, "calls": 40, "dials": 52, "answered": 31, "answer_rate": 0.775, "group": "2026-03-02",
    "outcomes": {"answered": 31, "missed": 6, "caller_gave_up": 3}, "statuses": {}, "median": 7, "p90": 18,
    "followup_id": "3012345678901234567", "caller": "+14155550143", "state": "open", "opened_at": _BEGAN, "at": _BEGAN,
    "last_call_at": _BEGAN, "first_call_uuid": _CALL_UUID, "last_call_uuid": _CALL_UUID, "last_outcome": "missed",
    "Followup.calls": 2, "taken_by": "admin", "note": "calls back at noon", "what": "missed", "open": 3, "reached": 25,
    "median_seconds": 1260, "p90_seconds": 15_300, "within_hour": 0.72, "within_day": 0.96,
    "Summary.talk_seconds": 2945, "Group.talk_seconds": 2945, "unit": "calls", "group_by": "day", "timezone": "UTC",
}  # fmt: skip
_NULL = frozenset({"Call.message", "CallDetails.message"})  # An answered call has no message.
_QUERIES: dict[str, dict[str, str]] = {
    "/api/v1/calls": {"since": "24h", "outcome": "missed,busy"},
    "/api/v1/calls.csv": {"since": "7d"},
    "/api/v1/calls.jsonl": {"since": "7d"},
    "/api/v1/dials": {"outcome": "busy"},
    "/api/v1/summary": {"since": "7d", "group_by": "day"},
}
_DETAILS = {
    400: "These parameters cannot be used: outcme.",
    401: CHALLENGES["missing"],
    403: "The token is right and may not do this: it is for other routes or another role.",
    404: "No call has this UUID.",
    405: "This resource takes other methods; the Allow header lists them.",
    503: "The store does not answer. Try again soon.",
}


def add_examples(document: Json, server: str) -> None:
    """Add samples to each operation of the document; `server` is the URL that the sample calls begin with."""
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            operation["x-codeSamples"] = _samples(f"{server}{path}", path, method, operation, schemas)
            for status, response in operation["responses"].items():
                for kind, content in response.get("content", {}).items():
                    content["example"] = _response(path, status, kind, content["schema"], schemas)


def example_of(schema: Json, schemas: Json, name: str = "") -> Any:
    """Return a sample of a schema; `name` is its model and field. Raises KeyError where a field has no value."""
    if reference := schema.get("$ref"):
        model = reference.rpartition("/")[2]
        fields = schemas[model].get("properties", {})
        return {field: example_of(of, schemas, f"{model}.{field}") for field, of in fields.items()}
    choices = schema.get("anyOf", [])
    is_nullable = {"type": "null"} in choices
    models = [one for one in choices if "$ref" in one]
    if models and name not in _NULL:
        return example_of(models[0], schemas)
    if "$ref" in schema.get("items", {}):
        return [example_of(schema["items"], schemas)]
    field = name.rpartition(".")[2]
    if name in _VALUES or (field in _VALUES and name not in _NULL):
        return _VALUES.get(name, _VALUES.get(field))
    if is_nullable:
        return None
    return schema["default"] if "default" in schema else schema["enum"][0]


def _response(path: str, status: str, kind: str, schema: Json, schemas: Json) -> Any:
    if kind == "application/problem+json":
        problem = {"type": "about:blank", "title": HTTPStatus(int(status)).phrase, "status": int(status)}
        errors = [{"parameter": "outcme", "detail": "there is no such parameter"}] if status == "400" else []
        return {**problem, "detail": _DETAILS.get(int(status), ""), "errors": errors}
    if kind == "application/json":
        return example_of(schema, schemas)
    row = example_of({"$ref": "Call" if path.startswith("/api/v1/calls") else "Dial"}, schemas)
    return _csv(row) if kind == "text/csv" else f"{json.dumps(row, ensure_ascii=False)}\n"


def _csv(row: Json) -> str:
    text = io.StringIO()
    cells = (", ".join(cell) if isinstance(cell, list) else cell for cell in row.values())
    texts = (str(cell).lower() if isinstance(cell, bool) else cell for cell in cells)
    csv.writer(text, lineterminator="\r\n").writerows([row.keys(), texts])
    return text.getvalue()


def _samples(url: str, path: str, method: str, operation: Json, schemas: Json) -> list[dict[str, str]]:
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            url = url.replace(f"{{{parameter['name']}}}", str(_VALUES.get(parameter["name"], 1)))
    query = _QUERIES.get(path, {})
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    sent = example_of(body, schemas) if body else None
    [kind] = list(operation["responses"]["200"].get("content", {"application/json": {}}))[:1]
    return [
        {"lang": "Shell", "label": "curl", "source": _curl(url, method, query, sent)},
        {"lang": "Python", "label": "Python", "source": _python(url, method, query, sent, kind)},
    ]


def _curl(url: str, method: str, query: dict[str, str], sent: Any) -> str:
    lines = ["curl" if method == "get" else f"curl -X {method.upper()}"]
    lines.append('-H "Authorization: Bearer $REPORTS_TOKEN"')
    if sent is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(sent)}'"]
    lines.append(f"'{url}{'?' if query else ''}{urlencode(query, safe=',')}'")
    return " \\\n  ".join(lines)


def _python(url: str, method: str, query: dict[str, str], sent: Any, kind: str) -> str:
    extra = f"    params={json.dumps(query)},\n" if query else ""
    extra += f"    json={sent!r},\n" if sent is not None else ""
    return (
        "from os import environ\n\nimport requests\n\n"
        f'response = requests.{method}(\n    "{url}",\n{extra}'
        '    headers={"Authorization": f"Bearer {environ[\'REPORTS_TOKEN\']}"},\n    timeout=10,\n)\n'
        f"response.raise_for_status()\nprint(response.{'json()' if kind == 'application/json' else 'text'})\n"
    )
