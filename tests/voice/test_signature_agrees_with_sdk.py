"""The same answers as the validators of Plivo's own SDK, wherever those give one."""

import plivo.utils
from hypothesis import given
from hypothesis import strategies as st

from app.voice.signature import Verdict, sign_v2, sign_v3, verify
from tests.voice.signing import NONCE, TOKEN, Fields, v3_headers

hosts = st.sampled_from(["a.io", "A.example.com", "a.io:443", "a.io:8080", "127.0.0.1:5000", "u:p@a.io"])
paths = st.lists(st.sampled_from(["/", "a", "B", "%20", "%c3%a9", ".xml", ";v=1", "+", "~", ":"])).map(
    lambda pieces: "/" + "".join(pieces) if pieces else ""
)
# An escaped byte above 7F makes the SDK raise; the canonical texts of the vectors cover those.
queries = st.lists(
    st.sampled_from(["x", "y", "X", "1", "=", "&", "+", ";", "/?@:~", "%20", "%26", "%3D", "%2B", "%zz", "%", "%4"])
).map(lambda pieces: "?" + "".join(pieces) if pieces else "")
fragments = st.sampled_from(["", "", "#rc=2&rp=ct,rt,5xx"])
urls = st.builds("{}://{}{}{}{}".format, st.sampled_from(["http", "https"]), hosts, paths, queries, fragments)
names = st.one_of(st.sampled_from(["x", "y", "X", "xy", ""]), st.text(max_size=5))
values = st.one_of(st.sampled_from(["", "1", "y1", "é", "+1", "a=b&c"]), st.text(max_size=8))
forms = st.dictionaries(names, st.one_of(values, st.lists(values, min_size=1, max_size=3)), max_size=6)
methods = st.sampled_from(["GET", "POST", "get", "post"])
tokens = st.text(min_size=1, max_size=40)
nonces = st.text("0123456789", min_size=1, max_size=20)


def pairs(form: dict[str, str | list[str]]) -> Fields:
    return [(name, one) for name, value in form.items() for one in (value if isinstance(value, list) else [value])]


@given(method=methods, url=urls, form=forms, nonce=nonces, token=tokens)
def test_plivos_sdk_accepts_every_v3_signature_of_ours(
    method: str, url: str, form: dict[str, str | list[str]], nonce: str, token: str
) -> None:
    signed = sign_v3(method=method, url=url, params=pairs(form), nonce=nonce, token=token)

    ours = verify(method=method, url=url, params=pairs(form), headers=v3_headers(signed, nonce), tokens=[token])

    assert plivo.utils.validate_v3_signature(method, url, nonce, token, signed, form) is True
    assert ours.verdict is Verdict.VALID


@given(
    method=methods,
    url=urls,
    form=forms,
    asked_method=methods,
    asked_url=urls,
    asked_form=forms,
    changed=st.sets(st.sampled_from(["method", "url", "form"]), min_size=1),
)
def test_plivos_sdk_gives_the_same_verdict_on_a_changed_request(
    method: str,
    url: str,
    form: dict[str, str | list[str]],
    asked_method: str,
    asked_url: str,
    asked_form: dict[str, str | list[str]],
    changed: set[str],
) -> None:
    signed = sign_v3(method=method, url=url, params=pairs(form), nonce=NONCE, token=TOKEN)
    method = asked_method if "method" in changed else method
    url = asked_url if "url" in changed else url
    form = asked_form if "form" in changed else form

    ours = verify(method=method, url=url, params=pairs(form), headers=v3_headers(signed), tokens=[TOKEN])

    theirs = plivo.utils.validate_v3_signature(method, url, NONCE, TOKEN, signed, form)
    assert (ours.verdict is Verdict.VALID) is theirs


@given(
    method=methods,
    url=urls,
    form=forms,
    tamper=st.sampled_from(["host", "nonce", "token", "signature", "field"]),
)
def test_a_tampered_request_is_refused_by_both(
    method: str, url: str, form: dict[str, str | list[str]], tamper: str
) -> None:
    nonce, token = NONCE, TOKEN
    signed = sign_v3(method=method, url=url, params=pairs(form), nonce=nonce, token=token)
    if tamper == "host":
        url = url.replace("://", "://x")
    elif tamper == "nonce":
        nonce += "0"
    elif tamper == "token":
        token += "0"
    elif tamper == "signature":
        signed = signed.swapcase()
    else:
        form = form | {"a field that nobody sent": "x"}

    ours = verify(method=method, url=url, params=pairs(form), headers=v3_headers(signed, nonce), tokens=[token])

    assert ours.verdict is Verdict.INVALID
    assert plivo.utils.validate_v3_signature(method, url, nonce, token, signed, form) is False


@given(url=urls, other=urls, nonce=nonces, token=tokens)
def test_plivos_sdk_gives_the_same_v2_verdicts(url: str, other: str, nonce: str, token: str) -> None:
    signed = sign_v2(url=url, nonce=nonce, token=token)
    headers = {"X-Plivo-Signature-V2": signed, "X-Plivo-Signature-V2-Nonce": nonce}

    for asked in (url, other):
        ours = verify(method="POST", url=asked, params=[], headers=headers, tokens=[token])
        theirs = plivo.utils.validate_signature(asked, nonce, signed, token)
        assert (ours.verdict is Verdict.VALID) is theirs
