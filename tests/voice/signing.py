"""Requests signed as Plivo signs them, for the tests of signatures."""

from app.voice.signature import Headers, Verification, sign_v2, sign_v3, verify

URL = "https://calls.example.com/dialstatus/action/?dial=7"
FIELDS = [("DialStatus", "no-answer"), ("DialBLegUUID", ""), ("To", "+15551234567")]
TOKEN = "current-auth-token"
OLD_TOKEN = "previous-auth-token"
NONCE = "31627761595286130198"

Fields = list[tuple[str, str]]


def v3_of(url: str = URL, token: str = TOKEN, method: str = "POST", params: Fields = FIELDS) -> str:
    return sign_v3(method=method, url=url, params=params, nonce=NONCE, token=token)


def v2_of(url: str = URL, token: str = TOKEN) -> str:
    return sign_v2(url=url, nonce=NONCE, token=token)


def v3_headers(signature: str, nonce: str = NONCE) -> dict[str, str]:
    return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}


def v2_headers(signature: str, nonce: str = NONCE) -> dict[str, str]:
    return {"X-Plivo-Signature-V2": signature, "X-Plivo-Signature-V2-Nonce": nonce}


def judge(
    headers: Headers,
    *,
    method: str = "POST",
    url: str = URL,
    params: Fields = FIELDS,
    tokens: tuple[str, ...] = (TOKEN,),
) -> Verification:
    return verify(method=method, url=url, params=params, headers=headers, tokens=tokens)
