"""Who may see the pages: the link, the form, the session and its end, and wrong tokens."""

import re
from pathlib import Path

import pytest

from tests.reports.conftest import REPORTS_TOKEN, Caller, make_caller

PAGES = ("/", "/calls/x", "/calls.csv", "/docs")


def csrf_of(page: str) -> str:
    """Return the token that the page's forms send back."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


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
def test_a_login_never_leads_to_another_host(lite_caller: Caller, following: str) -> None:
    response = lite_caller.client.post("/login", data={"token": REPORTS_TOKEN, "next": following})

    assert response.location == "/"


@pytest.mark.parametrize(
    ("public_url", "base_url", "is_secure"),
    [
        ("", "https://localhost", True),
        ("", "http://localhost", False),
        # A TLS proxy that passes neither scheme nor host on.
        ("https://calls.example.com", "http://127.0.0.1:5000", True),
        ("https://calls.example.com:8443/voice", "http://upstream", True),
        ("http://calls.example.com", "http://127.0.0.1:5000", False),
        ("https://localhost:5001", "http://127.0.0.1:5000", False),
        ("https://[::1]", "http://127.0.0.1:5000", False),
    ],
)
def test_the_cookie_is_for_https_alone_where_the_pages_are(
    sqlite_url: str, tmp_path: Path, public_url: str, base_url: str, is_secure: bool
) -> None:
    with make_caller(sqlite_url, tmp_path, PUBLIC_URL=public_url) as caller:
        response = caller.client.get(f"/login?token={REPORTS_TOKEN}", base_url=base_url)

    assert ("Secure" in response.headers["Set-Cookie"]) is is_secure


@pytest.mark.parametrize(
    ("public_url", "base_url", "is_sent"),
    [
        ("https://calls.example.com", "http://upstream", True),
        ("", "https://calls.example.com", True),
        ("", "http://calls.example.com", False),
        ("", "https://localhost", False),
        ("https://localhost:5001", "http://upstream", False),
    ],
)
def test_browsers_are_told_to_stay_with_https_but_on_this_machine(
    sqlite_url: str, tmp_path: Path, public_url: str, base_url: str, is_sent: bool
) -> None:
    with make_caller(sqlite_url, tmp_path, PUBLIC_URL=public_url) as caller:
        response = caller.client.get("/login", base_url=base_url)

    assert ("Strict-Transport-Security" in response.headers) is is_sent


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\na\r\n--x--',
            415,
        ),
        ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"a=b&" * 1_025, 413),
        ("application/x-www-form-urlencoded", b"token=" + b"%41" * 20_000, 413),
    ],
)
def test_a_form_that_costs_much_is_refused_unread(
    lite_caller: Caller, path: str, kind: str, body: bytes, status: int
) -> None:
    assert lite_caller.client.post(path, data=body, content_type=kind).status_code == status


def test_a_wrong_token_opens_nothing(lite_caller: Caller) -> None:
    response = lite_caller.client.post("/login", data={"token": "wrong"})

    assert response.status_code == 403
    assert lite_caller.client.get("/").status_code == 401


def test_guesses_are_slowed_and_the_right_token_still_opens(lite_caller: Caller) -> None:
    guesses = [lite_caller.client.post("/login", data={"token": "wrong"}) for _ in range(12)]

    assert [guess.status_code for guess in guesses] == [403] * 10 + [429] * 2
    assert guesses[-1].headers["Retry-After"] == "60"
    assert lite_caller.client.post("/login", data={"token": REPORTS_TOKEN}).status_code == 303
    assert lite_caller.client.get(f"/login?token={REPORTS_TOKEN}").status_code == 303
    assert lite_caller.ask("dials").status_code == 200


def test_every_wrong_token_is_counted_and_the_log_is_bounded(
    lite_caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        lite_caller.client.get("/api/v1/dials", headers={"Authorization": "Bearer a-guess"})
    lite_caller.client.get("/login?token=a-guess", environ_overrides={"REMOTE_ADDR": "192.0.2.7"})

    counted = lite_caller.services.meter.total()
    lines = [record for record in caplog.records if record.msg == "wrong_token"]
    assert (counted["wrong_tokens_total", "bearer"], counted["wrong_tokens_total", "link"]) == (100, 1)
    assert (vars(lines[0])["way"], vars(lines[0])["address"]) == ("bearer", "127.0.0.1")
    assert len(lines) == 60
    assert "a-guess" not in caplog.text


def test_logging_out_ends_the_session_also_for_a_copied_cookie(lite_caller: Caller) -> None:
    page = lite_caller.log_in()
    copied = lite_caller.client.get_cookie("dialstatus_session")
    assert copied
    other = lite_caller.app.test_client()
    other.get(f"/login?token={REPORTS_TOKEN}")

    lite_caller.client.post("/logout", data={"csrf": csrf_of(page)})

    assert lite_caller.client.get("/").status_code == 401
    thief = lite_caller.app.test_client()
    thief.set_cookie("dialstatus_session", copied.value)
    assert thief.get("/").status_code == 401
    assert thief.get("/api/v1/dials").status_code == 401
    assert other.get("/").status_code == 200


def test_logging_out_ends_the_session_on_every_node(caller: Caller, database_url: str, tmp_path: Path) -> None:
    page = caller.log_in()
    copied = caller.client.get_cookie("dialstatus_session")
    assert copied
    key = caller.services.config.secret_key
    with make_caller(database_url, tmp_path / "another-node", SECRET_KEY=key) as node:
        node.client.set_cookie("dialstatus_session", copied.value)
        before = node.client.get("/").status_code

        caller.client.post("/logout", data={"csrf": csrf_of(page)})

        assert (before, node.client.get("/").status_code) == (200, 401)
        assert node.client.get("/api/v1/dials").status_code == 401


def test_another_site_cannot_log_somebody_out(lite_caller: Caller) -> None:
    lite_caller.log_in()

    response = lite_caller.client.post("/logout", data={"csrf": "guessed"})

    assert response.status_code == 400
    assert lite_caller.client.get("/").status_code == 200


@pytest.mark.parametrize("path", ["/login", "/logout", "/theme"])
def test_a_form_from_another_site_is_refused(lite_caller: Caller, path: str) -> None:
    page = lite_caller.log_in()

    response = lite_caller.client.post(
        path, data={"csrf": csrf_of(page), "token": REPORTS_TOKEN}, headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert response.status_code == 403
    assert lite_caller.client.get("/").status_code == 200


def test_a_new_token_ends_the_sessions_of_the_old_one(lite_caller: Caller, sqlite_url: str, tmp_path: Path) -> None:
    lite_caller.log_in()
    cookie = lite_caller.client.get_cookie("dialstatus_session")
    assert cookie

    with make_caller(sqlite_url, tmp_path, REPORTS_TOKEN="another-reports-token") as renewed:
        renewed.client.set_cookie("dialstatus_session", cookie.value)

        assert renewed.client.get("/").status_code == 401


def test_the_cookie_holds_nothing_from_which_the_token_can_be_guessed(sqlite_url: str, tmp_path: Path) -> None:
    marks = []
    for key in ("a-first-secret-key", "a-second-secret-key"):
        with make_caller(sqlite_url, tmp_path, SECRET_KEY=key) as caller:
            caller.log_in()
            with caller.client.session_transaction() as session:
                marks.append(session["token_mark"])

    assert marks[0] != marks[1]  # The token alone does not decide it.


def test_every_response_tells_the_browser_to_trust_nothing_else(lite_caller: Caller) -> None:
    lite_caller.log_in()

    for path in ("/", "/login", "/calls/x", "/assets/reports.css", "/api/v1/dials"):
        with lite_caller.client.get(path) as response:
            headers = response.headers
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "path", ["/", "/calls.csv", "/docs", "/api/v1/dials", "/api/v1/dials.csv", "/api/v1/dials.jsonl"]
)
def test_nothing_about_calls_is_cached(lite_caller: Caller, path: str) -> None:
    lite_caller.log_in()

    assert lite_caller.client.get(path).headers["Cache-Control"] == "no-store"


def test_a_session_reads_the_api_too(lite_caller: Caller) -> None:
    lite_caller.log_in()

    assert lite_caller.client.get("/api/v1/dials").status_code == 200


def test_the_colours_are_remembered(lite_caller: Caller) -> None:
    page = lite_caller.log_in()

    response = lite_caller.client.post("/theme", data={"csrf": csrf_of(page), "theme": "dark", "next": "/?range=7d"})

    assert response.location == "/?range=7d"
    assert 'data-bs-theme="dark"' in lite_caller.client.get("/").text
