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
from tests.reports.test_calls import hang_up, message
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import Server

SOFFICE = shutil.which("soffice")
UTF8_WITH_DATES = "Text - txt - csv (StarCalc):44,34,76,1,,0,false,true"  # LibreOffice's "Detect special numbers".
NAME = 'Zoë "très" occupée, Ü'


def read_file(caller: Caller, languages: str = "en-US") -> tuple[bytes, list[dict[str, str]]]:
    """Return the file behind the dashboard's download link, as bytes and as rows."""
    caller.log_in()
    link = re.search(r'href="(/calls\.csv[^"]*)" download', caller.client.get("/?range=7d").text)
    assert link
    response = caller.client.get(link[1].replace("&amp;", "&"), headers={"Accept-Language": languages})
    assert response.status_code == 200, response.text
    text = response.data.decode("utf-8-sig")
    separator = ";" if text.partition("\r\n")[0].count(";") else ","
    return response.data, list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator))


@pytest.mark.usefixtures("within_a_day")
def test_numbers_and_ids_are_text_and_times_are_local(sqlite_url: str, tmp_path: Path) -> None:
    with make_caller(sqlite_url, tmp_path, TIMEZONE="Asia/Kathmandu") as caller:
        call_uuid, _ = caller.ended_call("busy", caller="+14155550161", CallerName="Zoë Å.")
        hang_up(caller, call_uuid)
        content, [row] = read_file(caller)
        [call] = caller.read("calls")["calls"]

    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\r\n") == 2
    assert [*row][:2] + [*row][-1:] == ["Began (Asia/Kathmandu)", "Caller", "Call UUID"]
    assert (row["From"], row["To"], row["Phones"]) == ('="+14155550161"', '="+14155550100"', '="+14155550123"')
    assert (row["Caller"], row["Outcome"], row["Route"]) == ("Zoë Å.", "Busy", "main")
    assert row["Call UUID"] == f'="{call_uuid}"'  # All digits: a spreadsheet could take it for a date.
    started = datetime.fromisoformat(call["started_at"]).astimezone(ZoneInfo("Asia/Kathmandu"))
    assert row["Began (Asia/Kathmandu)"] == f"{started:%Y-%m-%d %H:%M:%S}"


@pytest.mark.usefixtures("within_a_day")
def test_the_file_holds_the_calls_of_the_page_and_their_messages(lite_caller: Caller) -> None:
    message(lite_caller, 1, turned_away="closed")
    lite_caller.ended_call("busy")
    lite_caller.log_in()

    content = lite_caller.client.get("/calls.csv?range=7d&outcome=message_left&hour=77").data.decode("utf-8-sig")

    [row] = csv.DictReader(io.StringIO(content, newline=""))
    assert (row["Message (s)"], row["Message"], row["Reason"]) == ("31", "https://media.example.com/r.mp3", "closed")


@pytest.mark.usefixtures("within_a_day")
@pytest.mark.parametrize(
    ("languages", "separator"), [("en-US,en;q=0.9", ","), ("de-CH,de;q=0.9,en;q=0.8", ";"), ("fr", ";"), ("", ",")]
)
def test_the_separator_is_that_of_the_readers_spreadsheet(lite_caller: Caller, languages: str, separator: str) -> None:
    lite_caller.ended_call("busy")

    content, [row] = read_file(lite_caller, languages)

    assert content.decode("utf-8-sig").startswith(f"Began (UTC){separator}Caller{separator}")
    assert row["From"] == '="+14155550199"'


@pytest.mark.usefixtures("within_a_day")
def test_the_api_s_file_stays_plain(lite_caller: Caller) -> None:
    lite_caller.ended_call("busy", caller="+14155550161")

    [row] = csv.DictReader(io.StringIO(lite_caller.ask("calls.csv").data.decode(), newline=""))

    assert row["from"] == "+14155550161"
    assert datetime.fromisoformat(row["started_at"]).tzinfo is not None


@pytest.mark.usefixtures("within_a_day")
@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", '="+1"&A1', "=1\t"])
def test_no_text_from_outside_is_a_formula(lite_caller: Caller, name: str) -> None:
    lite_caller.ended_call("busy", CallerName=name)

    _, [row] = read_file(lite_caller, "de")

    assert re.fullmatch(r"""'.*|="[0-9.,:/ eE+-]*\"""", row["Caller"], re.DOTALL), row


@pytest.mark.usefixtures("within_a_day")
def test_masked_numbers_are_masked_in_the_file(masking_caller: Caller) -> None:
    masking_caller.ended_call("busy", caller="+14155550142", CallerName="14155550142")

    content, [row] = read_file(masking_caller)

    assert (row["From"], row["Phones"]) == ("…0142", "…0123")
    assert b"4155550142" not in content


@pytest.mark.skipif(SOFFICE is None, reason="needs LibreOffice: apt-get install libreoffice-calc-nogui")
@pytest.mark.usefixtures("within_a_day")
def test_libreoffice_opens_the_file_right(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server(WORKERS=1)
    server.plivo("POST", "/dialstatus/", inbound(call_uuid := new_uuid(), From="14155550161"))
    report = {**dial_report(call_uuid, "busy"), "From": "14155550161", "CallerName": NAME}
    server.plivo("POST", "/dialstatus/action/", report)
    connection = server.connect()
    connection.request("GET", f"/login?token={REPORTS_TOKEN}")
    login = connection.getresponse()
    login.read()
    cookie = login.headers["Set-Cookie"].partition(";")[0]
    connection.request("GET", "/calls.csv", headers={"Cookie": cookie})
    (tmp_path / "calls.csv").write_bytes(connection.getresponse().read())
    connection.close()

    subprocess.run(
        [str(SOFFICE), "--headless",
         f"-env:UserInstallation=file://{tmp_path}/profile", f"--infilter={UTF8_WITH_DATES}",
         "--convert-to", "fods", "--outdir", str(tmp_path), str(tmp_path / "calls.csv")],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip

    sheet = (tmp_path / "calls.fods").read_text()
    kinds = {text: kind for kind, text in re.findall(r'value-type="(\w+)"[^>]*>\s*<text:p>([^<]*)</text:p>', sheet)}
    assert kinds["+14155550161"] == "string"
    assert kinds[NAME.replace('"', "&quot;")] == "string"
    [date] = re.findall(r'office:value-type="date" office:date-value="(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)', sheet)[:1]
    assert datetime.fromisoformat(date)
