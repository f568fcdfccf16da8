"""Which signatures are valid, which are not, and that no input raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import EnvironHeaders

from app.voice.signature import (
    Headers,
    Offer,
    Verdict,
    Verification,
    advise,
    explain,
    make_nonce,
    read_offer,
    sign_v2,
    sign_v3,
    verify,
)
from tests.voice.signing import (
    FIELDS,
    NONCE,
    OLD_TOKEN,
    TOKEN,
    URL,
    Fields,
    judge,
    v2_headers,
    v2_of,
    v3_headers,
    v3_of,
)

# Valid.


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ({"X-Plivo-Signature-V3": v3_of(), "X-Plivo-Signature-V3-Nonce": NONCE}, "V3"),
        ({"X-Plivo-Signature-Ma-V3": v3_of(), "X-Plivo-Signature-V3-Nonce": NONCE}, "Ma-V3"),
        (
            {
                "X-Plivo-Signature-V3": v3_of(token="of-a-subaccount"),
                "X-Plivo-Signature-Ma-V3": v3_of(),
                "X-Plivo-Signature-V3-Nonce": NONCE,
            },
            "Ma-V3",
        ),
        ({"X-Plivo-Signature-V2": v2_of(), "X-Plivo-Signature-V2-Nonce": NONCE}, "V2"),
        ({"X-Plivo-Signature-Ma-V2": v2_of(), "X-Plivo-Signature-V2-Nonce": NONCE}, "Ma-V2"),
        ({"x-plivo-signature-v3": v3_of(), "X-PLIVO-SIGNATURE-V3-NONCE": NONCE}, "V3"),
        (
            EnvironHeaders({"HTTP_X_PLIVO_SIGNATURE_V3": v3_of(), "HTTP_X_PLIVO_SIGNATURE_V3_NONCE": NONCE}),
            "V3",
        ),
    ],
)
def test_a_correct_signature_is_valid_in_each_header(headers: Headers, scheme: str) -> None:
    assert judge(headers) == Verification(verdict=Verdict.VALID, scheme=scheme, reason=None)


@pytest.mark.parametrize("separator", [",", ", ", " ,", " , "])
@pytest.mark.parametrize("right_one", [0, 1, 2])
def test_one_correct_signature_of_several_is_enough(separator: str, right_one: int) -> None:
    signatures = [v3_of(token="another"), v3_of(token="a third"), ""]
    signatures[right_one] = v3_of()

    assert judge(v3_headers(separator.join(signatures))).verdict is Verdict.VALID


@pytest.mark.parametrize("signing_token", [TOKEN, OLD_TOKEN])
def test_every_token_counts_while_they_are_rotated(signing_token: str) -> None:
    headers = v3_headers(v3_of(token=signing_token))

    assert judge(headers, tokens=(TOKEN, OLD_TOKEN)).verdict is Verdict.VALID


def test_head_is_signed_as_get() -> None:
    headers = v3_headers(v3_of(method="GET", params=[]))

    assert judge(headers, method="HEAD", params=[]).verdict is Verdict.VALID
    assert v3_of(method="HEAD", params=[]) == v3_of(method="GET", params=[])


def test_the_order_of_fields_does_not_matter() -> None:
    params = [("K", "b"), ("A", "1"), ("K", "a")]

    assert judge(v3_headers(v3_of(params=params)), params=params[::-1]).verdict is Verdict.VALID


# Not valid.


@pytest.mark.parametrize(
    "change",
    [
        {"params": [*FIELDS, ("More", "")]},
        {"params": FIELDS[1:]},
        {"params": [("DialStatus", "completed"), *FIELDS[1:]]},
        {"url": URL.replace("dial=7", "dial=8")},
        {"url": URL.replace("/action/", "/action")},
        {"url": URL.replace("https:", "http:")},
        {"url": URL.replace("calls.", "other.")},
        {"url": URL.replace(".com", ".com:443")},
        {"method": "GET"},
        {"tokens": (OLD_TOKEN, TOKEN.upper())},
        {"headers": v3_headers(v3_of(), nonce=NONCE[::-1])},
        {"headers": v3_headers(v3_of().lower())},
        {"headers": v3_headers(v3_of()[:-1])},
        {"headers": v3_headers("")},
        {"headers": v3_headers("é")},
        {"headers": v3_headers(v2_of())},
    ],
)
def test_a_request_that_was_changed_is_invalid(change: dict[str, object]) -> None:
    request = {
        "method": "POST",
        "url": URL,
        "params": FIELDS,
        "headers": v3_headers(v3_of()),
        "tokens": (TOKEN,),
    }

    verification = verify(**(request | change))  # type: ignore[arg-type]

    assert verification == Verification(
        verdict=Verdict.INVALID, scheme="V3", reason="no signature in the request matches"
    )


def test_a_correct_v2_signature_does_not_make_up_for_a_wrong_v3_one() -> None:
    verification = judge(v3_headers("wrong") | v2_headers(v2_of()))

    assert (verification.verdict, verification.scheme) == (Verdict.INVALID, "V3")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "", "GÉT"])
@pytest.mark.parametrize("headers", [v3_headers(v3_of()), v2_headers(v2_of())])
def test_a_method_that_plivo_does_not_use_is_never_valid(method: str, headers: dict[str, str]) -> None:
    verification = judge(headers, method=method)

    assert verification.verdict is Verdict.INVALID
    assert verification.reason == "Plivo signs GET and POST requests alone"


def test_signing_a_method_that_plivo_does_not_use_says_what_to_use() -> None:
    with pytest.raises(ValueError, match="method is 'PUT'; Plivo signs GET and POST requests alone"):
        v3_of(method="put")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "x-plivo-signature-v3 is missing"),
        ({"X-Plivo-Signature-V3": v3_of()}, "x-plivo-signature-v3-nonce is missing"),
        ({"X-Plivo-Signature-Ma-V3": v3_of()}, "x-plivo-signature-v3-nonce is missing"),
        ({"X-Plivo-Signature-V2": v2_of()}, "x-plivo-signature-v2-nonce is missing"),
        (
            {"X-Plivo-Signature-V3-Nonce": NONCE},
            "x-plivo-signature-v3-nonce came without x-plivo-signature-v3",
        ),
        (
            {"X-Plivo-Signature-V3-Nonce": NONCE} | v2_headers(v2_of()),
            "x-plivo-signature-v3-nonce came without x-plivo-signature-v3",
        ),
        (
            {"X-Plivo-Signature": "EJEt0ELanhr8hjMPIJnLNLex0dE="},
            "x-plivo-signature-v3 is missing, and the V1 signature (SHA-1) is not accepted",
        ),
        (EnvironHeaders({"HTTP_HOST": "calls.example.com"}), "x-plivo-signature-v3 is missing"),
    ],
)
def test_a_missing_header_is_named(headers: Headers, reason: str) -> None:
    assert judge(headers) == Verification(verdict=Verdict.MISSING, scheme=None, reason=reason)


@pytest.mark.parametrize("tokens", [(), ("",), ("", "")])
def test_without_a_token_nothing_is_checked_and_nothing_valid(tokens: tuple[str, ...]) -> None:
    verification = judge(v3_headers(v3_of(token="")), tokens=tokens)

    assert (verification.verdict, verification.reason) == (Verdict.UNCHECKED, "no auth token is set")


def test_an_empty_token_beside_a_real_one_lets_nobody_in() -> None:
    verification = judge(v3_headers(v3_of(token="")), tokens=(TOKEN, ""))

    assert verification.verdict is Verdict.INVALID


@pytest.mark.parametrize("nonce", ["1", "31627761595286130198", "9a5c1f00-2222-4333-8444-555555555555", "a" * 64])
def test_a_nonce_of_letters_digits_and_hyphens_is_accepted(nonce: str) -> None:
    signed = sign_v3(method="POST", url=URL, params=FIELDS, nonce=nonce, token=TOKEN)

    assert judge(v3_headers(signed, nonce=nonce)).verdict is Verdict.VALID


@pytest.mark.parametrize("nonce", ["", "a" * 65, "a.1", "a/1", "a?1", "a&b=1", "a b", " 1", "1\n", "é", "１"])
def test_any_other_nonce_is_refused_however_well_it_is_signed(nonce: str) -> None:
    third = sign_v3(method="POST", url=URL, params=FIELDS, nonce=nonce, token=TOKEN)
    second = sign_v2(url=URL, nonce=nonce, token=TOKEN)

    for headers in (v3_headers(third, nonce=nonce), v2_headers(second, nonce=nonce)):
        verification = judge(headers)
        assert verification.verdict is Verdict.INVALID
        assert (verification.reason or "").endswith("has a form that Plivo does not use")


@pytest.mark.parametrize("word", ["hangup", "action", "callback", "ring", "recording", "phlo", "confirm"])
def test_a_v2_nonce_holds_no_word_of_a_path(word: str) -> None:
    nonce = f"{word}{NONCE}"

    assert judge(v2_headers(sign_v2(url=URL, nonce=nonce, token=TOKEN), nonce=nonce)).verdict is Verdict.INVALID


@pytest.mark.parametrize("header", [",".join(["A"] * 5), "A" * 257, "," * 2000])
def test_more_signatures_than_plivo_sends_are_refused(header: str) -> None:
    for headers in (v3_headers(header), {"X-Plivo-Signature-Ma-V3": header, "X-Plivo-Signature-V3-Nonce": NONCE}):
        verification = judge(headers)
        assert verification.verdict is Verdict.INVALID
        assert verification.reason == "more than 4 signatures in one header"


@pytest.mark.parametrize("position", [0, 3])
def test_four_signatures_are_tried(position: int) -> None:
    signatures = [v3_of(token=str(number)) for number in range(3)]
    signatures.insert(position, v3_of())

    assert judge(v3_headers(",".join(signatures))).verdict is Verdict.VALID


def test_v2_alone_may_be_refused_and_v3_beside_it_is_verified() -> None:
    second, third = v2_headers(v2_of()), v3_headers(v3_of())

    def offered(headers: dict[str, str]) -> Offer | Verification:
        return read_offer(method="POST", headers=headers, tokens=[TOKEN], accept_v2=False)

    refused = offered(second)
    assert isinstance(refused, Verification)
    assert (refused.verdict, refused.scheme) == (Verdict.INVALID, "V2")
    assert "ACCEPT_V2=true" in advise(refused)
    both = offered(second | third)
    assert isinstance(both, Offer)
    assert both.verify(url=URL, params=FIELDS).scheme == "V3"


# Every input gets a verdict.

anything = st.text(st.characters(exclude_categories=()), max_size=30)
header_names = st.sampled_from(
    [
        "X-Plivo-Signature",
        "X-Plivo-Signature-V2",
        "X-Plivo-Signature-Ma-V2",
        "X-Plivo-Signature-V2-Nonce",
        "X-Plivo-Signature-V3",
        "X-Plivo-Signature-Ma-V3",
        "X-Plivo-Signature-V3-Nonce",
    ]
)


@given(
    method=st.one_of(st.sampled_from(["GET", "POST"]), anything),
    url=anything,
    params=st.lists(st.tuples(anything, anything), max_size=4),
    headers=st.dictionaries(header_names, anything),
    tokens=st.lists(anything, max_size=3),
    other_urls=st.lists(anything, max_size=2),
)
def test_hostile_text_never_raises_and_is_never_valid(
    method: str,
    url: str,
    params: Fields,
    headers: dict[str, str],
    tokens: list[str],
    other_urls: list[str],
) -> None:
    verification = verify(method=method, url=url, params=params, headers=headers, tokens=tokens)
    explanation = explain(method=method, url=url, params=params, headers=headers, tokens=tokens, other_urls=other_urls)

    assert verification.verdict is not Verdict.VALID
    assert verification.reason
    assert explanation


@pytest.mark.parametrize("url", ["https://a.io/\udcc3?a=\udcff", "https://a.io/a?name=%ED%A0%80&x=\ud800"])
def test_lone_surrogates_are_signed_and_verified_without_an_error(url: str) -> None:
    params = [("\ud800", "\udfff")]
    signed = v3_of(url, params=params)

    assert judge(v3_headers(signed), url=url, params=params).verdict is Verdict.VALID
    assert judge(v3_headers(f"\ud800,{signed}"), url=url).verdict is Verdict.INVALID


def test_nonces_are_twenty_digits_and_differ() -> None:
    made = {make_nonce() for _ in range(100)}

    assert len(made) == 100
    assert all(len(nonce) == 20 and nonce.isascii() and nonce.isdigit() for nonce in made)
