"""The assaults by name, each run in a process of its own: `python -m tests.drills.assaults "slow readers" HOST PORT`.

An assault goes on until its process is told to end. It prints `begun`, and at its end as JSON what it did.
"""

import asyncio
import json
import resource
import signal
import sys
from contextlib import suppress

from tests.drills.attacks import (
    Attack,
    Target,
    all_of,
    churning,
    closed_loop,
    forging,
    holding,
    in_turn,
    not_reading,
    post,
)

_SMALL = b"GET /dialstatus/x HTTP/1.1\r\nHost: x\r\n\r\n"
_BIG = b"GET /bootstrap/css/bootstrap.min.css HTTP/1.1\r\nHost: x\r\n\r\n"
_LIST = ",".join(["AA"] * 2700)
_PLAUSIBLE = ("X-Plivo-Signature-V3: " + "A" * 43 + "=", "X-Plivo-Signature-V3-Nonce: 01234567890123456789")
_LISTS = (f"X-Plivo-Signature-V3: {_LIST}", f"X-Plivo-Signature-Ma-V3: {_LIST}", "X-Plivo-Signature-V3-Nonce: 1")
_ELSEWHERE = "X-Forwarded-Host: x"
_QUERY = "&".join(f"a{number}=%41" for number in range(400))
_PARTS = b"".join(b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n' for _ in range(900))
_MULTIPART, _JSON = "multipart/form-data; boundary=x", "application/json"

# Requests that cost the server more than their sender where it does anything before it knows the signature.
_COSTLY_BODIES = (
    post("/dialstatus/action/", b"&".join(b"a%d=b" % number for number in range(499)), *_PLAUSIBLE, _ELSEWHERE),
    post("/dialstatus/action/", b"a=" + b"%41" * 21_000, *_PLAUSIBLE, _ELSEWHERE),
    post("/dialstatus/action/", _PARTS, *_PLAUSIBLE, kind=_MULTIPART),
    post("/dialstatus/phlo/", _PARTS, kind=_MULTIPART),
    post("/dialstatus/phlo/", b'{"a":' + b"[" * 968 + b"]" * 968 + b"}", kind=_JSON),
    post("/dialstatus/action/", b"[" + b",".join([b"[" * 700 + b"]" * 700] * 45) + b"]", *_PLAUSIBLE, kind=_JSON),
    post("/dialstatus/action/", b"a=b", *_PLAUSIBLE, *(f"X-{number}: {'x' * 500}" for number in range(80))),
    post(f"/dialstatus/?{_QUERY}", b"a=b", *_PLAUSIBLE, _ELSEWHERE),
)


def _heads(*fields: str, sent: str = "") -> list[bytes]:
    """Return requests with these fields and what comes after them, to routes of every pool."""
    targets = ("POST /login", "POST /dialstatus/action/", "PUT /dialstatus/phlo/", "GET /dialstatus/", "POST /healthz")
    lines = ("Host: x", "Content-Type: application/x-www-form-urlencoded", *fields)
    return ["\r\n".join([f"{target} HTTP/1.1", *lines, "", sent]).encode() for target in targets]


_LENGTHS = [
    *_heads("Content-Length: 0000000010"),
    *_heads("Content-Length: " + "0" * 30 + "10"),
    *_heads("Content-Length: 9999999999"),
    *_heads("Content-Length: 18446744073709551615"),
]
_STOPPED = [
    *_heads("Transfer-Encoding: chunked"),
    *_heads("Transfer-Encoding: chunked", sent="1000\r\nCallUUID="),
    *_heads("Transfer-Encoding: chunked", sent="1\r\na\r\n"),
    *_heads("Content-Length: 10", "Expect: 100-continue"),
    *_heads("Transfer-Encoding: chunked", "Expect: 100-continue"),
    *_heads("Content-Length: 5000", sent="CallUUID="),
    b"POST /dialstatus/action/ HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    b"P",
]

ASSAULTS: dict[str, Attack] = {
    "costly signatures": closed_loop(32, in_turn(post(f"/dialstatus/?{_QUERY}", b"a=b", *_LISTS, _ELSEWHERE))),
    "costly bodies": closed_loop(32, in_turn(*_COSTLY_BODIES)),
    "padded and huge lengths": holding(100, _LENGTHS),
    "requests that stop": all_of(holding(200, _STOPPED), holding(100, _STOPPED, half_closes=True)),
    "requests that drip": holding(200, _STOPPED, drip=b"1\r\na\r\n"),
    "slow readers": all_of(not_reading(64, _BIG * 40), not_reading(64, _BIG * 40, takes=1)),
    "more connections than files": holding(2600, [_SMALL]),
    "connections without a pause": holding(2600, [_SMALL], pause=0),
    "idle and silent connections": all_of(holding(2500, [_SMALL], pause=10), churning(100)),
    "one captured V2 signature": closed_loop(8, forging("V2")),
    "one captured V3 request": closed_loop(8, forging("V3")),
}


async def _run(attack: Attack, target: Target) -> None:
    attacking = asyncio.ensure_future(attack(target))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, attacking.cancel)
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    with suppress(asyncio.CancelledError):
        await attacking


def main(name: str, host: str, port: str) -> None:
    """Attack until told to end, and print what was done."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    target = Target(host, int(port))
    asyncio.run(_run(ASSAULTS[name], target))
    sys.stdout.write(json.dumps(target.counts) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
