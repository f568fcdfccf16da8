"""What goes wrong before a route is asked is answered in XML on Plivo's routes, and as a page elsewhere."""

from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from config import Config


def broken() -> str:
    """Fail as a view does that nobody thought of."""
    raise ZeroDivisionError


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """Make an application with two views that break."""
    app = create_app(Config.load({"INSTANCE_DIR": str(tmp_path), "DIAL_TO": "+14155550123"}))
    for path in ("/dialstatus/broken/", "/broken/"):
        app.add_url_rule(path, endpoint=path, view_func=broken)
    return app


def test_an_unexpected_error_is_500_in_xml_and_logged(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    reply = app.test_client().get("/dialstatus/broken/")

    assert (reply.status_code, reply.content_type, reply.text) == (500, "application/xml", "<Response/>")
    [record] = [record for record in caplog.records if record.message == "request_failed"]
    assert record.exc_info


def test_elsewhere_it_is_a_page_that_tells_nothing_of_the_inside(app: Flask) -> None:
    reply = app.test_client().get("/broken/")

    assert reply.status_code == 500
    assert "ZeroDivisionError" not in reply.text


def test_a_method_that_is_not_taken_is_405_and_names_those_that_are(app: Flask) -> None:
    reply = app.test_client().delete("/dialstatus/action/")

    assert (reply.status_code, reply.text) == (405, "<Response/>")
    assert reply.headers["Allow"] == "GET, HEAD, POST"
