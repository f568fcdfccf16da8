"""The OpenAPI document, made from the models with which the API reads its queries and writes its responses."""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.reports.api import call_queries, followups, models, queries
from app.reports.api.examples import add_examples
from app.reports.api.webhooks import EVENTS, webhooks

_REF = "#/components/schemas/{model}"
_RESPONSES: list[type[BaseModel]] = [
    models.DialsView,
    models.DialView,
    models.CallsView,
    models.WholeCallView,
    models.SummaryView,
    followups.FollowupsView,
    followups.WholeFollowupView,
    followups.FollowupNoteView,
    models.ProblemView,
    *EVENTS,
]
_PATH_PARAMETERS = {
    "dial_id": "The dial's `dial_id`, as in the list of dials.",
    "followup_id": "The `followup_id`, or the key of any of its calls.",
    "call_uuid": "The call's UUID from Plivo, or the `request_uuid` of the request that placed it.",
}
_PROBLEMS = {
    "400": "An unknown parameter, or a value that cannot be used.",
    "401": "The token is missing or wrong; `detail` says which.",
    "403": "The token is right and may not do this.",
    "405": "The resource takes other methods.",
    "503": "The store cannot be read at the moment.",
}


def make_document(server_url: str = "/", *, called: str = "https://calls.example.com") -> dict[str, Any]:
    """Return the OpenAPI 3.1 document.

    `server_url` is the path or URL below which the API is served; the sample calls use the URL `called`.
    """
    definitions = models_json_schema([(model, "serialization") for model in _RESPONSES], ref_template=_REF)[1]
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Dialstatus",
            "version": "1",
            "description": "What happened to every call. Times are RFC 3339 in UTC; absent values are null.",
        },
        "servers": [{"url": server_url}],
        "security": [{"token": []}],
        "paths": _paths(),
        "webhooks": webhooks(),
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "REPORTS_TOKEN, or a named token."}
            },
        },
    }
    # Clients are generated with these names, and to them a DialView is simply a Dial.
    named: dict[str, Any] = json.loads(json.dumps(document).replace('View"', '"'))
    add_examples(named, called)
    return named


def problems_of(document: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Return what each error of the document means, and a sample of it, by status."""
    return {
        status: (response["description"], response["content"]["application/problem+json"]["example"])
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, response in sorted(operation["responses"].items())
        if "application/problem+json" in response.get("content", {})
    }


def _paths() -> dict[str, Any]:
    text = {"schema": {"type": "string"}}
    return {
        "/api/v1/dials": _get(
            "List dials",
            "Dials, newest first, in pages. A page may hold fewer than `limit` and not be the last.",
            queries.DialsQuery,
            _json(models.DialsView),
        ),
        "/api/v1/dials.csv": _get("Dials as CSV", _ALL_DIALS, queries.FilterQuery, {"text/csv": text}),
        "/api/v1/dials.jsonl": _get(
            "Dials as JSON lines", _ALL_DIALS, queries.FilterQuery, {"application/jsonl": text}
        ),
        "/api/v1/dials/{dial_id}": _get("One dial", "", queries.NoQuery, _json(models.DialView), path="dial_id"),
        "/api/v1/calls": _get(
            "List calls",
            "Calls, newest first, in pages. A page may hold fewer than `limit` and not be the last.",
            call_queries.CallsQuery,
            _json(models.CallsView),
        ),
        "/api/v1/calls.csv": _get("Calls as CSV", _ALL_CALLS, call_queries.CallFilterQuery, {"text/csv": text}),
        "/api/v1/calls.jsonl": _get(
            "Calls as JSON lines", _ALL_CALLS, call_queries.CallFilterQuery, {"application/jsonl": text}
        ),
        "/api/v1/calls/{call_uuid}": _get(
            "One call with everything about it", "", queries.NoQuery, _json(models.WholeCallView), path="call_uuid"
        ),
        **_followup_paths(),
        "/api/v1/summary": _get(
            "Count calls or dials",
            "A call belongs to the hour it began, and its dials belong to that hour too. In groups by target, cause or "
            "reason it counts once for each that one of its dials has.",
            call_queries.SummaryQuery,
            _json(models.SummaryView),
        ),
    }


def _followup_paths() -> dict[str, Any]:
    one = "/api/v1/followups/{followup_id}"
    return {
        "/api/v1/followups": _get(
            "List follow-ups",
            "Callers who reached nobody. With `state=open` the longest waiting come first, else the newest.",
            followups.FollowupsQuery,
            _json(followups.FollowupsView),
        ),
        one: _get(
            "One follow-up with its history",
            "",
            queries.NoQuery,
            _json(followups.WholeFollowupView),
            path="followup_id",
        ),
        **{f"{one}/{action}": _post(title) for action, title in _CHANGES.items()},
    }


_CHANGES = {
    "take": "Take a follow-up",
    "done": "Mark a follow-up done",
    "reopen": "Open a follow-up again that was marked done",
    "note": "Note something on a follow-up",
}
_ALL_CALLS = "All calls that match the filters, newest first, without a limit."
_ALL_DIALS = "All dials that match the filters, newest first, without a limit."


def _get(
    title: str, description: str, query: type[BaseModel], content: dict[str, Any], path: str = ""
) -> dict[str, Any]:
    problems = dict(_PROBLEMS, **({"404": "It does not exist."} if path else {}))
    parameters = _query_parameters(query)
    if path:
        about = {"name": path, "in": "path", "required": True, "description": _PATH_PARAMETERS[path]}
        digits = {"pattern": "^[0-9]{1,18}$"} if path == "followup_id" else {}
        parameters.insert(0, {**about, "schema": {"type": "string", **digits}})
    return {
        "get": {
            "operationId": title.lower().replace(" ", "_"),
            "summary": title,
            "description": description,
            "parameters": parameters,
            "responses": {
                "200": {"description": title, "content": content},
                **{status: _problem(reason) for status, reason in sorted(problems.items())},
            },
        }
    }


def _post(title: str) -> dict[str, Any]:
    """Return a path that changes a follow-up; a change that does not fit its state changes nothing."""
    operation: dict[str, Any] = _get(title, "", queries.NoQuery, _json(followups.FollowupView), path="followup_id")[
        "get"
    ]
    operation["requestBody"] = {"required": False, "content": _json(followups.FollowupNoteView)}
    return {"post": operation}


def _query_parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    schema = query.model_json_schema(ref_template=_REF)
    definitions = schema.get("$defs", {})
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": of.pop("description", ""),
            "schema": _inline(of, definitions),
        }
        for name, of in schema.get("properties", {}).items()
    ]


def _inline(of: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter's schema without references and without null, which no URL can carry."""
    of.pop("title", None)
    choices = [one for one in of.pop("anyOf", []) if one.get("type") != "null"]
    if of.get("default", "") is None:
        del of["default"]
    inlined = {**of, **(choices[0] if choices else {})}
    if reference := inlined.pop("$ref", ""):
        enum = definitions[reference.rpartition("/")[2]]
        inlined.update(type=enum["type"], enum=enum["enum"])
    return inlined


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}


def _problem(reason: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=models.ProblemView.__name__)}
    return {"description": reason, "content": {"application/problem+json": {"schema": schema}}}
