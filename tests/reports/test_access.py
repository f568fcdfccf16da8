"""Named tokens and share links: what each shows and does, and that nothing goes beyond its bounds."""

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.cli.group import add_commands
from app.context import Viewer
from app.records.model.ids import now
from app.records.reading.scope import Scope
from app.records.writing.access_tokens import Role, add_token
from app.reports.access import permissions
from app.reports.access.viewers import make_named_token, make_share
from app.reports.pages.formatting import number
from tests.reports.conftest import REPORTS_TOKEN, Caller, make_caller

PLAN = """
[routes.sales]
called = ["+14155550111"]
[routes.sales.steps.first]
ring = ["+14155550123"]

[routes.help]
[routes.help.steps.first]
ring = ["+14155550124"]
"""
SALES, HELP = "+14155550111", "+14155550100"
# Only calls of the other route hold these.
HIDDEN = ("+14155550177", "14155550177", "0177", "+14155550124")


@pytest.fixture
def calls(sqlite_url: str, tmp_path: Path) -> Iterator[Caller]:
    """Yield a caller of an application with two routes, a call of each, and a message for the second."""
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    with make_caller(sqlite_url, tmp_path, DIAL_PLAN=str(plan)) as caller:
        add_commands(caller.app)
        for called, number in ((SALES, "+14155550166"), (HELP, "+14155550177")):
            uuid, _ = caller.ended_call("no-answer", number, called, DialRingStatus="true")
            caller.post("/dialstatus/hangup/", CallUUID=uuid, From=number, To=called, CallStatus="completed")
        yield caller


def flask(caller: Caller, *words: str) -> Result:
    """Run a command of this application."""
    return caller.app.test_cli_runner().invoke(args=words)


def token_of(caller: Caller, *words: str) -> str:
    """Add a named token and return it."""
    result = flask(caller, "access", "add", *words)
    assert result.exit_code == 0, result.output
    found = re.search(r"^  (ds_\S+)$", result.output, re.MULTILINE)
    assert found
    return found[1]


def ask(caller: Caller, path: str, token: str, **query: str) -> TestResponse:
    """Ask the API with a token, in a client without cookies."""
    client = caller.app.test_client(use_cookies=False)
    return client.get(path, query_string=query or None, headers={"Authorization": f"Bearer {token}"})


def session_of(caller: Caller, token: str) -> FlaskClient:
    """Return a browser that a token has logged in."""
    client = caller.app.test_client()
    assert client.get(f"/login?token={token}").status_code == 303
    return client


def call_uuids(caller: Caller) -> tuple[str, str]:
    """Return the UUIDs of the call for sales and of the call for help."""
    found = {call["route"]: call["call_uuid"] for call in caller.read("calls")["calls"]}
    return found["sales"], found["help"]


def test_a_token_is_printed_once_and_stored_as_its_hash(calls: Caller) -> None:
    token = token_of(calls, "anna")

    listed = flask(calls, "access", "list").output
    stored = (Path(calls.services.config.instance_dir).parent).rglob("*.db*")

    assert "anna" in listed
    assert token not in listed
    assert all(token.encode() not in file.read_bytes() for file in stored if file.is_file())


def test_a_token_reads_until_it_is_revoked_and_its_sessions_end_with_it(calls: Caller) -> None:
    token = token_of(calls, "anna")
    browser = session_of(calls, token)
    before = (ask(calls, "/api/v1/calls", token).status_code, browser.get("/").status_code)

    revoked = flask(calls, "access", "revoke", "anna")

    assert before == (200, 200)
    assert revoked.exit_code == 0
    assert (ask(calls, "/api/v1/calls", token).status_code, browser.get("/").status_code) == (401, 401)


def test_a_new_token_of_the_same_name_opens_no_session_of_the_old_one(calls: Caller) -> None:
    browser = session_of(calls, token_of(calls, "anna"))
    flask(calls, "access", "revoke", "anna")

    token_of(calls, "anna")

    assert browser.get("/").status_code == 401


def test_an_expired_token_opens_nothing(calls: Caller) -> None:
    with calls.app.app_context():
        token = make_named_token("anna", "x")
    store, until = calls.services.store, now() - 1
    add_token(store, "anna", token, role=Role.READ, routes=None, until=until, actor="cli")

    assert ask(calls, "/api/v1/calls", token).status_code == 401
    assert "expired" in flask(calls, "access", "list").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["anna", "--route", "nowhere"], "the plan has no route nowhere; its routes are help, sales"),
        (["anna", "--role", "admin", "--route", "sales"], "an admin sees all routes"),
        (["anna", "--until", "2001-01-01"], "has passed; write a later date"),
        (["anna", "--until", "soon"], "is neither a date such as 2026-12-31 nor a number of days"),
        (["a b"], "is not a name"),
    ],
)
def test_a_token_that_would_not_do_what_is_meant_is_refused(calls: Caller, words: list[str], said: str) -> None:
    result = flask(calls, "access", "add", *words)

    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_a_name_is_given_once(calls: Caller) -> None:
    token_of(calls, "anna")

    result = flask(calls, "access", "add", "anna")

    assert (result.exit_code, "there is a token named anna" in result.output) == (1, True)


@pytest.mark.parametrize("token", ["ds_anna.guess", "ds_", "ds_anna.x.y", "ds_\udcff", "anna"])
def test_an_invented_token_is_refused_without_a_look_at_the_store(calls: Caller, token: str) -> None:
    for file in Path(calls.services.config.instance_dir).parent.rglob("*.db"):
        calls.services.store.close()
        file.rename(file.with_suffix(".away"))

    assert ask(calls, "/api/v1/calls", token.encode("utf-8", "replace").decode()).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/calls",
        "/api/v1/calls.csv",
        "/api/v1/calls.jsonl",
        "/api/v1/dials",
        "/api/v1/dials.csv",
        "/api/v1/dials.jsonl",
        "/api/v1/summary?group_by=number",
        "/api/v1/summary?group_by=target&unit=dials",
        "/api/v1/summary?group_by=route",
        "/api/v1/followups",
    ],
)
def test_a_token_of_one_route_reads_nothing_of_another(calls: Caller, path: str) -> None:
    everything = ask(calls, path, REPORTS_TOKEN).text
    seen = ask(calls, path, token_of(calls, "anna", "--route", "sales"))

    assert seen.status_code == 200
    assert seen.text != everything
    assert not [number for number in HIDDEN if number in seen.text]
    assert "4155550111" in seen.text or "sales" in seen.text or "0123" in seen.text


@pytest.mark.parametrize("asked", [{"route": "help"}, {"from": "+14155550177"}, {"q": "0177"}, {"to": HELP}])
@pytest.mark.parametrize("path", ["/api/v1/calls", "/api/v1/dials"])
def test_no_filter_leads_out_of_the_route(calls: Caller, path: str, asked: dict[str, str]) -> None:
    token = token_of(calls, "anna", "--route", "sales")

    [rows] = [value for value in (ask(calls, path, token, **asked).json or {}).values() if isinstance(value, list)]

    assert rows == []
    assert [value for value in (ask(calls, path, REPORTS_TOKEN, **asked).json or {}).values() if value]


def test_a_guessed_address_of_another_route_shows_nothing(calls: Caller) -> None:
    own, other = call_uuids(calls)
    [dial] = calls.read("dials", to=HELP)["dials"]
    token = token_of(calls, "anna", "--route", "sales")
    browser = session_of(calls, token)

    assert ask(calls, f"/api/v1/calls/{own}", token).status_code == 200
    assert ask(calls, f"/api/v1/calls/{other}", token).status_code == 404
    assert ask(calls, f"/api/v1/dials/{dial['dial_id']}", token).status_code == 404
    assert [browser.get(f"/calls/{uuid}").status_code for uuid in (own, other)] == [200, 404]


def test_the_pages_of_a_token_show_its_route_alone(calls: Caller) -> None:
    browser = session_of(calls, token_of(calls, "anna", "--route", "sales"))

    for path in ("/", "/?range=30d", "/calls.csv", "/?route=help", "/followups", "/messages"):
        page = browser.get(path)
        assert page.status_code == 200
        assert not [number for number in HIDDEN if number in page.text], path


def endpoints(caller: Caller) -> Iterator[tuple[str, str, str]]:
    """Yield endpoint, method and a path of everything but Plivo's routes and Bootstrap's files."""
    for rule in caller.app.url_map.iter_rules():
        if rule.endpoint.partition(".")[0] not in {"dial", "health", "bootstrap"}:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule.endpoint, method, re.sub(r"<[^>]+>", "1", rule.rule)


def test_what_is_not_permitted_is_refused(calls: Caller) -> None:
    reader = session_of(calls, token_of(calls, "anna", "--route", "sales"))
    worker = session_of(calls, token_of(calls, "ben", "--role", "work"))
    known = permissions.READ | permissions.WORK | permissions.OPEN
    refused = []
    for endpoint, method, path in endpoints(calls):
        if endpoint not in known:
            statuses = {one.open(path, method=method).status_code for one in (reader, worker)}
            assert statuses <= {401, 403}, (endpoint, method, statuses)
            refused.append(endpoint)

    assert {"metrics.metrics", "reports.welcome", "reports.start_test_call"} <= {*refused}
    assert known <= {endpoint for endpoint, _, _ in endpoints(calls)}


def test_no_form_works_without_the_csrf_token_of_its_session(calls: Caller) -> None:
    admin = session_of(calls, REPORTS_TOKEN)
    before = flask(calls, "access", "log").output, calls.read("followups"), admin.get("/").status_code
    posted = 0
    for endpoint, method, path in endpoints(calls):
        if method != "GET" and endpoint != "reports.login" and not endpoint.startswith("api."):
            for form in ({}, {"csrf": ""}, {"csrf": "guess"}):
                reply = admin.post(path, data={"action": "done", "theme": "dark", "route": "sales", **form})
                assert reply.status_code == 400, (endpoint, form)
                posted += 1

    assert posted >= 3 * 6
    assert (flask(calls, "access", "log").output, calls.read("followups"), admin.get("/").status_code) == before


def test_a_session_changes_nothing_through_the_api(calls: Caller) -> None:
    admin = session_of(calls, REPORTS_TOKEN)
    changing = [path for endpoint, method, path in endpoints(calls) if endpoint.startswith("api.") and method != "GET"]

    assert changing
    assert {admin.post(path.replace("any", "take")).status_code for path in changing} == {401}


def test_the_log_holds_what_people_did_about_follow_ups(calls: Caller) -> None:
    [_, one] = calls.read("followups")["followups"]
    worker = calls.app.test_client(use_cookies=False)
    bearer = {"Authorization": f"Bearer {token_of(calls, 'ben', '--role', 'work')}"}
    worker.post(f"/api/v1/followups/{one['followup_id']}/take", headers=bearer, json={"note": "after lunch"})

    newest = flask(calls, "access", "log").output.splitlines()[0]

    assert newest.split()[1:4] == ["ben", "followup.take", one["caller"]]
    assert "after lunch" in newest


def test_only_who_may_work_takes_a_follow_up_and_only_of_their_routes(calls: Caller) -> None:
    found = {one["route"]: one["followup_id"] for one in calls.read("followups")["followups"]}
    reader, worker = token_of(calls, "anna"), token_of(calls, "ben", "--role", "work", "--route", "sales")

    def take(token: str, route: str) -> int:
        client = calls.app.test_client(use_cookies=False)
        path = f"/api/v1/followups/{found[route]}/take"
        return client.post(path, headers={"Authorization": f"Bearer {token}"}).status_code

    assert [take(reader, "sales"), take(worker, "help"), take(worker, "sales")] == [403, 404, 200]
    assert {one["route"]: one["taken_by"] for one in calls.read("followups")["followups"]} == {
        "sales": "ben",
        "help": None,
    }
    assert ask(calls, f"/api/v1/followups/{found['help']}", worker).status_code == 404


def test_metrics_are_for_admins(calls: Caller) -> None:
    tokens = [token_of(calls, "anna"), token_of(calls, "carl", "--role", "admin"), REPORTS_TOKEN]

    assert [ask(calls, "/metrics", token).status_code for token in tokens] == [401, 200, 200]


def test_the_deliveries_of_events_and_their_figures_are_for_admins(calls: Caller) -> None:
    reader = session_of(calls, token_of(calls, "anna"))
    worker = session_of(calls, token_of(calls, "ben", "--role", "work"))
    admin = session_of(calls, token_of(calls, "carl", "--role", "admin"))

    assert [one.get("/events").status_code for one in (reader, worker, admin)] == [403, 403, 200]
    assert [one.get("/metrics").status_code for one in (reader, worker)] == [401, 401]  # It knows bearer tokens alone.


def share_of(caller: Caller, *words: str) -> str:
    """Make a share link and return its path."""
    result = flask(caller, "access", "share", *words)
    assert result.exit_code == 0, result.output
    found = re.search(r"(/share/\S+)", result.output)
    assert found
    return found[1]


def test_a_share_link_of_a_call_shows_that_call_and_nothing_else(calls: Caller) -> None:
    own, other = call_uuids(calls)
    browser = calls.app.test_client()

    opened = browser.get(share_of(calls, "--call", own), follow_redirects=True)

    assert (opened.status_code, opened.request.path) == (200, f"/calls/{own}")
    assert browser.get(f"/calls/{other}").status_code == 404
    for path in ("/", "/calls.csv", "/docs", "/api/v1/calls", f"/api/v1/calls/{own}", "/metrics"):
        assert browser.get(path).status_code in {401, 403}, path


def test_a_share_link_of_a_range_shows_that_range_alone(calls: Caller) -> None:
    own, other = call_uuids(calls)
    nobody, everybody = calls.app.test_client(), calls.app.test_client()

    nobody.get(share_of(calls, "--since", "2026-01-01", "--until", "2026-01-02"))
    everybody.get(share_of(calls, "--since", "1d", "--route", "sales"))

    assert "0166" not in nobody.get("/?range=30d").text
    assert nobody.get(f"/calls/{own}").status_code == 404
    assert "0166" in everybody.get("/?range=30d").text
    assert "0177" not in everybody.get("/?range=30d").text
    assert everybody.get(f"/calls/{other}").status_code == 404


def test_the_pages_show_no_button_or_link_that_the_viewer_may_not_use(calls: Caller) -> None:
    own, _ = call_uuids(calls)
    admin, worker, reader, guest = (calls.app.test_client() for _ in range(4))
    admin.get(f"/login?token={REPORTS_TOKEN}")
    worker.get(f"/login?token={token_of(calls, 'wilma', '--role', 'work')}")
    reader.get(f"/login?token={token_of(calls, 'rita')}")
    guest.get(share_of(calls, "--since", "1d"))

    routes = calls.app.url_map.bind("localhost")
    viewers = {
        worker: Viewer(name="wilma", role=Role.WORK),
        reader: Viewer(name="rita", role=Role.READ),
        guest: Viewer(name="guest", role=Role.READ, is_guest=True),
    }
    for client, viewer in viewers.items():
        for path in ("/?range=7d", f"/calls/{own}", "/followups", "/messages"):
            page = client.get(path).text
            shown = [("GET", address) for address in re.findall(r'href="(/[^"?#]*)', page)]
            shown += [("POST", address) for address in re.findall(r'method="post" action="(/[^"?#]*)', page)]
            shown += [("POST", address) for address in re.findall(r'action="(/[^"?#]*)[^"]*" method="post"', page)]
            endpoints = {routes.match(address, method=method)[0] for method, address in shown} - permissions.OPEN
            refused = {one for one in endpoints if not permissions.may_open(viewer, one)}
            assert refused - {"bootstrap.static"} == set(), (viewer.name, path)
    assert 'action="/switch"' in admin.get("/?range=7d").text
    assert 'action="/switch/phone"' in admin.get("/?range=7d").text
    assert 'value="take"' in worker.get(f"/calls/{own}").text
    assert 'value="take"' not in reader.get(f"/calls/{own}").text
    assert 'href="/events"' in admin.get("/followups").text


def test_a_guest_sees_until_when_the_link_is_open(calls: Caller) -> None:
    own, _ = call_uuids(calls)
    call, days = calls.app.test_client(), calls.app.test_client()
    until = f"{datetime.now(UTC) + timedelta(days=3):%-d %B %Y}"

    one = call.get(share_of(calls, "--call", own, "--days", "3"), follow_redirects=True).text
    some = days.get(share_of(calls, "--since", "1d", "--route", "sales", "--days", "3"), follow_redirects=True).text

    assert f"Shared with you until {until}" in one
    assert "this call" in one
    assert 'role="search"' not in one
    assert f"Shared with you until {until}" in some
    assert "calls of sales since" in some


def test_a_share_link_that_was_changed_or_has_expired_opens_nothing(calls: Caller) -> None:
    with calls.app.app_context():
        _, expired = make_share(Scope(since=0), seconds=-1)
    link = share_of(calls, "--since", "1d")

    for path in (f"/share/{expired}", f"{link}x", "/share/", "/share/x.y.z"):
        assert calls.app.test_client().get(path).status_code in {403, 404}, path


def test_a_share_link_that_was_revoked_opens_nothing_and_its_sessions_end(calls: Caller) -> None:
    made = flask(calls, "access", "share", "--since", "1d").output
    link, name = re.findall(r"/share/\S+", made)[0], re.findall(r"share:\w+", made)[0]
    guest = calls.app.test_client()
    guest.get(link)
    other = share_of(calls, "--since", "1d")
    before = guest.get("/").status_code

    revoked = flask(calls, "access", "revoke", name)

    assert (before, revoked.exit_code, guest.get("/").status_code) == (200, 0, 401)
    assert calls.app.test_client().get(link).status_code == 403
    assert calls.app.test_client().get(other).status_code == 303
    listed = flask(calls, "access", "log").output
    assert f"share.made  {name}" in listed
    assert f"share.revoked  {name}" in listed
    assert flask(calls, "access", "revoke", "share:no").exit_code == 1


def test_a_share_link_takes_nothing_from_somebody_who_is_logged_in(calls: Caller) -> None:
    calls.log_in()

    calls.client.get(share_of(calls, "--since", "1d"))

    assert calls.client.get("/welcome").status_code == 200


def test_the_log_says_who_changed_what(calls: Caller) -> None:
    token = token_of(calls, "anna", "--route", "sales")
    flask(calls, "access", "revoke", "anna")

    lines = flask(calls, "access", "log").output.splitlines()

    assert [line.split()[1:4] for line in lines] == [["cli", "token.revoked", "anna"], ["cli", "token.added", "anna"]]
    assert "sales" in lines[1]
    assert token not in "".join(lines)


def wander(caller: Caller, *, tries: int, seed: int) -> int:
    """Try addresses at random with a token of one route and with two share links; return how many were answered."""
    choose, answered = random.Random(seed), 0
    own, other = call_uuids(caller)
    dials = [dial["dial_id"] for dial in caller.read("dials")["dials"]]
    token = token_of(caller, f"anna{seed}", "--route", "sales")
    guests = [session_of(caller, token), caller.app.test_client(), caller.app.test_client()]
    guests[1].get(share_of(caller, "--call", own))
    guests[2].get(share_of(caller, "--since", "7d", "--route", "sales"))
    paths = sorted({path for _, method, path in endpoints(caller) if method == "GET" and "login" not in path})
    paths += [
        f"{prefix}/{one}" for prefix in ("/calls", "/api/v1/calls", "/api/v1/dials") for one in (own, other, *dials)
    ]
    values = [
        "help",
        "sales",
        "0177",
        "+14155550177",
        HELP,
        "missed",
        "30d",
        "1",
        "number",
        "dials",
        "2020-01-01",
        other,
    ]
    names = [
        "route",
        "q",
        "from",
        "to",
        "number",
        "target",
        "outcome",
        "range",
        "since",
        "until",
        "group_by",
        "unit",
        "scope",
    ]
    paths += [f"/api/v1/followups/{one['followup_id']}" for one in caller.read("followups")["followups"]]
    for _ in range(tries):
        query = {choose.choice(names): choose.choice(values) for _ in range(choose.randrange(4))}
        guest, path = choose.choice(guests), choose.choice(paths)
        headers = {"Authorization": f"Bearer {token}"} if guest is guests[0] and choose.random() < 0.5 else {}
        reply = guest.get(path, query_string=query, headers=headers)
        shown = reply.text
        for value in (*query.values(), path.rpartition("/")[2]):  # What was asked may be repeated.
            for asked in (value, value.lstrip("+"), number(value, masked=False)):
                shown = shown.replace(asked, "")
        assert not [number for number in HIDDEN if number in shown], (path, query)
        answered += reply.status_code == 200
    return answered


def test_random_addresses_show_nothing_of_another_route(calls: Caller) -> None:
    assert wander(calls, tries=300, seed=1) > 30


@pytest.mark.drill
def test_a_hundred_thousand_addresses_show_nothing_of_another_route(calls: Caller) -> None:
    assert wander(calls, tries=100_000, seed=2) > 10_000
