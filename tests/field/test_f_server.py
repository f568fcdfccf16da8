"""Class F: around the server. Each case is named by its id."""

import csv
import io
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from app.cli.group import add_commands
from app.simulator.reports_api import ReportsApi
from app.simulator.wire.transport import Transport
from app.voice.signature import make_nonce, sign_v3
from tests.account.plivo_objects import AUTH_ID, AUTH_TOKEN
from tests.account.plivo_server import running
from tests.field.conftest import BOB, App, Line
from tests.notify.mailbox import Mailbox, notices_to
from tests.notify.office import make_office
from tests.notify.receiver import Receiver, events_to
from tests.reports.conftest import make_caller
from tests.reports.test_spreadsheet import read_file
from tests.server.calls import dial_report, inbound, new_uuid
from tests.server.test_starting import starting
from tests.support.server import DEADLINE, REPORTS_TOKEN, ROOT, TOKEN, Reply, Server, free_port, until

Start = Callable[..., Server]

WITHOUT_LINUX = """
import os, select
for module, names in ((os, ("posix_fallocate", "sched_setaffinity", "sched_getaffinity")), (select, ("epoll",))):
    for name in names:
        delattr(module, name)
"""


def signed(url: str, fields: dict[str, str]) -> dict[str, str]:
    """Return the headers with which Plivo posts fields to a URL."""
    nonce = make_nonce()
    signature = sign_v3(method="POST", url=url, params=list(fields.items()), nonce=nonce, token=TOKEN)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return form | {"X-Plivo-Signature-V3-Nonce": nonce, "X-Plivo-Signature-V3": signature}


# --- F1: below a path of a host. A browser walks the same way in tests/reports/test_sub_path.py.


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("settings", [{"PUBLIC_URL": "https://calls.example.com/voice"}, {"SCRIPT_NAME": "/voice"}])
def test_f1_a_server_below_a_path_answers_plivo_and_people(
    start_server: Start, settings: dict[str, str], is_kept: bool
) -> None:
    server = start_server(**settings, WORKERS=1)
    prefix = "/voice" if is_kept else ""
    base = settings.get("PUBLIC_URL", f"{server.url}/voice")

    def post(path: str, fields: dict[str, str]) -> Reply:
        return server.request("POST", prefix + path, urlencode(fields), signed(base + path, fields))

    reply = post("/dialstatus/", inbound(call_uuid := new_uuid()))
    action = urlsplit(reply.attribute("action"))
    report = post(f"{action.path.removeprefix('/voice')}?{action.query}", dial_report(call_uuid, "busy"))
    missing = server.request("GET", f"{prefix}/dialstatus/nothing/")
    with closing(server.connect()) as connection:
        connection.request("GET", f"{prefix}/login?token={REPORTS_TOKEN}")
        login = connection.getresponse()
        login.read()

    assert (reply.status, report.status) == (200, 200)
    assert action.path == "/voice/dialstatus/action/"
    assert (missing.status, missing.content_type.partition(";")[0]) == (404, "application/xml")
    assert login.headers["Location"] == "/voice/"
    assert "Path=/voice;" in f"{login.headers['Set-Cookie']};"
    cookie = {"Cookie": login.headers["Set-Cookie"].partition(";")[0]}
    page = server.request("GET", f"{prefix}/", headers=cookie).body
    links = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
    assert links
    assert [link for link in links if not link.startswith("/voice/")] == []


# --- F2: a report that comes after the event.


def test_f2_a_late_report_is_announced_as_a_correction(database_url: str, tmp_path: Path) -> None:
    receiver = Receiver(lambda _: (204, {}), 0)
    with make_office(database_url, tmp_path, **events_to(receiver.url)) as office:
        call_uuid, dial_id = office.call()
        office.hang_up(call_uuid, HangupSource="Caller", HangupCauseCode="1000")
        office.send()
        for _ in range(2):  # A duplicate changes nothing.
            office.end(call_uuid, dial_id, "completed", DialRingStatus="true", DialBLegUUID="b-leg")
            office.send(after=5)
    receiver.close()

    first, second = receiver.deliveries
    assert [one.event["data"]["outcome"] for one in (first, second)] == ["caller_gave_up", "answered"]
    assert first.event["subject"] == second.event["subject"] == second.event["data"]["dial_id"]
    assert first.event["revision"] < second.event["revision"]
    assert first.message_id != second.message_id
    assert second.is_signed


@pytest.mark.parametrize("talks", [False, True])
def test_f2_no_missed_call_is_told_while_a_later_step_rings_or_talks(
    sqlite_url: str, tmp_path: Path, talks: bool
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        f'[routes.main.steps.a]\nring = ["+14155550123"]\n[routes.main.steps.b]\nring = ["{BOB}"]\n', "utf-8"
    )
    mailbox = Mailbox()
    with make_office(sqlite_url, tmp_path, DIAL_PLAN=str(plan), **notices_to(mailbox)) as office:
        first = urlsplit(Reply(200, "", office.post("/dialstatus/", **inbound(call := new_uuid()))).attribute("action"))
        second = Reply(200, "", office.post(f"{first.path}?{first.query}", **dial_report(call)))
        assert BOB in second.body
        if talks:
            notice = urlsplit(second.attribute("callbackUrl"))
            leg = {"DialAction": "answer", "DialALegUUID": call, "DialBLegUUID": "b", "CallUUID": call}
            office.post(f"{notice.path}?{notice.query}", **leg)
        office.send(after=3600)
    mailbox.close()

    assert mailbox.mails == []


# --- F3: other systems. Neither macOS nor Windows was tried: what they lack is taken away here.


def test_f3_without_what_only_linux_has_the_server_works_and_logs_nothing_wrong(
    start_server: Start, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_LINUX)
    server = start_server(PYTHONPATH=f"{tmp_path}:{ROOT}", WORKERS=2)

    replies = [server.plivo("POST", "/dialstatus/", inbound(new_uuid())) for _ in range(5)]

    assert all("<Dial" in reply.body for reply in replies)
    assert server.stop() == 0
    assert [line for line in server.lines if re.search(r'"level": ?"(WARNING|ERROR|CRITICAL)"|Traceback', line)] == []


def test_f3_windows_is_told_to_use_wsl_in_one_sentence() -> None:
    on_windows = "import sys; sys.platform = 'win32'; sys.modules['fcntl'] = None; import app"
    done = subprocess.run([sys.executable, "-c", on_windows], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert "run it in WSL" in sentence


# --- F4: a port that is taken.


@pytest.mark.parametrize(
    ("host", "listener"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("127.0.0.1", "::1"), ("127.0.0.1", "::")]
)
def test_f4_a_port_that_is_taken_is_said_with_one_that_is_free(tmp_path: Path, host: str, listener: str) -> None:
    with (
        socket.socket(socket.AF_INET6 if ":" in listener else socket.AF_INET) as taken,
        socket.socket() as neighbour,
    ):
        port = free_port()  # Not one that the system gives to clients: the next one must be free as well.
        for one in (taken, neighbour):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # An earlier test may have used the port.
        taken.bind((listener, port))
        taken.listen()
        neighbour.bind(("127.0.0.1", port + 1))
        neighbour.listen()

        with starting(tmp_path, HOST=host, PORT=str(port)) as process:
            said = process.communicate(timeout=DEADLINE)[0].splitlines()

    assert process.returncode == 1
    assert any("port_taken" in line for line in said)
    taken_and_free = re.fullmatch(
        rf"PORT {port} of {host} is taken; end what listens there, or write another, such as PORT=(\d+)", said[-1]
    )
    assert taken_and_free
    assert int(taken_and_free[1]) > port + 1
    assert not any("Connection in use" in line for line in said)
    assert not (tmp_path / "dialstatus.db").exists()


# --- F5: files for spreadsheets. LibreOffice opens one in tests/reports/test_spreadsheet.py.


@pytest.mark.usefixtures("within_a_day")
def test_f5_a_spreadsheet_shows_numbers_as_text_and_the_api_s_file_is_plain(sqlite_url: str, tmp_path: Path) -> None:
    with make_caller(sqlite_url, tmp_path) as caller:
        caller.ended_call("busy", caller="+14155550161", CallerName="Zoë Å.")
        content, [row] = read_file(caller)
        plain = caller.ask("dials.csv").data

    assert content.startswith(b"\xef\xbb\xbf")
    assert (row["From"], row["Caller"]) == ('="+14155550161"', "Zoë Å.")
    assert datetime.fromisoformat(row["Began (UTC)"])
    [dial] = csv.DictReader(io.StringIO(plain.decode("utf-8"), newline=""))
    assert (plain[:1], dial["from"]) != (b"\xef", '="+14155550161"')
    assert dial["from"] == "+14155550161"
    assert plain.count(b"\r\n") == 2


# --- F6: the simulator's checks.


def test_f6_a_record_above_100_kb_is_read_whole(start_server: Start) -> None:
    server = start_server(WORKERS=1)
    call_uuid = new_uuid()
    server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    for number in range(12):
        server.plivo("POST", "/dialstatus/hangup/", inbound(call_uuid, Event="Hangup", Note=f"{number}" + "x" * 9000))

    record = ReportsApi(f"{server.url}/dialstatus/", REPORTS_TOKEN, Transport()).fetch_call(call_uuid)

    assert record is not None
    assert len(str(record)) > 100_000
    assert str(record["receipts"]).count("'kind'") == 13


@pytest.mark.parametrize(("more", "are_new"), [((), True), (("--repeat-uuids",), False)])
def test_f6_a_seed_repeats_calls_and_no_uuids(start_server: Start, more: tuple[str, ...], are_new: bool) -> None:
    server = start_server(WORKERS=1)
    command = [
        *(str(Path(sys.executable).with_name("flask")), "--app", "wsgi", "simulate", "busy", "--seed", "7"),
        *("--url", f"{server.url}/dialstatus/", *more),
    ]
    environ = {**server.settings, "PATH": "/usr/bin:/bin", "PORT": str(server.port)}

    done = [subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False) for _ in "12"]

    assert done[0].returncode == 0, done[0].stdout + done[0].stderr
    assert done[1].returncode == 0 or not are_new
    assert len(server.api("/calls").json()["calls"]) == (2 if are_new else 1)


# --- F7, F8: commands that talk to Plivo.


def test_f7_a_call_that_plivo_answers_with_500_may_have_been_placed(make_app: App) -> None:
    app = make_app(PLIVO_AUTH_ID=AUTH_ID, PLIVO_AUTH_TOKEN=AUTH_TOKEN, SIMULATED_TIME="false")
    words = ["call", "--to", "+14155550100", "--from", "+14155550199", "--url", "https://calls.example.com"]
    with running() as api:
        api.trouble(500, times=9, method="POST", done_first=True)
        result = add_commands(app).test_cli_runner().invoke(args=["plivo", f"--api-url={api.url}", *words])

    assert result.exit_code not in (0, 2), result.output
    assert len(api.calls_placed) == 1
    assert "look first whether the call was placed" in result.output


@pytest.mark.parametrize(
    "url", ["http://localhost:5000", "https://127.0.0.1", "http://192.168.1.7:5000", "http://[::1]"]
)
def test_f8_a_url_that_plivo_cannot_reach_is_refused(make_app: App, url: str) -> None:
    app = make_app(PLIVO_AUTH_ID=AUTH_ID, PLIVO_AUTH_TOKEN=AUTH_TOKEN, SIMULATED_TIME="false")
    with running() as api:
        words = ["setup", "--number", "+14155550199", "--yes", "--url", url]
        result = add_commands(app).test_cli_runner().invoke(args=["plivo", f"--api-url={api.url}", *words])

    assert result.exit_code == 2
    assert "Plivo cannot reach" in result.output
    assert [asked.method for asked in api.asked if asked.method != "GET"] == []


# --- F9: why a signature was refused.


@pytest.mark.parametrize(
    ("public_url", "signed_url", "headers", "says"),
    [
        ("https://calls.example.com", "https://calls.example.com/voice", {"X-Forwarded-Prefix": "/voice"}, "path: "),
        ("https://calls.example.com", "https://calls.example.com/voice", {}, "PUBLIC_URL must hold any sub-path"),
        ("https://calls.example.com/voice", "https://calls.example.com/Voice", {}, "PUBLIC_URL"),
        ("https://Calls.Example.com", "https://calls.example.com", {}, "case: "),
    ],
)
def test_f9_the_reason_names_a_sub_path_or_letter_case(
    start_server: Start, public_url: str, signed_url: str, headers: dict[str, str], says: str
) -> None:
    server = start_server(PUBLIC_URL=public_url, WORKERS=1)
    fields = inbound(new_uuid())

    refused = server.request(
        "POST", "/dialstatus/", urlencode(fields), signed(f"{signed_url}/dialstatus/", fields) | headers
    )

    assert refused.status == 403
    [line] = until(lambda: server.events("signature_refused"))
    assert says in line["reason"]


# --- F10: receipts that name no call.


def test_f10_receipts_without_a_call_are_counted_and_listed(make_app: App) -> None:
    app = make_app()
    Line(app).answer()
    client = app.test_client()
    for fields in ({"DialStatus": "busy"}, {"DialAction": "answer", "DialBLegUUID": "b"}):
        client.post("/dialstatus/callback/", data=fields)

    metrics = client.get("/metrics", headers={"Authorization": f"Bearer {REPORTS_TOKEN}"}).text
    listed = add_commands(app).test_cli_runner().invoke(args=["receipts", "orphans"])

    assert "dialstatus_orphan_receipts 2" in metrics
    assert listed.exit_code == 0
    assert listed.output.count("callback") == 2
