"""Published vectors, from Plivo's SDK repositories, and others computed with plivo-python 4.63.0."""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence

import pytest

from app.voice.signature import Verdict, sign_v2, sign_v3, verify
from tests.voice.signing import v2_headers, v3_headers

PLIVO_TOKEN = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
PLIVO_NONCE = "31627761595286130198"
PLIVO_URL = "https://plivobin.non-prod.plivops.com/api/v1/validate_signature03.xml"
PLIVO_FIELDS = [
    ("Direction", "outbound"),
    ("From", "19792014278"),
    ("ALegUUID", "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36"),
    ("CallStatus", "in-progress"),
    ("BillRate", "0.002"),
    ("ParentAuthID", "MANWVLYTK4ZWU1YTY4QA"),
    ("To", "sip:PlivoSignature382029104058171078704104@phone-qa.voice.plivodev.com"),
    ("ALegRequestUUID", "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36"),
    ("CallUUID", "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36"),
    ("RequestUUID", "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36"),
    ("SIP-H-To", "<sip:PlivoSignature382029104058171078704104@52.9.11.55;transport=udp>;tag=1"),
    ("SessionStart", "2020-04-08 11:34:33.238707"),
    ("Event", "StartApp"),
]

TOKEN = "plivo_test_auth_token"
NONCE = "12345678901234567890"
ACTION_URL = "https://example.com/dial/action"
REPORT = {"CallUUID": "aaaa", "DialStatus": "completed", "From": "+14155551234"}

Fields = Mapping[str, str | Sequence[str]]


def pairs(fields: Fields) -> list[tuple[str, str]]:
    return [
        (name, value) for name, values in fields.items() for value in ([values] if isinstance(values, str) else values)
    ]


V2_ROOT = "ehV3IKhLysWBxC1sy8INm0qGoQYdYsHwuoKjsX7FsXc="


@pytest.mark.parametrize(
    ("url", "nonce", "token", "signature", "verdict"),
    [
        ("https://answer.url", "12345", "my_auth_token", V2_ROOT, Verdict.VALID),
        ("https://answer.url", "12345", "my_auth_tokens", V2_ROOT, Verdict.INVALID),
        ("https://answer.url", "123456", "my_auth_tokens", V2_ROOT, Verdict.INVALID),
        ("https://answer.url", "123456", "my_auth_token", V2_ROOT, Verdict.INVALID),
        ("https://answer.url", "12345", "my_auth_tokens", V2_ROOT.rstrip("="), Verdict.INVALID),
        ("https://answer.url", "12345", "my_auth_token", V2_ROOT.rstrip("="), Verdict.INVALID),
        (
            "https://answer.url/",
            "12345",
            "my_auth_token",
            "do1CXv+k99A6+B+eTcyqbxWlezFIxJ/1vz72787r37g=",
            Verdict.VALID,
        ),
        (
            "https://answer.url:8000",
            "12345",
            "my_auth_token",
            "Gm7Z7AGBmf5JpSHrtUmeofrGyA4xV0ZiV0rH8JPXWGU=",
            Verdict.VALID,
        ),
    ],
)
def test_v2_judges_the_published_vectors_as_plivo_does(
    url: str, nonce: str, token: str, signature: str, verdict: Verdict
) -> None:
    headers = v2_headers(signature, nonce)

    verification = verify(method="POST", url=url, params=[], headers=headers, tokens=[token])

    assert verification.verdict is verdict
    assert (sign_v2(url=url, nonce=nonce, token=token) == signature) is (verdict is Verdict.VALID)


@pytest.mark.parametrize(
    ("method", "url", "signature", "verdict"),
    [
        ("POST", f"{PLIVO_URL}/?a=b&c=d", "k7Pusd4OxCIjR5IfA9iedDNu/h/gbdYqdzG/MiYtd1c=", Verdict.VALID),
        ("GET", f"{PLIVO_URL}/?a=b&c=d", "UBq8jAtd32wR8EK9VgxbBn4n5rpI/l1H9iN4WfSEHFQ=", Verdict.VALID),
        ("POST", PLIVO_URL, "iAjE5QqI37mbkYe4w3jTMudqEzbDufdqi7sYwTu64e0=", Verdict.VALID),
        ("GET", PLIVO_URL, "i/MQsaQSAd6fiKhOh2qeeeLHZ9faldADSb3/7+Akfbc=", Verdict.VALID),
        ("GET", PLIVO_URL, "UBq8jAtd32wR8EK9VgxbBn4n5rpI/l1H9iN4WfSEHFQ=", Verdict.INVALID),
    ],
)
def test_v3_judges_the_published_vectors_as_plivo_does(method: str, url: str, signature: str, verdict: Verdict) -> None:
    headers = v3_headers(signature, PLIVO_NONCE)

    verification = verify(method=method, url=url, params=PLIVO_FIELDS, headers=headers, tokens=[PLIVO_TOKEN])
    signed = sign_v3(method=method, url=url, params=PLIVO_FIELDS, nonce=PLIVO_NONCE, token=PLIVO_TOKEN)

    assert verification.verdict is verdict
    assert (signed == signature) is (verdict is Verdict.VALID)


@pytest.mark.parametrize(
    ("method", "url", "fields", "signature"),
    [
        ("POST", ACTION_URL, REPORT, "zeMBVxDf04nU1F45AvbYpXWvwY+ExAReCouRI40z1Wo="),
        ("POST", f"{ACTION_URL}?order=7", REPORT, "x31S3Riir2WlhMS3WvCGNUt4AWDw3BXX+2Sgn9gJg7I="),
        ("POST", ACTION_URL, {}, "juD4hjM7OmqFjw4FJetRbDO79IWdrXr0mYtkUKsanIQ="),
        ("POST", f"{ACTION_URL}?order=7", {}, "FiT1DcNlbfCEgKw75tIKv5oXQ/PlHFN/S1vXr+F55nc="),
        (
            "GET",
            f"{ACTION_URL}?From=%2B14155551234&DialStatus=no-answer&DialBLegUUID=&CallUUID=aaaa",
            {},
            "G7Mdi98VSYB2GPDQKS2V94gKvuud1grMNL+DfFitJB8=",
        ),
        (
            "POST",
            ACTION_URL,
            {"DialBLegUUID": "", "DialStatus": "no-answer"},
            "I4xChlJviV41Kw9vO5mnCdw7vUBWFxT4h9v20hYalvA=",
        ),
        ("POST", ACTION_URL, {"CallerName": "José Ñ"}, "KflHn7T9qVS+DsOh57Z/WqtHgE9oG7/hHEuJevKAh08="),
        (
            "POST",
            "https://example.com:8443/dial/action?b=2&a=1&a=0",
            {"K": ["z", "y"]},
            "+z044VPjyA7xY/dvyGi48TyJJHFwzsKKtJFx5SWX7Ao=",
        ),
        (
            "POST",
            f"{ACTION_URL}?note=a+b%26c",
            {"K": "v"},
            "P0W8B2PgExXtzYXqheENPWS7qHBdI5UmFyPftUxSMk8=",
        ),
    ],
)
def test_v3_signs_and_accepts_what_plivo_python_computes(method: str, url: str, fields: Fields, signature: str) -> None:
    params = pairs(fields)
    headers = v3_headers(signature, NONCE)

    verification = verify(method=method, url=url, params=params, headers=headers, tokens=[TOKEN])

    assert verification.verdict is Verdict.VALID
    assert verification.scheme == "V3"
    assert sign_v3(method=method, url=url, params=params, nonce=NONCE, token=TOKEN) == signature


def test_v3_signs_the_worked_example_as_the_community_vector_does() -> None:
    fields = {
        "CallUUID": "4vbcpem8-0u46-x1ha-9af1-438vc92bf374",
        "Digits": "1234",
        "From": "+15551111111",
        "To": "+15555555555",
    }

    signed = sign_v3(
        method="POST",
        url="https://example.com/abcd?foo=bar",
        params=pairs(fields),
        nonce="kjsdhfsd87sd7yisud2",
        token=TOKEN,
    )

    assert signed == "Rd0E/xpBKM9WgLTg4CX7mKwJlvGex3GvJivzq1ESO6c="


@pytest.mark.parametrize(
    ("method", "url", "fields", "canonical"),
    [
        # The worked example of Plivo's documentation, its UUID shortened.
        (
            "POST",
            "https://example.com/abcd?foo=bar",
            {"To": "+15555555555", "From": "+15551111111", "Digits": "1234", "CallUuid": "4vbcpem8-0u46"},
            "https://example.com/abcd?foo=bar.CallUuid4vbcpem8-0u46Digits1234From+15551111111To+15555555555",
        ),
        # From the tests of Plivo's command line tool.
        ("POST", "https://example.com/answer?a=1&a=2", {"K": "v"}, "https://example.com/answer?a=1&a=2.Kv"),
        ("GET", "https://example.com/answer?a=1&a=2", {"b": "3"}, "https://example.com/answer?a=1&a=2&b=3"),
        ("GET", "https://example.com/answer?a=1", {"a": "2"}, "https://example.com/answer?a=1"),
        (
            "POST",
            "https://example.com/answer",
            {"CallUUID": "abc", "From": "+14155551234"},
            "https://example.com/answer?CallUUIDabcFrom+14155551234",
        ),
        ("POST", "https://example.com/answer", {}, "https://example.com/answer"),
        ("POST", "https://example.com/answer?x=1", {}, "https://example.com/answer?x=1"),
        # What plivo-python 4.63.0 signs in the less common situations.
        ("POST", "https://x.io/a", {"B": "2", "A": "1"}, "https://x.io/a?A1B2"),
        ("POST", "https://x.io/a?q=1", {"B": "2", "A": ""}, "https://x.io/a?q=1.AB2"),
        ("GET", "https://x.io/a", {}, "https://x.io/a"),
        ("GET", "https://x.io/a?B=2&A=1", {}, "https://x.io/a?A=1&B=2"),
        ("GET", "https://x.io/a?B=2&A=1", {"A": "1", "B": "2"}, "https://x.io/a?A=1&B=2"),
        (
            "POST",
            "https://x.io:443/a?y=a+b&z=%2B1",
            {"To": "+1555"},
            "https://x.io:443/a?y=a b&z=+1.To+1555",
        ),
        ("POST", "https://x.io/a", {"L": ["b", "a"]}, "https://x.io/a?LaLb"),
        ("POST", "https://x.io/a?q=", {"A": "1"}, "https://x.io/a?q=.A1"),
        ("POST", "https://x.io/a%20b", {"A": "1"}, "https://x.io/a%20b?A1"),
        ("POST", "https://x.io/a", {"a": "1", "B": "2"}, "https://x.io/a?B2a1"),
        ("POST", "https://x.io/a", {"": ""}, "https://x.io/a?"),
        ("POST", "https://x.io/a?q=1", {"": ""}, "https://x.io/a?q=1."),
        ("GET", "https://x.io/a?=1&&b", {}, "https://x.io/a?=1&b="),
        ("GET", "https://x.io/a?b=1;c=2", {}, "https://x.io/a?b=1;c=2"),
        ("GET", "https://x.io/a?b=%zz%4", {}, "https://x.io/a?b=%zz%4"),
        ("GET", "https://x.io/a;v=1/b;w=2?c=3#rc=2", {}, "https://x.io/a;v=1/b?c=3"),
        ("GET", "https://x.io?c=3", {}, "https://x.io?c=3"),
        ("GET", "https://x;y.io?c=3", {}, "https://x;y.io?c=3"),
        # What it crashes on, signed by the same rules.
        ("GET", "https://x.io/a?name=Jos%C3%A9+%C3%91", {}, "https://x.io/a?name=José Ñ"),
        ("POST", "https://x.io/a?name=Jos%C3%A9", {"City": "Köln"}, "https://x.io/a?name=José.CityKöln"),
        ("GET", "https://x.io/a?name=%FF", {}, "https://x.io/a?name=\ufffd"),
        ("GET", "https://x.io/é?name=ü", {}, "https://x.io/é?name=ü"),
    ],
)
def test_v3_signs_the_canonical_text(method: str, url: str, fields: Fields, canonical: str) -> None:
    signed = sign_v3(method=method, url=url, params=pairs(fields), nonce=NONCE, token=TOKEN)

    assert signed == hmac_of(f"{canonical}.{NONCE}")


def hmac_of(text: str) -> str:
    return b64encode(hmac.digest(TOKEN.encode(), text.encode(), "sha256")).decode()


@pytest.mark.parametrize(
    ("fields", "signature"),
    [
        (
            {"CallUUID": "97ceeb52-58b6-11e1-86da-77300b68f8bb", "Duration": "300"},
            "EJEt0ELanhr8hjMPIJnLNLex0dE=",
        ),
        ({"a": "1 2"}, "n3Xfo4u+vRFyl3gsH8B0qDUIK5g="),
        (
            {"CallUUID": "97ceeb52-58b6-11e1-86da-77300b68f8bb", "Duration": "300"},
            "EJEt0ELanhr8hjMPIJnLNLef0dE=",
        ),
        (
            {"CallUUID": "97ceeb52-58b6-11e1-86da-77300b6b8f8bb", "Duration": "300"},
            "EJEt0ELanhr8hjMPIJnLNLex0dE=",
        ),
    ],
)
def test_v1_is_never_accepted_not_even_when_it_is_right(fields: Fields, signature: str) -> None:
    verification = verify(
        method="POST",
        url="http://foo.com/answer/",
        params=pairs(fields),
        headers={"X-Plivo-Signature": signature},
        tokens=["MAXXXXXXXXXXXXXXXXXX"],
    )

    assert verification.verdict is Verdict.MISSING
    assert verification.reason is not None
    assert "V1" in verification.reason
