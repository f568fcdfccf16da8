"""Errors are designed pages for people and problem documents for programs, whatever went wrong."""

import pytest

from tests.reports.conftest import REPORTS_TOKEN, Caller

TOKEN = {"Authorization": f"Bearer {REPORTS_TOKEN}"}


def test_an_unknown_address_is_a_page_that_leads_back(lite_caller: Caller) -> None:
    lite_caller.log_in()

    response = lite_caller.client.get("/nothing-here")

    assert response.status_code == 404
    assert "There is no page at this address" in response.text
    assert 'href="/"' in response.text
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_stranger_sees_no_navigation_on_an_error_page(lite_caller: Caller) -> None:
    response = lite_caller.client.get("/nothing-here")

    assert response.status_code == 404
    assert "Log out" not in response.text


def test_a_method_that_a_page_does_not_take_is_a_page_with_the_methods_it_takes(lite_caller: Caller) -> None:
    response = lite_caller.client.put("/login")

    assert response.status_code == 405
    assert "does not take PUT" in response.text
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_a_failure_of_ours_is_a_page_that_names_the_request_and_hides_the_inside(lite_caller: Caller) -> None:
    lite_caller.app.add_url_rule("/broken", view_func=lambda: str(1 // 0), endpoint="broken")

    response = lite_caller.client.get("/broken", headers={"X-Request-ID": "a-request-to-find"})

    assert response.status_code == 500
    assert "Something went wrong on our side" in response.text
    assert "a-request-to-find" in response.text
    assert "ZeroDivisionError" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("DELETE", "/api/v1/calls", 405), ("POST", "/openapi.json", 405), ("GET", "/api/v2/calls", 404)],
)
def test_an_error_below_the_api_is_a_problem_document(lite_caller: Caller, method: str, path: str, status: int) -> None:
    response = lite_caller.client.open(path, method=method, headers=TOKEN)

    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    assert response.json is not None
    assert response.json["status"] == status
    assert (status == 405) == ("GET" in response.headers.get("Allow", ""))
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_failure_below_the_api_is_a_problem_document(lite_caller: Caller) -> None:
    lite_caller.app.add_url_rule("/api/v1/broken", view_func=lambda: str(1 // 0), endpoint="broken")

    response = lite_caller.client.get("/api/v1/broken", headers=TOKEN)

    assert response.status_code == 500
    assert response.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("header", "said", "error"),
    [
        (None, "The Authorization header is missing.", None),
        ("Basic YTpi", "The Authorization header holds no bearer token.", None),
        ("Bearer something-else", "The bearer token is wrong.", 'error="invalid_token"'),
    ],
)
def test_a_missing_and_a_wrong_token_are_different_problems(
    lite_caller: Caller, header: str | None, said: str, error: str | None
) -> None:
    response = lite_caller.client.get("/api/v1/calls", headers={"Authorization": header} if header else {})

    assert response.status_code == 401
    assert response.json is not None
    assert response.json["detail"].startswith(said)
    assert "Authorization: Bearer" in response.json["detail"]
    challenge = response.headers["WWW-Authenticate"]
    assert error in challenge if error else "error=" not in challenge


def test_the_description_of_the_api_is_open(lite_caller: Caller) -> None:
    response = lite_caller.client.get("/openapi.json")

    assert response.status_code == 200
    assert REPORTS_TOKEN not in response.text


@pytest.mark.parametrize("path", ["/", "/api/v1/calls", "/nowhere"])
def test_a_host_that_is_none_gets_a_plain_refusal(lite_caller: Caller, path: str) -> None:
    response = lite_caller.client.get(path, headers={"Host": "x" * 70})

    assert (response.status_code, response.mimetype) == (400, "text/plain")
    assert "Host header" in response.text


def test_a_missing_page_has_the_navigation_of_its_viewer(lite_caller: Caller) -> None:
    assert 'href="/events"' not in lite_caller.client.get("/nothing-here").text

    lite_caller.log_in()

    assert 'href="/events"' in lite_caller.client.get("/nothing-here").text
