"""`flask doctor --signature`: a captured request, and why its signature is refused."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from app.voice.signature import sign_v2, sign_v3
from tests.account.conftest import PUBLIC_URL, Cli
from tests.account.plivo_objects import AUTH_TOKEN

NONCE = "12345678901234567890"
PARAMS = {"CallUUID": "a6d5c9a2-1c52-4b3a-9e0f-0123456789ab", "Direction": "inbound", "From": "14155550161"}
PATH = "/dialstatus/action/?dial=a-dial"


def captured(
    *,
    signed_url: str = PUBLIC_URL + PATH,
    target: str = PATH,
    method: str = "POST",
    signed_method: str = "POST",
    params: dict[str, str] = PARAMS,
    signed_params: dict[str, str] = PARAMS,
    token: str = AUTH_TOKEN,
    headers: dict[str, str] | None = None,
    ending: str = "\r\n",
) -> bytes:
    """Return a request as it came over the wire, signed for what Plivo saw of it."""
    signature = sign_v3(method=signed_method, url=signed_url, params=signed_params.items(), nonce=NONCE, token=token)
    body = urlencode(params) if method == "POST" else ""
    fields = {
        "Host": "calls.example.com",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
        "X-Plivo-Signature-V3": signature,
        "X-Plivo-Signature-V3-Nonce": NONCE,
    } | (headers or {})
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value), "", body]
    return ending.join(lines).encode()


@pytest.fixture
def examine(run: Cli, tmp_path: Path) -> Any:
    """Return a function that has a request explained, and returns the exit code and the checks by name."""

    def invoke(request: bytes, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
        file = tmp_path / "request.txt"
        file.write_bytes(request)
        result = run("--signature", str(file), "--json", *words, command="doctor")
        said = json.loads(result.stdout)
        for secret in (NONCE, "14155550161", "a-dial"):
            assert secret not in result.output
        return result.exit_code, {check["name"]: check for check in said["checks"]}

    return invoke


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_a_valid_request_is_said_to_be_valid(examine: Any, ending: str) -> None:
    exit_code, checks = examine(captured(ending=ending) + b"\n")

    assert exit_code == 0
    assert checks["signature"]["said"] == "valid (V3)"
    assert checks["request"]["said"] == (
        f"POST {PUBLIC_URL}/dialstatus/action/, 1 parameter in the query, 3 in the body"
    )
    assert checks["headers"]["said"] == "X-Plivo-Signature-V3, X-Plivo-Signature-V3-Nonce"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (captured(signed_url="http://calls.example.com" + PATH), "scheme: Plivo signed http://calls.example.com/"),
        (captured(signed_url="https://calls.example.com:443" + PATH), "port: Plivo signed"),
        (
            captured(signed_url="https://other.example.com" + PATH, headers={"X-Forwarded-Host": "other.example.com"}),
            "host: Plivo signed https://other.example.com/",
        ),
        (
            captured(signed_url="https://calls.example.com/voice" + PATH, headers={"X-Forwarded-Prefix": "/voice"}),
            "path: Plivo signed https://calls.example.com/voice/dialstatus/",
        ),
        (captured(token="the-token-of-another-account"), "token: no similar URL matches either"),
        (captured(signed_params={}), "body: the signature is that of an empty body"),
        (captured(signed_url=PUBLIC_URL + "/dialstatus/action/"), "query: the signature is that of the URL without"),
        (captured(headers={"X-Plivo-Signature-V3": ""}), "header: x-plivo-signature-v3-nonce came without"),
        (captured(headers={"X-Plivo-Signature-V3": "", "X-Plivo-Signature-V3-Nonce": ""}), "header: "),
        (captured(headers={"X-Plivo-Signature-V3-Nonce": "a.b"}), "form: "),
        (captured(method="PUT"), "method: Plivo signs GET and POST requests alone"),
        (
            captured(signed_method="GET"),
            "method: the signature is that of a GET",
        ),
        (
            captured(
                signed_params={"CallUUID": "x"},
                headers={
                    "X-Plivo-Signature-V2": sign_v2(url=PUBLIC_URL + PATH, nonce=NONCE, token=AUTH_TOKEN),
                    "X-Plivo-Signature-V2-Nonce": NONCE,
                },
            ),
            "content: the V2 signature of the same request is valid",
        ),
    ],
)
def test_a_refused_request_is_explained(examine: Any, request_: bytes, said: str) -> None:
    exit_code, checks = examine(request_)

    assert exit_code == 1
    assert checks["signature"]["ok"] is False
    assert checks["signature"]["said"].startswith(said), checks["signature"]
    assert checks["signature"]["advice"] or said.startswith("method: Plivo signs")


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (b"", "The first line is no request line"),
        (b"hello", "The first line is no request line"),
        (b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort", "The body has 5 bytes, but its Content-Length is 9"),
        (b"POST / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", "The headers cannot be read"),
        (b"x" * 1_100_000, "more than a mebibyte"),
    ],
)
def test_what_is_no_request_is_refused_with_a_sentence(run: Cli, tmp_path: Path, request_: bytes, said: str) -> None:
    file = tmp_path / "request.txt"
    file.write_bytes(request_)

    result = run("--signature", str(file), command="doctor")

    assert result.exit_code == 2
    assert said in result.output


def test_a_request_may_come_from_standard_input(run: Cli) -> None:
    result = run("--signature", "-", answer=captured().decode(), command="doctor")

    assert result.exit_code == 0, result.output
    assert "✓ signature: valid (V3)" in result.output


def test_a_sub_path_that_a_proxy_removed_is_found_with_the_url_that_plivo_calls(examine: Any) -> None:
    removed = captured(signed_url="https://calls.example.com/voice" + PATH)

    _, without = examine(removed)
    _, checks = examine(removed, "--url", "https://calls.example.com/voice")

    assert without["signature"]["said"].startswith("token: ")
    assert checks["signature"]["said"].startswith("path: Plivo signed https://calls.example.com/voice/dialstatus/")


def test_without_a_token_nothing_is_verified(examine: Any, environ: dict[str, str]) -> None:
    del environ["PLIVO_AUTH_TOKEN"]

    exit_code, checks = examine(captured())

    assert exit_code == 1
    assert checks["signature"]["said"] == "token: none is set"


def test_behind_a_trusted_proxy_its_headers_count(examine: Any, environ: dict[str, str]) -> None:
    del environ["PUBLIC_URL"]
    environ["TRUSTED_PROXIES"] = "1"
    forwarded = {"Host": "127.0.0.1:5000", "X-Forwarded-Host": "calls.example.com", "X-Forwarded-Proto": "https"}

    exit_code, checks = examine(captured(headers=forwarded))

    assert exit_code == 0, checks


def test_v2_alone_is_refused_with_the_setting_that_accepts_it(examine: Any) -> None:
    headers = {
        "X-Plivo-Signature-V3": "",
        "X-Plivo-Signature-V3-Nonce": "",
        "X-Plivo-Signature-V2": sign_v2(url=PUBLIC_URL + PATH, nonce=NONCE, token=AUTH_TOKEN),
        "X-Plivo-Signature-V2-Nonce": NONCE,
    }

    _, checks = examine(captured(headers=headers))

    assert checks["signature"]["said"].startswith("V2: only V2 signs this request")
    assert "ACCEPT_V2=true" in checks["signature"]["advice"]


def test_a_body_that_the_server_would_refuse_is_a_sentence(examine: Any) -> None:
    exit_code, checks = examine(captured(headers={"Content-Type": "application/json"}))

    assert exit_code == 1
    assert "Plivo sends application/x-www-form-urlencoded" in checks["request"]["said"]


@pytest.mark.parametrize(
    ("token", "bearer", "said"),
    [
        (None, "", "PHLO_TOKEN is not set"),
        ("a-made-up-token-of-the-phlo", "", "the Authorization header is not `Bearer` and PHLO_TOKEN"),
        ("a-made-up-token-of-the-phlo", "Bearer another", "the Authorization header is not `Bearer` and PHLO_TOKEN"),
        ("a-made-up-token-of-the-phlo", "Bearer a-made-up-token-of-the-phlo", "a PHLO signs nothing"),
    ],
)
def test_a_request_of_a_phlo_is_let_in_by_its_bearer(
    examine: Any, environ: dict[str, str], token: str | None, bearer: str, said: str
) -> None:
    environ |= {"PHLO_TOKEN": token} if token else {}

    exit_code, checks = examine(captured(target="/dialstatus/phlo/", headers={"Authorization": bearer}))

    assert exit_code == (0 if said == "a PHLO signs nothing" else 1)
    assert said in checks["bearer"]["said"]
