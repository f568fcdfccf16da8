"""A webhook takes a shorter way through Flask, and leaves nothing of itself behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response, g, has_app_context, has_request_context, request
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from app import create_app
from app.context import EXTENSION
from app.dial.deferred_response import DeferredResponse
from app.dial.request import Request
from app.records.store import migrate
from app.records.writing.entry import Entry
from config import Config


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """Make an application that writes down what each request saw of Flask."""
    app = create_app(Config.load({"INSTANCE_DIR": str(tmp_path), "DIAL_TO": "+14155550123"}))
    migrate.upgrade(app.extensions[EXTENSION].store)
    app.config["SEEN"] = seen = []

    @app.before_request
    def see() -> None:
        seen.append((request.path, request.endpoint, g.get("mine")))
        g.mine = request.path

    yield app
    app.extensions[EXTENSION].journal.close()


def test_a_webhook_finds_its_own_request_and_leaves_none_behind(app: Flask) -> None:
    for path, endpoint in (("/dialstatus/", "dial.answer"), ("/dialstatus/hangup/", "dial.hangup")):
        assert app.test_client().post(path, data={"CallUUID": "a-call"}).status_code == 200
        path_seen, endpoint_seen, mine = app.config["SEEN"].pop()
        assert (path_seen, endpoint_seen, mine) == (path, endpoint, None)

    assert not has_request_context()
    assert not has_app_context()


def test_within_another_context_that_one_is_there_again_afterwards(app: Flask) -> None:
    with app.test_request_context("/elsewhere"):
        g.mine = "outer"
        app.test_client().post("/dialstatus/", data={"CallUUID": "a-call"})

        assert (g.mine, request.path) == ("outer", "/elsewhere")
    assert app.config["SEEN"][-1][2] is None


def test_a_webhook_is_the_same_request_as_werkzeug_makes() -> None:
    environ = EnvironBuilder(
        "/dialstatus/action/",
        "https://calls.example.com:8443",
        query_string="dial=a%20dial&step=\xe9",
        method="POST",
        data={"From": "+14155550100"},
        headers=Headers({"X-Request-ID": "abc"}),
        content_type="application/x-www-form-urlencoded; charset=utf-8",
        environ_base={"REMOTE_ADDR": "127.0.0.1"},
    ).get_environ()
    ours, theirs = Request.of_plain(dict(environ)), Request(dict(environ), populate_request=False)

    for name in (*vars(theirs).keys() - {"environ", "headers"}, "url", "host", "full_path", "args", "mimetype"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert vars(ours).keys() == vars(theirs).keys()
    assert (list(ours.headers), ours.environ) == (list(theirs.headers), environ)
    assert ours.form.to_dict() == {"From": "+14155550100"}


@pytest.mark.parametrize("status", [200, 503])
def test_a_reply_to_be_finished_later_is_the_same_response_as_werkzeug_makes(app: Flask, status: int) -> None:
    ours = DeferredResponse(
        app.extensions[EXTENSION].journal, Entry(()), lambda _: None, otherwise="<Ä/>", status=status
    )
    again = DeferredResponse(app.extensions[EXTENSION].journal, Entry(()), lambda _: None, otherwise="", status=status)
    theirs = Response("<Ä/>", status=status, content_type="application/xml")

    ours.headers["X-Mine"] = "1"
    assert vars(ours).keys() >= vars(theirs).keys()
    assert (ours.status, ours.status_code, ours.get_data()) == (theirs.status, status, theirs.get_data())
    assert (ours.content_type, ours.direct_passthrough) == (theirs.content_type, theirs.direct_passthrough)
    assert "X-Mine" not in again.headers


@pytest.mark.parametrize("text", [None, "<Grüße/>"])
def test_a_reply_tells_its_length_once(app: Flask, text: str | None) -> None:
    def decide(response: DeferredResponse) -> None:
        if text:
            response.set_data(text)

    reply = DeferredResponse(app.extensions[EXTENSION].journal, Entry(()), decide, otherwise="<Response/>")
    told: list[tuple[str, str]] = []
    reply.finish()
    [body] = reply.start(lambda _status, headers: told.extend(headers))

    assert body == (text or "<Response/>").encode()
    assert [value for name, value in told if name == "Content-Length"] == [str(len(body))]


def test_a_view_that_fails_leaves_no_context_behind(app: Flask) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    app.before_request_funcs[None].append(fail)

    reply = app.test_client().post("/dialstatus/", data={"CallUUID": "a-call"})

    assert (reply.status_code, reply.text) == (500, "<Response/>")
    assert not has_request_context()
    assert not has_app_context()


def test_flasks_test_client_may_look_at_a_webhook_afterwards(app: Flask) -> None:
    with app.test_client() as client:
        client.post("/dialstatus/", data={"CallUUID": "a-call"})

        assert (request.path, g.mine) == ("/dialstatus/", "/dialstatus/")
    assert not has_request_context()
