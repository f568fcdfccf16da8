"""A request is read as other software reads it, under the URL that Plivo called."""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest
from werkzeug.test import EnvironBuilder

from app.dial.parameters import decode_form
from app.dial.request import Request, Webhook, read_head, read_parameters
from app.dial.ticket import Ticket, notice_query
from app.voice.events import Kind
from config import Config

# Every separator and escape, in both cases, whole and cut off, and letters of other scripts.
PIECES = [
    *("a", "b", "é", "=", "&", "+", "%", "%2B", "%2b", "%3A", "%3a", "%26", "%3D", "%3d", "%25", "2B", "%C3%A9", "%ff"),
]
SECRET = "a-made-up-secret-key"
TICKET = Ticket(dial_id="of-a-ticket", route="office", step="desk", round=1, started_at=1_763_900_000)

Read = Callable[..., Webhook]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("From=%2B14155550100&SessionStart=2024-09-26+14%3A05%3A08")
@example("a=%252B&b=%25%33A")
def test_a_form_is_decoded_as_the_standard_library_decodes_it(text: str) -> None:
    assert list(decode_form(text)) == parse_qsl(text, keep_blank_values=True)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that reads a request; settings are keyword arguments in capitals."""

    def read(
        target: str, *, kind: Kind = Kind.ANSWER, environ: Mapping[str, object] | None = None, **settings: str
    ) -> Webhook:
        config = Config.load({"INSTANCE_DIR": str(tmp_path), "SECRET_KEY": SECRET, **settings})
        path, _, query = target.partition("?")
        made = EnvironBuilder(path, "http://127.0.0.1:5000", query_string=query, method="POST").get_environ()
        request = Request({**made, "RAW_URI": target, **(environ or {})})
        webhook = read_head(request, kind, config)
        read_parameters(webhook, request, config.secret_key)
        return webhook

    return read


@pytest.mark.parametrize(
    ("target", "script_name"),
    [
        ("/dialstatus/?a=%41", ""),
        ("/voice/dialstatus/?a=%41", "/voice"),
        ("/dialstatus/?a=%41", "/voice"),
    ],
)
def test_below_a_path_plivo_called_public_url_whatever_the_proxy_keeps_of_it(
    read: Read, target: str, script_name: str
) -> None:
    webhook = read(target, environ={"SCRIPT_NAME": script_name}, PUBLIC_URL="https://calls.example.com/voice")

    assert webhook.url == "https://calls.example.com/voice/dialstatus/?a=%41"
    assert webhook.base_url == "https://calls.example.com/voice"


@pytest.mark.parametrize("target", ["/voice/dialstatus/", "/dialstatus/"])
def test_a_public_url_without_a_path_is_completed_by_the_prefix(read: Read, target: str) -> None:
    webhook = read(target, environ={"SCRIPT_NAME": "/voice"}, PUBLIC_URL="https://calls.example.com")

    assert webhook.base_url == "https://calls.example.com/voice"
    assert webhook.url == "https://calls.example.com/voice/dialstatus/"


@pytest.mark.parametrize("target", ["/voice/dialstatus/", "/dialstatus/"])
def test_without_public_url_the_prefix_of_the_server_counts(read: Read, target: str) -> None:
    webhook = read(target, environ={"SCRIPT_NAME": "/voice"})

    assert (webhook.base_url, webhook.url) == ("http://127.0.0.1:5000/voice", "http://127.0.0.1:5000/voice/dialstatus/")


@pytest.mark.parametrize(
    ("host", "settings", "base_url"),
    [
        ("localhost:5000", {}, "http://localhost:5000"),
        ("LOCALHOST", {}, "http://LOCALHOST"),
        ("127.0.0.1:8080", {}, "http://127.0.0.1:8080"),
        ("127.1.2.3", {}, "http://127.1.2.3"),
        ("[::1]:5000", {}, "http://[::1]:5000"),
        ("192.0.2.7:5000", {"HOST": "192.0.2.7"}, "http://192.0.2.7:5000"),
        ("staging.example.com", {}, "http://127.0.0.1:5000"),
        ("127.0.0.1.example.com", {}, "http://127.0.0.1:5000"),
        ("localhost.example.com", {}, "http://127.0.0.1:5000"),
        ("192.0.2.7", {}, "http://127.0.0.1:5000"),
        ("a b", {}, "http://127.0.0.1:5000"),
        ("", {}, "http://127.0.0.1:5000"),
        ("staging.example.com", {"TRUSTED_PROXIES": "1"}, "http://staging.example.com"),
        ("staging.example.com", {"PUBLIC_URL": "https://calls.example.com"}, "https://calls.example.com"),
    ],
)
@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_only_a_host_of_ours_is_believed(
    read: Read, mode: str, host: str, settings: dict[str, str], base_url: str
) -> None:
    settings = {"PLIVO_AUTH_TOKEN": "a-made-up-token", "VERIFY_SIGNATURES": mode, **settings}

    assert read("/dialstatus/", environ={"HTTP_HOST": host}, **settings).base_url == base_url


@pytest.mark.parametrize(
    ("kind", "query", "dial_id"),
    [
        (Kind.CALLBACK, notice_query("mine", SECRET), "mine"),
        (Kind.RECORDING, notice_query("mine", SECRET), "mine"),
        (Kind.CALLBACK, "dial=mine", None),
        (Kind.CALLBACK, "dial=mine&seal=", None),
        (Kind.CALLBACK, notice_query("mine", "another-secret-key"), None),
        (Kind.CALLBACK, notice_query("mine", SECRET).replace("mine", "yours"), None),
        (Kind.PHLO, "dial=mine", None),
        (Kind.CALLBACK, TICKET.to_query(SECRET), "of-a-ticket"),
        (Kind.ACTION, TICKET.to_query(SECRET), "of-a-ticket"),
        (Kind.ACTION, "dial=mine", "mine"),
        (Kind.ACTION, "dial=" + "a" * 65, None),
        (Kind.ACTION, "dial=a/b", None),
    ],
)
def test_the_dial_of_a_notice_needs_our_seal(read: Read, kind: Kind, query: str, dial_id: str | None) -> None:
    assert read(f"/dialstatus/{kind.value}/?{query}", kind=kind).dial_id == dial_id


@pytest.mark.parametrize("moment", ["2024-09-26T14:05:08Z", "2099-12-31T23:59:59+00:00", "2000-01-01T00:00:00Z"])
def test_a_simulated_time_is_when_the_request_came(read: Read, moment: str) -> None:
    webhook = read(
        "/dialstatus/",
        environ={"HTTP_X_DIALSTATUS_SIMULATED_TIME": moment},
        SIMULATED_TIME="true",
        VERIFY_SIGNATURES="off",
    )

    assert 946_684_800_000 <= webhook.received_at < 4_102_444_800_000


@pytest.mark.parametrize(
    "moment",
    [
        *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z"),
        *("9999-12-31T23:59:59-23:00", "10000-01-01T00:00:00Z", "noon", "-1"),
    ],
)
def test_a_simulated_time_outside_of_this_century_is_refused(read: Read, moment: str) -> None:
    with pytest.raises(BadRequest):
        read("/dialstatus/", environ={"HTTP_X_DIALSTATUS_SIMULATED_TIME": moment}, SIMULATED_TIME="true")


def test_an_answer_url_request_may_be_a_hangup_notice(read: Read) -> None:
    webhook = read(f"/dialstatus/?{urlencode({'CallUUID': 'a', 'Event': 'Hangup'})}")

    assert webhook.kind is Kind.HANGUP
