"""A webhook takes a shorter way through Flask, and leaves nothing of itself behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, g, has_app_context, has_request_context, request

from app import create_app
from app.context import EXTENSION
from app.records.store import migrate
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


def test_a_path_that_reads_like_a_rule_with_a_variable_is_matched_as_any_other(app: Flask) -> None:
    assert app.test_client().get("/dialstatus/music/<name>").status_code == 404


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
