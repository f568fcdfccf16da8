"""Settings: how Plivo reaches this server, and whom callers reach."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from settings import parsers, urls
from settings.checks import EXAMPLE_NUMBER
from settings.declaration import Setting


class SignatureMode(StrEnum):
    """What happens to a request that Plivo did not sign."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    OFF = "off"


@dataclass(frozen=True, kw_only=True, repr=False)
class PlivoSettings:
    """How Plivo reaches this server, and whom callers reach."""

    port: Annotated[int, Setting("5000", "Port the server listens on.", parsers.integer(1, 65535))]
    host: Annotated[str, Setting("127.0.0.1", "Address the server listens on; `0.0.0.0` for all.", parsers.host)]
    public_url: Annotated[
        str | None,
        Setting(
            None,
            "URL at which Plivo reaches this server; signatures are checked against it.",
            urls.public_url,
            "taken from each request",
        ),
    ]
    script_name: Annotated[
        str | None,
        Setting(
            None,
            "Path below which a proxy serves this server, such as `/voice`.",
            urls.path_prefix,
            "the path of `PUBLIC_URL`",
        ),
    ]
    trusted_proxies: Annotated[
        int,
        Setting("0", "Number of proxies in front whose forwarding headers are trusted.", parsers.integer(0, 10)),
    ]
    plivo_auth_id: Annotated[str | None, Setting(None, "Auth ID of the Plivo account.", parsers.word)]
    plivo_auth_tokens: Annotated[
        tuple[str, ...],
        Setting(
            "",
            "Auth token of the account; several, comma separated, during a rotation.",
            parsers.auth_tokens,
            name="PLIVO_AUTH_TOKEN",
            secret=True,
            several=True,
        ),
    ]
    verify_signatures: Annotated[
        SignatureMode,
        Setting(
            None,
            "`enforce` refuses unsigned requests, `observe` records why they fail, `off` checks nothing.",
            parsers.choice(*SignatureMode, kind=SignatureMode),
            "`enforce` when `PLIVO_AUTH_TOKEN` is set, else `off`",
        ),
    ]
    accept_v2: Annotated[
        bool,
        Setting(
            "false",
            "Accept requests that Plivo signed with V2 alone; V2 covers neither query nor body.",
            parsers.boolean,
        ),
    ]
    dial_to: Annotated[
        tuple[str, ...],
        Setting(
            EXAMPLE_NUMBER,
            "Numbers or `sip:` addresses, comma separated; all ring together.",
            parsers.targets,
            several=True,
        ),
    ]
    dial_plan: Annotated[
        Path | None, Setting(None, "Path of a TOML dial plan; takes precedence over `DIAL_TO`.", parsers.file)
    ]
    dial_timeout: Annotated[int, Setting("30", "Seconds to let it ring.", parsers.integer(1, 600))]
    dial_time_limit: Annotated[
        int, Setting("14400", "Seconds after which an answered dial ends.", parsers.integer(1, 86400))
    ]
    dial_method: Annotated[
        str, Setting("POST", "HTTP method of Plivo's requests: `GET` or `POST`.", parsers.choice("GET", "POST"))
    ]
    dial_caller_id: Annotated[
        str | None, Setting(None, "Number shown to the callee.", parsers.target, "the caller's own")
    ]
    retry_control: Annotated[
        str,
        Setting(
            "ct=2000&rt=3000&tt=15000&rc=2&rp=ct,rt,5xx",
            "Plivo's time limits and retries for requests during which a caller waits.",
            urls.retry,
        ),
    ]
    retry_notice: Annotated[
        str,
        Setting(
            "ct=5000&rt=10000&tt=55000&rc=5&rp=ct,rt,5xx",
            "The same for requests that only report; must retry 5xx.",
            urls.retry_5xx,
        ),
    ]
    phlo_token: Annotated[
        str | None,
        Setting(
            None,
            "Bearer token that a PHLO sends, since PHLO does not sign.",
            parsers.token,
            "PHLO reports are refused, unless signatures are `off`",
            secret=True,
        ),
    ]
