"""Only Plivo gets in: every route is guarded, in every mode, behind tunnels and proxies."""

from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest

from app import create_app
from app.dial.blueprint import bp
from app.dial.guard import guard
from app.voice.signature import make_nonce, sign_v2, sign_v3
from config import Config
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import TOKEN, Server, until

PUBLIC = "https://calls.example.com"
FORM = "application/x-www-form-urlencoded"


def v3(url: str, params: list[tuple[str, str]], token: str = TOKEN, *, main: bool = False) -> dict[str, str]:
    """Return the V3 headers of a POST."""
    nonce = make_nonce()
    signature = sign_v3(method="POST", url=url, params=params, nonce=nonce, token=token)
    return {
        "Content-Type": FORM,
        f"X-Plivo-Signature-{'Ma-' if main else ''}V3": signature,
        "X-Plivo-Signature-V3-Nonce": nonce,
    }


def test_no_route_of_plivos_is_without_the_guard(tmp_path: object) -> None:
    app = create_app(Config.load({"INSTANCE_DIR": str(tmp_path)}))

    assert bp.before_request_funcs[None] == [guard]
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/dialstatus"):
            assert rule.endpoint.startswith("dial."), rule


@pytest.mark.parametrize(
    "name", ["", "action", "callback", "ring", "hangup", "recording", "fallback", "confirm", "music", "voicemail"]
)
def test_a_stranger_gets_403_and_nothing_of_it_is_kept(start_server: Callable[..., Server], name: str) -> None:
    server = start_server()
    call_uuid = new_uuid()

    for token in (None, "another-token"):
        reply = server.plivo("POST", f"/dialstatus/{name}/".replace("//", "/"), dial_report(call_uuid), token=token)
        assert (reply.status, reply.body, reply.content_type) == (403, "<Response/>", "application/xml")

    assert server.api(f"/calls/{call_uuid}").status == 404


def test_a_signed_head_request_is_answered_and_not_kept(start_server: Callable[..., Server]) -> None:
    server = start_server()
    call_uuid, nonce = new_uuid(), make_nonce()
    target = f"/dialstatus/?CallUUID={call_uuid}"
    signature = sign_v3(method="GET", url=server.url + target, params=[], nonce=nonce, token=TOKEN)

    reply = server.request(
        "HEAD", target, headers={"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}
    )

    assert (reply.status, reply.content_type, reply.body) == (200, "application/xml", "")
    assert server.api(f"/calls/{call_uuid}").status == 404


def test_what_plivo_called_is_what_counts_behind_a_tunnel(start_server: Callable[..., Server]) -> None:
    server = start_server(PUBLIC_URL=PUBLIC)
    headers = v3(f"{PUBLIC}/dialstatus/?a=%C3%A9", [("CallUUID", "c")])

    reply = server.request("POST", "/dialstatus/?a=%C3%A9", "CallUUID=c", headers)

    assert reply.status == 200
    assert reply.attribute("action").startswith(f"{PUBLIC}/dialstatus/action/?")


def test_a_fragment_that_was_sent_along_is_no_part_of_the_request(start_server: Callable[..., Server]) -> None:
    server = start_server()
    call_uuid = new_uuid()
    answer = server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    action = answer.attribute("action")  # It ends with Plivo's own settings behind a `#`, which are for Plivo to read.
    target, _, settings = action.removeprefix(server.url).partition("#")
    report = dial_report(call_uuid, "busy")

    reply = server.request("POST", f"{target}#{settings}", urlencode(report), v3(action, list(report.items())))

    assert (reply.status, settings != "") == (200, True)
    [dial] = server.api(f"/calls/{call_uuid}").json()["dials"]
    assert (dial["outcome"], dial["dial_id"]) == ("busy", target.partition("dial=")[2].partition("&")[0])


def test_forwarded_headers_count_from_exactly_the_trusted_proxies(start_server: Callable[..., Server]) -> None:
    headers = v3(f"{PUBLIC}/dialstatus/", [("CallUUID", "c")])
    one_hop = {**headers, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "calls.example.com"}
    two_hops = {
        **headers,
        "X-Forwarded-Proto": "http, https",
        "X-Forwarded-Host": "evil.example.net, calls.example.com",
    }

    trusting, wary = start_server(TRUSTED_PROXIES=1), start_server(TRUSTED_PROXIES=0)

    assert trusting.request("POST", "/dialstatus/", "CallUUID=c", one_hop).status == 200
    assert trusting.request("POST", "/dialstatus/", "CallUUID=c", two_hops).status == 200
    assert trusting.request("POST", "/dialstatus/", "CallUUID=c", headers).status == 403
    assert wary.request("POST", "/dialstatus/", "CallUUID=c", one_hop).status == 403


@pytest.mark.parametrize("name", ["Port", "Host", "Proto", "For"])
def test_the_caller_is_served_with_any_forwarded_header(start_server: Callable[..., Server], name: str) -> None:
    server = start_server(TRUSTED_PROXIES=1, WORKERS=1, VERIFY_SIGNATURES="off")

    for value in ("", "no-port", "443,443", "99999999", "-1", "0x1bb", "[::1]:x", "1" * 500):
        headers = {"Content-Type": FORM, f"X-Forwarded-{name}": value}
        reply = server.request("POST", "/dialstatus/", "CallUUID=c", headers)
        assert (reply.status, reply.content_type) == (200, "application/xml"), value
        assert "<Dial" in reply.body


def test_while_tokens_rotate_either_is_accepted(start_server: Callable[..., Server]) -> None:
    server = start_server(PLIVO_AUTH_TOKEN=f"the-next-token, {TOKEN}")

    for token, expected in ((TOKEN, 200), ("the-next-token", 200), ("a-token-of-another-account", 403)):
        assert server.plivo("POST", "/dialstatus/", inbound(new_uuid()), token=token).status == expected


def v2(url: str) -> dict[str, str]:
    """Return the V2 headers of a request, one wrong signature before the right one."""
    nonce = make_nonce()
    return {
        "Content-Type": FORM,
        "X-Plivo-Signature-V2": f"bm90IHRoaXM=, {sign_v2(url=url, nonce=nonce, token=TOKEN)}",
        "X-Plivo-Signature-V2-Nonce": nonce,
    }


def test_a_main_accounts_signature_is_accepted(start_server: Callable[..., Server]) -> None:
    server = start_server()

    main = v3(f"{server.url}/dialstatus/", [("CallUUID", "c")], main=True)

    assert server.request("POST", "/dialstatus/", "CallUUID=c", main).status == 200


def test_v2_alone_is_refused_with_a_reason_unless_the_setting_accepts_it(start_server: Callable[..., Server]) -> None:
    strict, lenient = start_server(), start_server(ACCEPT_V2="true")

    refused = strict.request("POST", "/dialstatus/", "CallUUID=c", v2(f"{strict.url}/dialstatus/"))
    accepted = lenient.request("POST", "/dialstatus/", "CallUUID=c", v2(f"{lenient.url}/dialstatus/"))

    assert (refused.status, accepted.status) == (403, 200)
    [line] = until(lambda: strict.events("signature_refused"))
    assert (line["scheme"], line["signature"]) == ("V2", "invalid")
    assert "ACCEPT_V2=true" in line["reason"]


def sent(server: Server, target: str, fields: dict[str, str], headers: dict[str, str], method: str = "POST") -> int:
    """Send a request with the headers of another one and return the status."""
    body = urlencode(fields) if method == "POST" else None
    return server.request(method, target, body, {**headers, "Content-Type": FORM}).status


def nonce_with(headers: dict[str, str], text: str) -> dict[str, str]:
    """Return the headers with text before the nonce."""
    name = next(name for name in headers if name.endswith("-Nonce"))
    return {**headers, name: text + headers[name]}


def test_a_captured_v3_request_signs_nothing_else(start_server: Callable[..., Server]) -> None:
    server = start_server()
    call_uuid = new_uuid()
    report = dial_report(call_uuid)
    target = "/dialstatus/action/?step=desk"
    headers = v3(server.url + target, list(report.items()))
    signed_text = "".join(name + value for name, value in sorted(report.items()))

    assert sent(server, target, {}, nonce_with(headers, f"{signed_text}.")) == 403
    assert sent(server, f"{target}.{quote(signed_text)}", {}, headers, "GET") == 403
    assert sent(server, target, {**report, "CallStatus": f"ringingCallUUID{call_uuid}"}, headers) == 403
    merged = dict(report)
    del merged["To"]
    assert sent(server, target, {**merged, "From": f"{report['From']}To{report['To']}"}, headers) == 403
    cut = dict(report)
    del cut["DialStatus"]
    assert sent(server, target, {**cut, "DialStat": "usno-answer"}, headers) == 403
    assert server.api(f"/calls/{call_uuid}").status == 404
    assert sent(server, target, report, headers) == 200


def test_a_captured_get_request_is_no_post(start_server: Callable[..., Server]) -> None:
    server = start_server()
    fields = sorted(inbound(new_uuid()).items())
    target, nonce = f"/dialstatus/?{urlencode(fields)}", make_nonce()
    signature = sign_v3(method="GET", url=server.url + target, params=[], nonce=nonce, token=TOKEN)
    headers = {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}
    form = {name: f"={value}&" for name, value in fields[:-1]} | {fields[-1][0]: f"={fields[-1][1]}"}

    assert sent(server, "/dialstatus/", form, headers) == 403
    assert sent(server, target, {}, headers, "GET") == 200


@pytest.mark.parametrize(
    ("signed_path", "path", "absorbed"),
    [
        ("/dialstatus/hangup/", "/dialstatus/", "hangup/"),
        ("/dialstatus/action/", "/dialstatus/", "action/"),
        ("/dialstatus/hangup", "/dialstatus/", "hangup"),
        ("/dialstatus/callback", "/dialstatus/", "callback"),
    ],
)
def test_a_captured_v2_signature_opens_no_other_route(
    start_server: Callable[..., Server], signed_path: str, path: str, absorbed: str
) -> None:
    server = start_server(ACCEPT_V2="true")
    fields = inbound(new_uuid())
    headers = v2(server.url + signed_path)

    assert sent(server, path, fields, nonce_with(headers, absorbed)) == 403
    assert sent(server, signed_path, fields, headers) == 200


def test_a_nonce_signs_one_content_only(start_server: Callable[..., Server], database_url: str) -> None:
    server = start_server(ACCEPT_V2="true", DATABASE_URL=database_url, WORKERS=2)
    genuine, forged = new_uuid(), new_uuid()
    headers = v2(f"{server.url}/dialstatus/action/")

    assert sent(server, "/dialstatus/action/", dial_report(genuine, "busy"), headers) == 200
    for _ in range(6):  # Enough connections to reach both workers.
        assert sent(server, "/dialstatus/action/", dial_report(forged, "busy"), headers) == 403
        assert sent(server, "/dialstatus/action/", dial_report(genuine, "completed", "b"), headers) == 403
    assert sent(server, "/dialstatus/action/", dial_report(genuine, "busy"), headers) == 200

    assert server.api(f"/calls/{forged}").status == 404
    [dial] = server.api(f"/calls/{genuine}").json()["dials"]
    assert (dial["outcome"], dial["deliveries"]) == ("busy", 2)
    assert until(lambda: server.events("nonce_reused"))


def test_a_request_signed_for_another_host_is_not_taken(start_server: Callable[..., Server]) -> None:
    server = start_server()
    fields = inbound(new_uuid())
    headers = v3("http://staging.example.com/dialstatus/", list(fields.items()))

    assert sent(server, "/dialstatus/", fields, {**headers, "Host": "staging.example.com"}) == 403
    [line] = until(lambda: server.events("signature_refused"))
    assert line["reason"].startswith(
        "host: Plivo signed http://staging.example.com/dialstatus/ and this server checked "
    )


def test_a_phlo_report_does_not_overrule_a_signed_one(start_server: Callable[..., Server]) -> None:
    server = start_server(PHLO_TOKEN="a-token-of-the-phlo")
    call_uuid = new_uuid()
    headers = {"Authorization": "bearer a-token-of-the-phlo", "Content-Type": FORM}
    server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid, "no-answer"))

    claim = urlencode(dial_report(call_uuid, "completed", "a-leg"))
    assert server.request("POST", "/dialstatus/phlo/", claim, headers).status == 200
    assert server.request("POST", "/dialstatus/action/", claim, headers).status == 403

    [dial] = server.api(f"/calls/{call_uuid}").json()["dials"]
    assert (dial["outcome"], dial["signature"]) == ("missed", "valid")
    signatures = [receipt["signature"] for receipt in server.api(f"/calls/{call_uuid}").json()["receipts"]]
    assert sorted(signatures) == ["bearer", "valid"]


@pytest.mark.parametrize("prefix", ["/voice", ""])
def test_below_a_path_the_prefix_may_be_kept_or_removed(start_server: Callable[..., Server], prefix: str) -> None:
    server = start_server(PUBLIC_URL=f"{PUBLIC}/voice")
    fields = inbound(new_uuid())

    reply = server.request(
        "POST",
        f"{prefix}/dialstatus/",
        urlencode(fields),
        v3(f"{PUBLIC}/voice/dialstatus/", list(fields.items())),
    )

    assert reply.status == 200
    assert reply.attribute("action").startswith(f"{PUBLIC}/voice/dialstatus/action/?")
    refused = server.request("POST", f"{prefix}/dialstatus/nowhere/", "")
    assert (refused.status, refused.body, refused.content_type) == (404, "<Response/>", "application/xml")


def test_observing_lets_a_stranger_in_records_the_verdict_and_says_why(start_server: Callable[..., Server]) -> None:
    server = start_server(VERIFY_SIGNATURES="observe")
    call_uuid = new_uuid()
    headers = v3(f"https://127.0.0.1:{server.port}/dialstatus/", [("CallUUID", call_uuid)])

    reply = server.request("POST", "/dialstatus/", f"CallUUID={call_uuid}", headers)

    assert reply.status == 200
    [receipt] = server.api(f"/calls/{call_uuid}").json()["receipts"]
    assert receipt["signature"] == "invalid"
    [line] = until(lambda: server.events("signature_not_valid"))
    assert line["reason"].startswith("scheme")
    assert not [one for one in server.lines if TOKEN in one or headers["X-Plivo-Signature-V3"] in one]


def test_off_looks_at_no_signature(start_server: Callable[..., Server]) -> None:
    server = start_server(VERIFY_SIGNATURES="off")
    call_uuid = new_uuid()

    server.plivo("POST", "/dialstatus/", inbound(call_uuid), token="anything")

    [receipt] = server.api(f"/calls/{call_uuid}").json()["receipts"]
    assert receipt["signature"] == "unchecked"


def test_a_setting_that_cannot_be_used_stops_the_server_with_a_sentence(start_server: Callable[..., Server]) -> None:
    for settings, sentence in (
        ({"VERIFY_SIGNATURES": "enforce", "PLIVO_AUTH_TOKEN": ""}, "VERIFY_SIGNATURES is 'enforce' without"),
        ({"DIAL_TO": "12"}, "DIAL_TO is '12'"),
    ):
        with pytest.raises(AssertionError, match="the server ended") as stopped:
            start_server(**settings)
        assert sentence in str(stopped.value)
        assert "Traceback" not in str(stopped.value)


def test_without_signatures_the_urls_in_a_reply_lead_through_the_tunnel(start_server: Callable[..., Server]) -> None:
    server = start_server(PLIVO_AUTH_TOKEN="", VERIFY_SIGNATURES="off")

    headers = {"Content-Type": FORM, "Host": "37347786acf6.ngrok.example"}
    reply = server.request("POST", "/dialstatus/", urlencode(inbound(new_uuid())), headers)

    assert reply.attribute("action").startswith("http://37347786acf6.ngrok.example/dialstatus/action/?")
