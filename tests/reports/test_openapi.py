"""The OpenAPI document describes what the API does."""

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import Case
from werkzeug.serving import make_server

from app.reports.api import routes as api_routes
from app.reports.api.openapi import make_document
from tests.reports.conftest import REPORTS_TOKEN, Caller

TOKEN = {"Authorization": f"Bearer {REPORTS_TOKEN}"}


def test_the_document_is_made_once_and_names_the_url_of_each_request(lite_caller: Caller) -> None:
    first = lite_caller.client.get("/openapi.json", base_url="http://calls.example.com").text
    made = api_routes.document_text.cache_info().misses

    second = lite_caller.client.get("/openapi.json", base_url="http://127.0.0.1:5000").text

    assert api_routes.document_text.cache_info().misses == made
    assert "http://calls.example.com/api" in first
    assert second == first.replace("http://calls.example.com", "http://127.0.0.1:5000")


def test_the_document_names_every_route(lite_caller: Caller) -> None:
    document = lite_caller.client.get("/openapi.json").json

    assert document
    assert document["openapi"].startswith("3.1")
    routes = {
        re.sub(r"<(?:[\w()=]+:)?(\w+)>", r"{\1}", str(rule))
        for rule in lite_caller.app.url_map.iter_rules()
        if str(rule).startswith("/api/v1/")
    }
    assert set(document["paths"]) == routes


def test_the_documentation_page_explains_every_parameter(lite_caller: Caller) -> None:
    lite_caller.client.get(f"/login?token={REPORTS_TOKEN}")

    page = lite_caller.client.get("/docs").text

    for method in make_document()["paths"].values():
        for parameter in next(iter(method.values()))["parameters"]:
            assert parameter["name"] in page
            assert parameter["description"]
    assert "`" not in page
    assert "<code>next_cursor</code>" in page


@pytest.fixture
def api_schema(lite_caller: Caller) -> Iterator[Any]:
    """Serve an application with some dials; yield its document as served over HTTP."""
    lite_caller.ended_call("busy", DialHangupCause="USER_BUSY")
    lite_caller.ended_call("no-answer")
    lite_caller.call()
    server = make_server("127.0.0.1", 0, lite_caller.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json", headers=TOKEN)
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_response_is_one_that_the_document_describes(api_schema: Any) -> None:
    operations = 0
    for found in api_schema.get_all_operations():
        operation = found.ok()

        @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def conforms(case: Case[Any]) -> None:
            query = case.query or {}
            assume(query.get("unit") != "dials" or not query.keys() & {"direction", "reason", "has_message"})
            case.call_and_validate(headers=TOKEN)

        conforms()
        operations += 1
    assert operations == len(make_document()["paths"])
