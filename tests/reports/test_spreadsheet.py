"""The dashboard's CSV for people: spreadsheets show numbers as text, accents right, and times as times."""

import csv
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.reports.conftest import REPORTS_TOKEN, Caller, make_caller
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import Server

SOFFICE = shutil.which("soffice")
UTF8_WITH_DATES = "Text - txt - csv (StarCalc):44,34,76,1,,0,false,true"  # LibreOffice's "Detect special numbers".
CAUSE = 'Überlastet, "très" occupé'


def read_file(caller: Caller) -> tuple[bytes, list[dict[str, str]]]:
    """Return the file behind the dashboard's download link, as bytes and as rows."""
    caller.log_in()
    link = re.search(r'href="(/dials\.csv[^"]*)" download', caller.client.get("/live").text)
    assert link
    response = caller.client.get(link[1].replace("&amp;", "&"))
    assert response.status_code == 200, response.text
    return response.data, list(csv.DictReader(io.StringIO(response.data.decode("utf-8-sig"), newline="")))


@pytest.mark.usefixtures("within_a_day")
def test_numbers_and_ids_are_text_and_times_are_local(sqlite_url: str, tmp_path: Path) -> None:
    with make_caller(sqlite_url, tmp_path, TIMEZONE="Asia/Kathmandu") as caller:
        caller.ended_call("busy", caller="+14155550161", DialHangupCause=CAUSE, DialBLegUUID="12e34")
        content, [row] = read_file(caller)
        [dial] = caller.read("dials")["dials"]

    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\r\n") == 2
    assert (row["from"], row["to"], row["targets"]) == ('="+14155550161"', '="+14155550100"', '="+14155550123"')
    assert row["b_leg_uuid"] == '="12e34"'
    assert row["dial_hangup_cause"] == CAUSE
    started = datetime.fromisoformat(dial["started_at"]).astimezone(ZoneInfo("Asia/Kathmandu"))
    assert row["started_at"] == f"{started:%Y-%m-%d %H:%M:%S}"
    assert row["deliveries"] == "1"


@pytest.mark.usefixtures("within_a_day")
def test_the_api_s_file_stays_plain(lite_caller: Caller) -> None:
    lite_caller.ended_call("busy", caller="+14155550161", DialHangupCause=CAUSE)

    [row] = csv.DictReader(io.StringIO(lite_caller.ask("dials.csv").data.decode(), newline=""))

    assert (row["from"], row["dial_hangup_cause"]) == ("+14155550161", CAUSE)
    assert datetime.fromisoformat(row["started_at"]).tzinfo is not None


@pytest.mark.usefixtures("within_a_day")
@pytest.mark.parametrize("cause", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", '="+1"&A1', "=1\t"])
def test_no_text_from_outside_is_a_formula(lite_caller: Caller, cause: str) -> None:
    lite_caller.ended_call("busy", DialHangupCause=cause)

    _, [row] = read_file(lite_caller)

    assert row["dial_hangup_cause"].startswith(("'", '="')), row
    assert re.fullmatch(r"""'.*|="[0-9.,:/ eE+-]*\"""", row["dial_hangup_cause"], re.DOTALL)


@pytest.mark.usefixtures("within_a_day")
def test_masked_numbers_are_masked_in_the_file(masking_caller: Caller) -> None:
    masking_caller.ended_call("busy", caller="+14155550142")

    content, [row] = read_file(masking_caller)

    assert (row["from"], row["targets"]) == ("…0142", "…0123")
    assert b"4155550142" not in content


@pytest.mark.usefixtures("within_a_day")
def test_a_wrong_parameter_is_an_error_page(lite_caller: Caller) -> None:
    lite_caller.log_in()

    response = lite_caller.client.get("/dials.csv?since=yesterday")

    assert response.status_code == 400
    assert "enter an RFC 3339 time" in response.text


@pytest.mark.skipif(SOFFICE is None, reason="needs LibreOffice: apt-get install libreoffice-calc-nogui")
@pytest.mark.usefixtures("within_a_day")
def test_libreoffice_opens_the_file_right(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server(WORKERS=1)
    server.plivo("POST", "/dialstatus/", inbound(call_uuid := new_uuid(), From="14155550161"))
    report = {**dial_report(call_uuid, "busy"), "From": "14155550161", "DialHangupCause": CAUSE}
    server.plivo("POST", "/dialstatus/action/", report)
    connection = server.connect()
    connection.request("GET", f"/login?token={REPORTS_TOKEN}")
    login = connection.getresponse()
    login.read()
    cookie = login.headers["Set-Cookie"].partition(";")[0]
    connection.request("GET", "/dials.csv", headers={"Cookie": cookie})
    (tmp_path / "dials.csv").write_bytes(connection.getresponse().read())
    connection.close()

    subprocess.run(
        [str(SOFFICE), "--headless",
         f"-env:UserInstallation=file://{tmp_path}/profile", f"--infilter={UTF8_WITH_DATES}",
         "--convert-to", "fods", "--outdir", str(tmp_path), str(tmp_path / "dials.csv")],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip

    sheet = (tmp_path / "dials.fods").read_text()
    kinds = {text: kind for kind, text in re.findall(r'value-type="(\w+)"[^>]*>\s*<text:p>([^<]*)</text:p>', sheet)}
    assert kinds["+14155550161"] == "string"
    assert kinds[CAUSE.replace('"', "&quot;")] == "string"
    [date] = re.findall(r'office:value-type="date" office:date-value="(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)', sheet)[:1]
    assert datetime.fromisoformat(date)
