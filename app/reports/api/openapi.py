"""The OpenAPI document, made from the models that the code itself reads and writes with."""

from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.reports.api import schemas

Mode = Literal["validation", "serialization"]
_REF = "#/components/schemas/{model}"
_ANSWERS: list[type[BaseModel]] = [schemas.Dials, schemas.Dial, schemas.WholeCall, schemas.Summary, schemas.Problem]
_NAMED = {
    "dial_id": "The dial's `dial_id`, as the list of dials has it.",
    "call_uuid": "The call's UUID, as Plivo named it.",
}
_PROBLEMS = {
    "400": "A parameter that is not known, or a value that cannot be used.",
    "401": "The token is missing or wrong.",
    "503": "The store cannot be read at the moment.",
}


def make_document(title_url: str = "/") -> dict[str, Any]:
    """Make the document. `title_url` is where the API is served."""
    definitions = models_json_schema([(model, "serialization") for model in _ANSWERS], ref_template=_REF)[1]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dialstatus",
            "version": "1",
            "description": "What happened to every call. Times are RFC 3339 in UTC; what is not known is null.",
        },
        "servers": [{"url": title_url}],
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The value of REPORTS_TOKEN."}
            },
        },
    }


def _paths() -> dict[str, Any]:
    dials = "Dials, newest first, a page at a time. A page may hold fewer than `limit` and not be the last."
    files = "Every dial that is wanted, newest first, without a limit."
    return {
        "/api/v1/dials": _get("List dials", dials, schemas.DialsQuery, _json(schemas.Dials)),
        "/api/v1/dials.csv": _get("Dials as CSV", files, schemas.Filters, {"text/csv": {"schema": {"type": "string"}}}),
        "/api/v1/dials.jsonl": _get(
            "Dials as JSON lines", files, schemas.Filters, {"application/jsonl": {"schema": {"type": "string"}}}
        ),
        "/api/v1/dials/{dial_id}": _get("One dial", "", schemas.Nothing, _json(schemas.Dial), named="dial_id"),
        "/api/v1/calls/{call_uuid}": _get(
            "One call with everything about it", "", schemas.Nothing, _json(schemas.WholeCall), named="call_uuid"
        ),
        "/api/v1/summary": _get(
            "Count dials",
            "By target, a dial that somebody answered counts for who answered, any other for everybody it rang.",
            schemas.SummaryQuery,
            _json(schemas.Summary),
        ),
    }


def _get(title: str, said: str, query: type[BaseModel], content: dict[str, Any], named: str = "") -> dict[str, Any]:
    problems = dict(_PROBLEMS, **({"404": "There is none."} if named else {}))
    schema = {"type": "string"}
    path = {"name": named, "in": "path", "required": True, "description": _NAMED.get(named, ""), "schema": schema}
    return {
        "get": {
            "operationId": title.lower().replace(" ", "_"),
            "summary": title,
            "description": said,
            "parameters": [*([path] if named else []), *_parameters(query)],
            "responses": {
                "200": {"description": title, "content": content},
                **{status: _problem(reason) for status, reason in sorted(problems.items())},
            },
        }
    }


def _parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    schema = query.model_json_schema(ref_template=_REF)
    definitions = schema.get("$defs", {})
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": of.pop("description", ""),
            "schema": _plain(of, definitions),
        }
        for name, of in schema.get("properties", {}).items()
    ]


def _plain(of: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Write a parameter's schema out: in a URL nothing can be null, and nothing refers elsewhere."""
    of.pop("title", None)
    choices = [one for one in of.pop("anyOf", []) if one.get("type") != "null"]
    if of.get("default", "") is None:
        del of["default"]
    plain = {**of, **(choices[0] if choices else {})}
    if reference := plain.pop("$ref", ""):
        enum = definitions[reference.rpartition("/")[2]]
        plain.update(type=enum["type"], enum=enum["enum"])
    return plain


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}


def _problem(reason: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=schemas.Problem.__name__)}
    return {"description": reason, "content": {"application/problem+json": {"schema": schema}}}
