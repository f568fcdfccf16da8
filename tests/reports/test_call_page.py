"""The page of one call: one sentence, one advice, a timeline that agrees with them, every webhook."""

import re
import subprocess
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qsl

import pytest
from werkzeug import Request, Response
from werkzeug.serving import make_server

from app.records.model.ids import now
from app.records.model.state import Placement
from app.voice.events import Kind
from tests.reports.conftest import Caller
from tests.reports.history import make_receipt, make_rounds
from tests.reports.test_calls import hang_up, message

_CURL = '<pre class="reply curl"[^>]*>(.*?)</pre>'

pytestmark = pytest.mark.usefixtures("within_a_day")


@pytest.fixture
def reader(lite_caller: Caller) -> Caller:
    """Return a caller who is logged in."""
    lite_caller.log_in()
    return lite_caller


def story(caller: Caller, call_uuid: str) -> tuple[str, str]:
    """Return the sentence and the advice of a call's page."""
    page = unescape(caller.client.get(f"/calls/{call_uuid}").text)
    texts = [re.search(rf'class="[^"]*{name}">(.*?)</p>', page, re.DOTALL) for name in ("story", "advice")]
    sentence, advice = (re.sub("<.*?>", "", found[1]).strip() for found in texts if found)
    return sentence, advice.removeprefix("What to do: ")


def rounds(caller: Caller, *statuses: str) -> str:
    """Store a call of 60 s with a dial of two phones for each status, 20 s each."""
    begun = now() - 600_000
    moments = [begun + 20_000 * step for step in range(len(statuses))]
    caller.services.journal.append_all(list(make_rounds(1, moments, statuses)))
    end = {"CallUUID": "call-1", "CallStatus": "completed", "HangupSource": "Plivo"}
    caller.services.journal.append(make_receipt(Kind.HANGUP, moments[-1] + 60_000, end))
    return "call-1"


@pytest.mark.parametrize(
    ("statuses", "sentence"),
    [
        (["no-answer", "no-answer"], "Nobody picked up: two phones rang for 1 min 20 s."),
        (["busy"], "The line was busy: two phones were tried."),
        (["busy", "no-answer"], "Nobody picked up: two phones were busy, two phones rang for 1 min."),
        (["failed"], "The call could not be put through: two phones were tried."),
        (
            ["no-answer", "cancel"],
            "The caller hung up after 1 min 20 s, while two phones were ringing. "
            "Before that, two phones rang for 20 s.",
        ),
    ],
)
def test_a_call_without_an_answer_is_one_sentence(reader: Caller, statuses: list[str], sentence: str) -> None:
    assert story(reader, rounds(reader, *statuses))[0] == sentence


def test_an_answer_names_who_answered_after_how_long(reader: Caller) -> None:
    call_uuid, at = "answered", now() - 600_000
    base = {"CallUUID": call_uuid, "From": "+14155550199", "To": "+14155550100"}
    leg = {"CallUUID": call_uuid, "DialBLegUUID": "b", "DialBLegTo": "14155550123"}
    placement = Placement("d", targets=("+14155550123",), route="main", round=1)
    report = {"DialStatus": "completed", "DialBLegUUID": "b"}
    end = {"DialAction": "hangup", "DialBLegDuration": "65", "DialBLegHangupCauseCode": "4000"}
    reader.services.journal.append_all(
        [
            make_receipt(Kind.ANSWER, at, base, placement=placement),
            make_receipt(Kind.CALLBACK, at + 12_000, {**leg, "DialAction": "answer"}, dial_id="d"),
            make_receipt(Kind.CALLBACK, at + 78_400, {**leg, **end}, dial_id="d"),
            make_receipt(Kind.ACTION, at + 79_900, {**base, **report}, dial_id="d"),
        ]
    )

    assert story(reader, call_uuid) == (
        "+1 415-555-0123 answered after 12 s and talked for 1 min 5 s.",
        "Nothing to do.",
    )
    page = reader.client.get(f"/calls/{call_uuid}").text
    assert page.count('aria-label="rang for 12 s, then talked for 1 min 5 s"') == 2


def test_a_message_is_announced_with_its_length_and_no_other_host_is_linked(reader: Caller) -> None:
    turned_away, plain = message(reader, 1, turned_away="closed"), message(reader, 2)

    assert story(reader, turned_away) == (
        "The plan was closed. The caller left a 31 s message.",
        "Listen to the message and call back.",
    )
    assert story(reader, plain)[0] == "No phone rang. The caller left a 31 s message."
    page = reader.client.get(f"/calls/{plain}").text
    assert "Not on Plivo's recording host" in page
    assert "media.example.com" not in page[: page.index('id="receipts-title"')]


@pytest.mark.parametrize(
    ("turned_away", "ending", "sentence"),
    [
        ("blocked", "hangup", "The caller is on the block list and was turned away."),
        ("closed", "say", "The call came while the plan was closed, and the caller was turned away."),
        (None, "redirect", "The call was handed over to another application."),
    ],
)
def test_a_call_that_rang_no_phone_says_why(
    reader: Caller, turned_away: str | None, ending: str, sentence: str
) -> None:
    base = {"CallUUID": "c", "From": "14155550177", "To": "14155550100", "Direction": "inbound"}
    placement = Placement(None, route="night", ending=ending, turned_away=turned_away)
    reader.services.journal.append_all(
        [
            make_receipt(Kind.ANSWER, now() - 10_000, base, placement=placement),
            make_receipt(Kind.HANGUP, now() - 9000, {**base, "CallStatus": "completed", "HangupSource": "Plivo"}),
        ]
    )

    assert story(reader, "c")[0] == sentence
    assert "No phone was rung in this call." in reader.client.get("/calls/c").text


def test_a_call_in_progress_says_what_goes_on_and_refreshes_itself(reader: Caller) -> None:
    call_uuid, dial_id = reader.call()
    assert re.fullmatch(r"One phone has been ringing for \d+ s\.", story(reader, call_uuid)[0])

    leg = {"CallUUID": call_uuid, "DialBLegUUID": "b-leg", "DialBLegTo": "14155550123"}
    reader.post(f"/dialstatus/callback/?dial={dial_id}", **leg, DialAction="answer")
    assert re.fullmatch(r"\+1 415-555-0123 has been talking for \d+ s\.", story(reader, call_uuid)[0])
    assert "data-refresh" in reader.client.get(f"/calls/{call_uuid}").text

    reader.end(call_uuid, dial_id, "completed", DialBLegUUID="b-leg")
    hang_up(reader, call_uuid)
    assert "data-refresh" not in reader.client.get(f"/calls/{call_uuid}").text


def test_there_is_one_advice_for_the_whole_call(reader: Caller) -> None:
    page = reader.client.get(f"/calls/{rounds(reader, 'no-answer', 'busy', 'no-answer')}").text

    assert page.count("What to do:") == 1
    assert "Call back, let it ring longer" in page


def test_an_outgoing_call_is_explained_without_a_dial(reader: Caller) -> None:
    base = {"CallUUID": "out", "From": "14155550100", "To": "14155550177", "Direction": "outbound"}
    end = {"CallStatus": "busy", "HangupCauseCode": "3010", "HangupSource": "Carrier", "Event": "Hangup"}
    reader.post("/dialstatus/hangup/", **base, **end)

    assert story(reader, "out") == ("The line was busy.", "Call back later, or add another number as the next step.")


def test_plivos_whole_seconds_never_reach_beyond_the_call(reader: Caller) -> None:
    call_uuid, _ = reader.ended_call("busy")
    begun = datetime.now(UTC).replace(microsecond=0)
    reader.post(
        "/dialstatus/hangup/",
        CallUUID=call_uuid,
        Event="Hangup",
        CallStatus="completed",
        Duration="25",
        AnswerTime=f"{begun + timedelta(seconds=30):%Y-%m-%d %H:%M:%S}",
        EndTime=f"{begun + timedelta(seconds=55):%Y-%m-%d %H:%M:%S}",
    )

    page = reader.client.get(f"/calls/{call_uuid}").text

    assert re.search(r"<dt>Duration</dt><dd>25 s</dd>", page)
    assert re.search(r'aria-label="not answered for (29|30) s, then answered for 25 s"', page)
    bars = re.findall(r'<rect x="([\d.]+)%" width="([\d.]+)%"', page)
    assert bars
    assert all(float(left) + float(width) <= 100.5 for left, width in bars)


def test_a_receipt_can_be_sent_again_with_curl(reader: Caller) -> None:
    call_uuid, _ = reader.ended_call("busy", Odd='it\'s "odd" & more=1\n@home', caller="+14155550142")
    [command] = [
        unescape(found)
        for found in re.findall(
            r'<pre class="reply curl"[^>]*>(.*?)</pre>', reader.client.get(f"/calls/{call_uuid}").text, re.DOTALL
        )
        if "Odd" in found
    ]
    received: list[tuple[str, str]] = []

    @Request.application
    def note(request: Request) -> Response:
        received.append((request.full_path, request.get_data(as_text=True)))
        return Response()

    server = make_server("127.0.0.1", 0, note)
    with (
        server,
        subprocess.Popen(["bash", "-c", command.replace("http://localhost", f"http://127.0.0.1:{server.port}")]),
    ):
        server.handle_request()

    [(path, body)] = received
    [receipt] = [one for one in reader.read(f"calls/{call_uuid}")["receipts"] if one["kind"] == "action"]
    assert path.startswith("/dialstatus/action/?dial=")
    assert dict(parse_qsl(body, keep_blank_values=True)) == receipt["params"]


def test_a_receipt_sent_as_get_has_its_parameters_once(reader: Caller) -> None:
    reader.client.get("/dialstatus/?mine=1&CallUUID=g&From=14155550199&To=14155550100")

    page = unescape(reader.client.get("/calls/g").text)

    [command] = re.findall(_CURL, page, re.DOTALL)
    assert command.startswith("curl --get ")
    assert command.count("CallUUID") == 1


def test_receipts_are_timed_to_the_millisecond(reader: Caller) -> None:
    call_uuid, _ = reader.ended_call("busy")
    times = [receipt["received_at"] for receipt in reader.read(f"calls/{call_uuid}")["receipts"]]

    page = reader.client.get(f"/calls/{call_uuid}").text

    assert all(f">{datetime.fromisoformat(at):%H:%M:%S}.{at[20:23]}</time>" in page for at in times)


def test_a_call_is_explained_in_plain_words(reader: Caller) -> None:
    call_uuid, dial_id = reader.call()
    reader.post(
        f"/dialstatus/callback/?dial={dial_id}",
        CallUUID=call_uuid,
        DialAction="hangup",
        DialBLegUUID="b-leg",
        DialBLegTo="14155550123",
        DialBLegHangupCauseCode="2020",
    )
    reader.end(call_uuid, dial_id, "no-answer", DialRingStatus="false", Odd="<script>alert(1)</script>")

    page = reader.client.get(f"/calls/{call_uuid}").text

    assert "could not be reached" in page
    assert "What to do:" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "Plivo reported how the dial ended" in page


def test_a_cause_is_shown_if_it_says_more_than_the_outcome(reader: Caller) -> None:
    busy, _ = reader.ended_call("busy", DialHangupCause="USER_BUSY")
    failed, _ = reader.ended_call("failed", DialHangupCause="SWITCH_CONGESTION")

    busy_page, failed_page = (reader.client.get(f"/calls/{call_uuid}").text for call_uuid in (busy, failed))

    assert busy_page.count("The line was busy.") == 1
    assert "Call back later, or add another number as the next step." in busy_page
    assert "network was full." in failed_page


@pytest.mark.parametrize(
    ("action", "meaning"),
    [
        ("answer", "Somebody picked up: +1 415-555-0123"),
        ("connected", "Caller and callee were connected: +1 415-555-0123"),
        ("hangup", "A leg ended: +1 415-555-0123"),
        ("digits", "Keys were pressed"),
        ("dance", "Plivo reported on a leg"),
    ],
)
def test_each_report_on_a_leg_has_its_own_words(lite_caller: Caller, action: str, meaning: str) -> None:
    lite_caller.log_in()
    call_uuid, dial_id = lite_caller.call()
    leg = {"DialBLegUUID": "b-leg", "DialBLegTo": "14155550123", "DialDigitsMatch": "1"}
    lite_caller.post(f"/dialstatus/callback/?dial={dial_id}", CallUUID=call_uuid, DialAction=action, **leg)

    page = lite_caller.client.get(f"/calls/{call_uuid}").text

    assert f"<strong>{meaning}</strong>" in re.sub("</?span[^>]*>", "", page)


def test_a_sip_address_may_break_after_its_at_sign_on_every_page(lite_caller: Caller) -> None:
    lite_caller.log_in()
    call_uuid, dial_id = lite_caller.call()
    leg = {"DialBLegUUID": "b-leg", "DialBLegTo": "sip:the.counter@phone.plivo.com"}
    lite_caller.post(f"/dialstatus/callback/?dial={dial_id}", CallUUID=call_uuid, DialAction="answer", **leg)
    lite_caller.end(call_uuid, dial_id, "completed", DialBLegUUID="b-leg")

    for address in (f"/calls/{call_uuid}", "/?range=today"):
        assert '<span class="sip">sip:the.counter@<wbr>phone.plivo.com</span>' in lite_caller.client.get(address).text


def test_a_call_names_each_receipt_for_replay(reader: Caller) -> None:
    call_uuid, _ = reader.ended_call("busy")
    receipts = reader.read(f"calls/{call_uuid}")["receipts"]

    page = reader.client.get(f"/calls/{call_uuid}").text

    assert receipts
    assert all(receipt["receipt_id"] in page for receipt in receipts)


def test_an_unknown_call_is_a_404(reader: Caller) -> None:
    response = reader.client.get("/calls/nothing")

    assert response.status_code == 404
    assert "There is no call with this UUID" in response.text


def test_a_call_known_from_one_late_report_is_shown(reader: Caller) -> None:
    reader.post("/dialstatus/hangup/", CallUUID="lonely", CallStatus="completed", Event="Hangup", From="", To="")

    assert reader.client.get("/calls/lonely").status_code == 200
