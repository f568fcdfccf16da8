"""Requests are like Plivo's: signed, in byte order, retried as the URL's fragment says."""

import random
import socket
from datetime import UTC, datetime
from urllib.parse import urlsplit

import plivo.utils
import pytest

from app.simulator.wire.http_exchange import CallbackSettings, Damage, NoReplyError, split_url
from app.simulator.wire.transport import HttpRequest, RemoteTargetError, Transport, send_again
from tests.simulator.conftest import TOKEN
from tests.simulator.scripted_server import ReceivedRequest, ScriptedReply, ScriptedServer

PARAMS = {"To": "14155550199", "CallerName": "José Ñ", "From": "+14155550100", "DialBLegUUID": "", "ALegUUID": "a"}


def request(url: str, method: str = "POST") -> HttpRequest:
    return HttpRequest(method=method, url=url, params=PARAMS, at=datetime(2026, 3, 2, 8, 0, 0, 5, tzinfo=UTC))


def send(server: ScriptedServer, target: str, method: str = "POST", damage: Damage | None = None) -> ReceivedRequest:
    Transport(token=TOKEN).send(request(f"{server.url}{target}", method), random.Random(1), damage=damage)
    return server.received[-1]


def plivo_accepts(server: ScriptedServer, received: ReceivedRequest, header: str = "X-Plivo-Signature-V3") -> bool:
    params = received.params if received.method == "POST" else {}
    nonce = received.headers["X-Plivo-Signature-V3-Nonce"]
    url = f"{server.url}{received.target}"
    accepted: bool = plivo.utils.validate_v3_signature(
        received.method, url, nonce, TOKEN, received.headers[header], params
    )
    return accepted


@pytest.mark.parametrize("target", ["/", "/a/?dial=x&z=1", "/a%20b/?q=%2B1+2"])
@pytest.mark.parametrize("header", ["X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3"])
def test_the_sdk_accepts_the_signature_of_a_post(server: ScriptedServer, target: str, header: str) -> None:
    assert plivo_accepts(server, send(server, target), header)


def test_the_sdk_accepts_the_signature_of_a_get(server: ScriptedServer) -> None:
    ascii_only = HttpRequest(
        method="GET", url=f"{server.url}/a/?dial=x", params={"To": "1", "From": "+2"}, at=datetime.now(UTC)
    )

    Transport(token=TOKEN).send(ascii_only, random.Random(1))

    assert plivo_accepts(server, server.received[-1])


def test_the_sdk_accepts_the_v2_signature(server: ScriptedServer) -> None:
    headers = send(server, "/a/?dial=x").headers

    assert plivo.utils.validate_signature(
        f"{server.url}/a/?dial=x", headers["X-Plivo-Signature-V2-Nonce"], headers["X-Plivo-Signature-V2"], TOKEN
    )


def test_each_nonce_has_20_digits_and_the_two_differ(server: ScriptedServer) -> None:
    headers = send(server, "/").headers
    nonces = {headers["X-Plivo-Signature-V3-Nonce"], headers["X-Plivo-Signature-V2-Nonce"]}

    assert len(nonces) == 2
    assert all(len(nonce) == 20 and nonce.isdigit() for nonce in nonces)


def test_a_subaccounts_call_is_signed_with_both_tokens(server: ScriptedServer) -> None:
    Transport(token="sub", main_token="main").send(request(f"{server.url}/"), random.Random(1))
    headers = server.received[-1].headers

    assert headers["X-Plivo-Signature-V3"] != headers["X-Plivo-Signature-Ma-V3"]


@pytest.mark.parametrize("damage", [Damage.BAD_SIGNATURE, Damage.UNSIGNED])
def test_a_damaged_signature_is_not_accepted(server: ScriptedServer, damage: Damage) -> None:
    received = send(server, "/", damage=damage)
    signature = received.headers.get("X-Plivo-Signature-V3")

    assert signature is None or not plivo_accepts(server, received)


def test_post_fields_come_in_byte_order_and_form_encoded(server: ScriptedServer) -> None:
    received = send(server, "/a/?dial=x")

    assert received.target == "/a/?dial=x"
    assert received.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert received.body == ("ALegUUID=a&CallerName=Jos%C3%A9+%C3%91&DialBLegUUID=&From=%2B14155550100&To=14155550199")


def test_get_parameters_come_before_the_urls_own_query(server: ScriptedServer) -> None:
    received = send(server, "/a/?zz=1&dial=x", method="GET")

    assert urlsplit(received.target).query.endswith("To=14155550199&zz=1&dial=x")
    assert received.body == ""


def test_the_fragment_is_never_sent(server: ScriptedServer) -> None:
    assert send(server, "/a/#rc=2&rp=5xx").target == "/a/"


def test_the_simulated_time_is_sent(server: ScriptedServer) -> None:
    assert send(server, "/").headers["X-Dialstatus-Simulated-Time"] == "2026-03-02T08:00:00.000005Z"


@pytest.mark.parametrize(
    ("fragment", "statuses", "tries"),
    [
        ("", [503, 200], 1),
        ("#rp=5xx", [503, 200], 2),
        ("#rp=5xx&rc=3", [503, 503, 503, 503, 200], 4),
        ("#rp=5xx&rc=0", [503, 200], 1),
        ("#rp=4xx", [503, 200], 1),
        ("#rp=4xx&rc=2", [404, 404, 200], 3),
        ("#rp=all", [500, 200], 2),
        ("#rp=ct,rt,5xx&rc=5", [302, 200], 1),
    ],
)
def test_a_status_is_retried_as_the_fragment_says(
    server: ScriptedServer, fragment: str, statuses: list[int], tries: int
) -> None:
    server.replies["/a/"] = [ScriptedReply(status=status) for status in statuses]

    reply = Transport().send(request(f"{server.url}/a/{fragment}"), random.Random(1))

    assert len(server.received) == tries
    assert reply.attempts == tries
    assert reply.status == statuses[tries - 1]


@pytest.mark.parametrize(("fragment", "tries"), [("", 2), ("#rc=0", 1), ("#rc=3", 4), ("#rp=ct&rc=3", 1)])
def test_no_reply_is_retried_as_the_fragment_says(server: ScriptedServer, fragment: str, tries: int) -> None:
    server.replies["/a/"] = ScriptedReply(closes=True)

    with pytest.raises(NoReplyError, match="without a reply"):
        Transport().send(request(f"{server.url}/a/{fragment}"), random.Random(1))

    assert len(server.received) == tries


def test_a_part_of_a_reply_is_never_retried(server: ScriptedServer) -> None:
    server.replies["/a/"] = ScriptedReply(hangs=True)

    with pytest.raises(NoReplyError, match="the body stopped"):
        Transport().send(request(f"{server.url}/a/#rt=2000&rc=5&rp=all"), random.Random(1))

    assert len(server.received) == 1


def test_patience_multiplies_the_time_limits() -> None:
    stretched = split_url("http://a.example/#ct=100&rt=200&tt=300&rc=3")[1].stretched(10)

    assert (stretched.connect_timeout, stretched.read_timeout, stretched.total_time) == (1, 2, 3)
    assert stretched.retries == 3


@pytest.mark.parametrize("damage", [Damage.CUT_REPLY, Damage.CUT_BODY])
def test_a_cut_connection_is_retried(server: ScriptedServer, damage: Damage) -> None:
    reply = Transport().send(request(f"{server.url}/a/"), random.Random(1), damage=damage)

    assert reply.attempts == 2
    assert server.received[-1].params == PARAMS


def test_a_closed_port_is_a_failure_to_connect() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"

        with pytest.raises(NoReplyError) as caught:
            Transport().send(request(url), random.Random(1))

    assert caught.value.retry_word == "ct"


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/", "https://example.com/dialstatus/", "http://127.0.0.1.example.com/"]
)
def test_another_machine_is_not_called(url: str) -> None:
    with pytest.raises(RemoteTargetError, match="--allow-remote"):
        Transport().send(request(url), random.Random(1))


def test_the_public_url_is_signed_and_sent_while_this_machine_is_called(server: ScriptedServer) -> None:
    parts = urlsplit(server.url)
    wire = Transport(token=TOKEN, connect_to=("127.0.0.1", parts.port or 0))
    public = HttpRequest(
        method="POST", url="https://calls.example.com/a/?x=1", params={"To": "1"}, at=datetime.now(UTC)
    )

    wire.send(public, random.Random(1))

    received = server.received[-1]
    assert received.headers["Host"] == "calls.example.com"
    assert plivo.utils.validate_v3_signature(
        "POST",
        public.url,
        received.headers["X-Plivo-Signature-V3-Nonce"],
        TOKEN,
        received.headers["X-Plivo-Signature-V3"],
        received.params,
    )


def test_stored_parameters_are_sent_again_newly_signed(server: ScriptedServer) -> None:
    reply = send_again(f"{server.url}/action/?dial=x", "POST", {"CallUUID": "a", "DialStatus": "busy"}, TOKEN)

    assert reply.status == 200
    assert plivo_accepts(server, server.received[-1])
    assert "X-Dialstatus-Simulated-Time" not in server.received[-1].headers


def test_without_a_fragment_plivos_defaults_hold() -> None:
    assert split_url("http://a.example/x?y=1") == ("http://a.example/x?y=1", CallbackSettings(), ())


def test_times_in_a_fragment_are_milliseconds() -> None:
    _, settings, remarks = split_url("http://a.example/#ct=500&rt=1500&tt=9000&rc=4&rp=ct,4xx&er=mumbai")

    assert remarks == ()
    assert settings == CallbackSettings(
        connect_timeout=0.5, read_timeout=1.5, total_time=9.0, retries=4, retried=frozenset({"ct", "4xx"})
    )


@pytest.mark.parametrize("fragment", ["rc=6", "ct=50", "rt=x", "rp=6xx", "plivo_retries=3"])
def test_a_wrong_fragment_is_a_remark(fragment: str) -> None:
    assert len(split_url(f"http://a.example/#{fragment}")[2]) == 1
