"""What must be true from outside: Plivo reaches us, and nobody else is let in."""

from collections.abc import Iterator, Sequence

import requests

from app.account.check import Check, failed, passed, skipped
from app.voice.signature import make_nonce, sign_v3
from config import SignatureMode

# The fallback route says whom to ring and keeps nothing, so asking it leaves no trace in the records.
_PATH = "/dialstatus/fallback/"
_PARAMS = (("Event", "Doctor"),)


def outside_checks(public_url: str, *, tokens: Sequence[str], mode: SignatureMode, timeout: float) -> Iterator[Check]:
    """Ask our own public URL as Plivo would, by GET and POST, then as a stranger."""
    url = public_url.rstrip("/") + _PATH
    for method in ("GET", "POST"):
        yield reachable(method, url, tokens, timeout)
    yield strangers_refused(url, mode, timeout)


def reachable(method: str, url: str, tokens: Sequence[str], timeout: float) -> Check:
    """Ask with a signature, if there is a token to sign with; XML must come back."""
    name = f"public URL by {method}"
    answer = _ask(method, url, timeout, _signature(method, url, tokens))
    if isinstance(answer, str):
        return failed(name, answer, f"Check that {url} leads to this server, from outside as well.")
    if answer.status_code == 403:
        return failed(
            name,
            f"{url} refuses our own signature",
            "PUBLIC_URL must be letter for letter what Plivo calls (else TRUSTED_PROXIES the number of proxies "
            "before this server), and the server must run with this PLIVO_AUTH_TOKEN; its log says what differs.",
        )
    if answer.status_code != 200 or "<Response" not in answer.text:
        return failed(
            name,
            f"{url} answers {answer.status_code} {answer.headers.get('Content-Type', 'without a type')}, no Plivo XML",
            "Something else answers there, or the server is not running: make PUBLIC_URL lead here.",
        )
    return passed(name, f"{url} answers Plivo XML")


def strangers_refused(url: str, mode: SignatureMode, timeout: float) -> Check:
    """Ask without a signature; 403 must come back."""
    name = "strangers"
    if mode is not SignatureMode.ENFORCE:
        return skipped(name, "let in, since signatures are not enforced")
    answer = _ask("POST", url, timeout, {})
    if isinstance(answer, str):
        return skipped(name, answer)
    if answer.status_code != 403:
        return failed(
            name,
            f"an unsigned request gets {answer.status_code}",
            "The server runs with other settings than these: restart it.",
        )
    return passed(name, "an unsigned request is refused")


def _ask(method: str, url: str, timeout: float, headers: dict[str, str]) -> requests.Response | str:
    """Give the answer, or say why there is none."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method,
                url,
                data=_PARAMS if method == "POST" else None,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            )
    except requests.Timeout:
        return f"{url} does not answer within {timeout:g} seconds"
    except requests.RequestException as error:
        return f"{url} cannot be reached ({type(error).__name__})"


def _signature(method: str, url: str, tokens: Sequence[str]) -> dict[str, str]:
    if not tokens:
        return {}
    nonce = make_nonce()
    params = _PARAMS if method == "POST" else ()
    signature = sign_v3(method=method, url=url, params=params, nonce=nonce, token=tokens[0])
    return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}
