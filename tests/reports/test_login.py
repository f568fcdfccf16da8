"""Who may see the pages: the link, the form, the cookie, its end, and who guesses."""

import re

import pytest

from tests.reports.conftest import REPORTS_TOKEN, Caller

PAGES = ("/", "/live", "/calls/x")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_for_the_token_first(lite_caller: Caller, path: str) -> None:
    response = lite_caller.client.get(path)

    assert response.status_code == 401
    assert 'name="token"' in response.text


def test_the_printed_link_opens_a_session_and_leaves_the_address(lite_caller: Caller) -> None:
    response = lite_caller.client.get(f"/login?token={REPORTS_TOKEN}")

    assert response.status_code == 303
    assert response.location == "/"
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert REPORTS_TOKEN not in cookie
    assert lite_caller.client.get("/").status_code == 200


def test_the_form_leads_to_the_page_that_was_asked_for(lite_caller: Caller) -> None:
    form = lite_caller.client.get("/?range=30d").text
    following = re.search(r'name="next" value="([^"]*)"', form)
    assert following

    response = lite_caller.client.post("/login", data={"token": REPORTS_TOKEN, "next": following[1]})

    assert response.location == "/?range=30d"


@pytest.mark.parametrize("following", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1", ""])
def test_a_login_leads_to_no_other_host(lite_caller: Caller, following: str) -> None:
    response = lite_caller.client.post("/login", data={"token": REPORTS_TOKEN, "next": following})

    assert response.location == "/"


def test_over_https_the_cookie_is_for_https_alone(lite_caller: Caller) -> None:
    response = lite_caller.client.get(f"/login?token={REPORTS_TOKEN}", base_url="https://localhost")

    assert "Secure" in response.headers["Set-Cookie"]


def test_a_wrong_token_opens_nothing(lite_caller: Caller) -> None:
    response = lite_caller.client.post("/login", data={"token": "wrong"})

    assert response.status_code == 403
    assert lite_caller.client.get("/").status_code == 401


def test_who_guesses_is_refused_even_the_right_token_for_a_while(lite_caller: Caller) -> None:
    somebody = {"REMOTE_ADDR": "192.0.2.7"}
    for _ in range(10):
        lite_caller.client.post("/login", data={"token": "wrong"}, environ_overrides=somebody)

    refused = lite_caller.client.post("/login", data={"token": REPORTS_TOKEN}, environ_overrides=somebody)
    elsewhere = lite_caller.client.post("/login", data={"token": REPORTS_TOKEN})

    assert refused.status_code == 429
    assert refused.headers["Retry-After"]
    assert elsewhere.status_code == 303


def test_logging_out_ends_the_session(lite_caller: Caller) -> None:
    page = logged_in(lite_caller)
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf

    lite_caller.client.post("/logout", data={"csrf": csrf[1]})

    assert lite_caller.client.get("/").status_code == 401


def test_another_site_cannot_log_somebody_out(lite_caller: Caller) -> None:
    logged_in(lite_caller)

    response = lite_caller.client.post("/logout", data={"csrf": "guessed"})

    assert response.status_code == 400
    assert lite_caller.client.get("/").status_code == 200


def test_a_session_of_an_old_token_is_over(lite_caller: Caller) -> None:
    logged_in(lite_caller)
    with lite_caller.client.session_transaction() as session:
        session["opened_by"] = "0" * 32

    assert lite_caller.client.get("/").status_code == 401


def test_every_answer_tells_the_browser_to_trust_nothing_else(lite_caller: Caller) -> None:
    logged_in(lite_caller)

    for path in ("/", "/login", "/calls/x", "/assets/reports.css", "/api/v1/dials"):
        with lite_caller.client.get(path) as response:
            headers = response.headers
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


def test_a_session_reads_the_api_too(lite_caller: Caller) -> None:
    logged_in(lite_caller)

    assert lite_caller.client.get("/api/v1/dials").status_code == 200


def test_the_look_is_remembered(lite_caller: Caller) -> None:
    page = logged_in(lite_caller)
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf

    response = lite_caller.client.post("/theme", data={"csrf": csrf[1], "theme": "dark", "next": "/?range=7d"})

    assert response.location == "/?range=7d"
    assert 'data-bs-theme="dark"' in lite_caller.client.get("/").text


def logged_in(caller: Caller) -> str:
    """Log in; give the dashboard."""
    caller.client.get(f"/login?token={REPORTS_TOKEN}")
    return caller.client.get("/").text
