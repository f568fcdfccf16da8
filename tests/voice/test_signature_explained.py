"""Why a request was refused, in words for the log."""

from collections.abc import Callable, Iterator

import pytest

from app.voice.signature import Headers, explain
from tests.voice.signing import FIELDS, NONCE, TOKEN, URL, judge, v2_headers, v2_of, v3_headers, v3_of


def why(headers: Headers, *, method: str = "POST", url: str = URL, others: tuple[str, ...] = ()) -> str:
    return explain(method=method, url=url, params=FIELDS, headers=headers, tokens=[TOKEN], other_urls=others)


@pytest.mark.parametrize(
    ("signed_url", "checked_url", "difference"),
    [
        (URL, "http://calls.example.com/dialstatus/action/?dial=7", "scheme"),
        ("http://calls.example.com/dialstatus/action/?dial=7", URL, "scheme"),
        ("https://calls.example.com/dialstatus/action?dial=7", URL, "slash"),
        (URL, "https://calls.example.com/dialstatus/action?dial=7", "slash"),
        (URL, "https://calls.example.com:8443/dialstatus/action/?dial=7", "port"),
        ("https://calls.example.com:443/dialstatus/action/?dial=7", URL, "port"),
        ("http://a.io:80/?dial=7", "http://a.io/?dial=7", "port"),
        ("https://a.io?dial=7", "https://a.io/?dial=7", "slash"),
        ("https://a.io/x?dial=7", "http://a.io:5000/x/?dial=7", "scheme+port+slash"),
        ("https://a.io", "http://a.io:5000/", "scheme+port+slash"),
        ("https://abc.ngrok.app/dialstatus/action/?dial=7", URL, "host"),
        ("http://abc.ngrok.app/dialstatus/action?dial=7", URL, "host+scheme+slash"),
    ],
)
@pytest.mark.parametrize("sign", [lambda url: v3_headers(v3_of(url)), lambda url: v2_headers(v2_of(url))])
def test_the_explanation_names_how_the_signed_url_differs(
    signed_url: str, checked_url: str, difference: str, sign: Callable[[str], dict[str, str]]
) -> None:
    others = ("https://abc.ngrok.app/dialstatus/action/?dial=7",)

    explanation = why(sign(signed_url), url=checked_url, others=others)

    assert explanation == (
        f"{difference}: Plivo signed {signed_url.partition('?')[0]} and this server checked "
        f"{checked_url.partition('?')[0]}; set PUBLIC_URL or TRUSTED_PROXIES so that they are the same"
    )


@pytest.mark.parametrize(
    ("explanation", "start"),
    [
        (why({}), "header: x-plivo-signature-v3 is missing; "),
        (why(v3_headers(v3_of(token="another"))), "token: no similar URL matches either; "),
        (why(v3_headers(v3_of()), method="PUT"), "method: Plivo signs GET and POST requests alone"),
        (why(v3_headers(v3_of())), "nothing: the signature is valid"),
        (
            explain(method="POST", url=URL, params=[], headers={}, tokens=[""]),
            "token: none is set; set PLIVO_AUTH_TOKEN",
        ),
    ],
)
def test_the_explanation_begins_with_what_is_wrong(explanation: str, start: str) -> None:
    assert explanation.startswith(start)


def test_no_secret_reaches_an_explanation_or_a_verification() -> None:
    url = "http://user:password@calls.example.com/dialstatus/?dial=secret-dial"
    signed_url = url.replace("http:", "https:")
    refused = [v3_headers(v3_of(signed_url)), v3_headers(v3_of(url, token="another")), v2_headers("x"), {}]

    said = " ".join(why(headers, url=url, others=(signed_url,)) + repr(judge(headers, url=url)) for headers in refused)

    expected = [v3_of(url), v3_of(signed_url), v2_of(url)]
    for secret in [TOKEN, "password", "secret-dial", NONCE, *expected]:
        assert secret not in said


@pytest.mark.parametrize(
    ("signed_url", "checked_url", "difference"),
    [
        ("https://calls.example.com/x/?dial=7", "https://Calls.Example.com/x/?dial=7", "case"),
        ("https://calls.example.com/voice/x/?dial=7", "https://calls.example.com/Voice/x/?dial=7", "case"),
        ("http://calls.example.com/x/?dial=7", "https://CALLS.example.com/x/?dial=7", "case+scheme"),
    ],
)
def test_a_difference_in_letter_case_is_named(signed_url: str, checked_url: str, difference: str) -> None:
    assert why(v3_headers(v3_of(signed_url)), url=checked_url).startswith(f"{difference}: Plivo signed ")


@pytest.mark.parametrize(
    ("signed_url", "other", "difference"),
    [
        ("https://calls.example.com/voice/x/?dial=7", "https://calls.example.com/voice/x/", "path"),
        ("https://abc.ngrok.app/voice/x/?dial=7", "https://abc.ngrok.app/voice/x/", "host+path"),
        ("https://calls.Example.com/x/?dial=7", "https://calls.Example.com/x/", "case"),
    ],
)
def test_a_url_that_the_request_hints_at_is_named_by_its_difference(
    signed_url: str, other: str, difference: str
) -> None:
    explanation = why(v3_headers(v3_of(signed_url)), url="https://calls.example.com/x/?dial=7", others=(other,))

    assert explanation.startswith(f"{difference}: Plivo signed {other} and this server checked ")


class Fields(list[tuple[str, str]]):
    """Fields that count the passes over them."""

    passes = 0

    def __iter__(self) -> Iterator[tuple[str, str]]:
        self.passes += 1
        return super().__iter__()


def test_the_signed_text_is_built_once_however_many_urls_are_tried() -> None:
    fields = Fields(FIELDS)
    others = [f"https://host{number}.example.com/" for number in range(1000)]

    explain(
        method="POST", url=URL, params=fields, headers=v3_headers(v3_of(token="x")), tokens=[TOKEN], other_urls=others
    )

    assert fields.passes == 1


def test_a_thousand_hints_are_not_tried() -> None:
    others = [f"https://host{number}.example.com/dialstatus/action/?dial=7" for number in range(1000)]

    assert why(v3_headers(v3_of(others[-1])), others=tuple(others)).startswith("token: ")
