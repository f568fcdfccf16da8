"""Settings: events for programs, notices for people."""

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

from settings import parsers
from settings.declaration import Setting
from settings.urls import split_url

HOW_TO_SIGN = "write whsec_ and 24 to 64 random bytes in base64, as Standard Webhooks has it"
# As in `app.records.writing.outbox`, which cannot be imported without loading the application.
EVENT_TYPES = (
    *("call.ended", "call.corrected", "dial.ended", "message.left", "followup.opened", "followup.closed"),
    *("target.down", "target.up", "webhooks.quiet"),
)


def events_url(text: str) -> str:
    """Return the URL that events are posted to."""
    try:
        url = split_url(text)
    except ValueError as error:
        raise ValueError("write an absolute URL such as https://crm.example.com/hooks/dials") from error
    if "@" in url.netloc:
        raise ValueError("write it without a user: the signature says who sent it")
    return text


def events_secret(text: str) -> str:
    """Return a signing secret in the form of Standard Webhooks."""
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not text.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError(HOW_TO_SIGN)
    return text


def event_types(text: str) -> tuple[str, ...]:
    """Return types of events, each once."""
    found = parsers.words(text)
    if unknown := [one for one in found if one not in EVENT_TYPES]:
        raise ValueError(f"{unknown[0]} is no type of event; write any of {', '.join(EVENT_TYPES)}")
    return found


# The services of Apprise that are reached over the network; it also knows some of this machine, such as syslog.
NOTICE_SCHEMES = frozenset(
    {
        *("bark", "barks", "discord", "flock", "form", "forms", "gchat", "gotify", "gotifys"),
        *("gupshup", "ifttt", "join", "json", "jsons", "lark", "line", "mailgun", "mailto", "mailtos"),
        *("mastodon", "mastodons", "matrix", "matrixs", "mmost", "mmosts", "msg91", "nctalk"),
        *("nctalks", "nexmo", "ntfy", "ntfys", "o365", "onesignal", "opsgenie", "pagerduty"),
        *("pagertree", "pbul", "plivo", "postmark", "pover", "prowl", "pushy", "resend", "revolt"),
        *("ringc", "rocket", "rockets", "sendgrid", "ses", "signal", "signals", "sinch", "slack"),
        *("smtp2go", "sns", "sparkpost", "splunk", "squadcast", "synology", "synologys"),
        *("telnyx", "tgram", "threema", "twilio", "twist", "victorops", "voipms", "vonage"),
        *("webex", "whatsapp", "workflow", "workflows", "wxteams", "xml", "xmls", "zulip"),
    }
)


def notice_url(text: str) -> str:
    """Return a URL of Apprise whose service may be used."""
    scheme = text.partition("://")[0].lower()
    if "://" not in text or not re.fullmatch(r"[!-~]+", text):
        raise ValueError("write URLs as Apprise has them, such as mailtos://user:password@example.com, without spaces")
    if scheme not in NOTICE_SCHEMES:
        named = f"{scheme}://" if re.fullmatch("[a-z]{2,12}", scheme) else "its service"  # It may be a secret.
        raise ValueError(f"{named} cannot be used; write one of {', '.join(sorted(NOTICE_SCHEMES))}")
    return text


def notice_urls(text: str) -> tuple[str, ...]:
    """Return URLs separated by spaces, or by commas before the next scheme."""
    return tuple(
        dict.fromkeys(notice_url(one) for one in re.split(r"[\s,]+(?=[a-z0-9]+://)|\s+", text.strip(" ,")) if one)
    )


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DIGEST = re.compile(rf"(?:daily|weekly ({'|'.join(_WEEKDAYS)})) ([01][0-9]|2[0-3]):([0-5][0-9])")


class DigestTime(NamedTuple):
    """When a digest is sent: on every day or on a weekday (0 is Monday), at a minute of the local day."""

    weekday: int | None
    minute: int


def digest_time(text: str) -> DigestTime:
    """Return when to send a digest."""
    match = _DIGEST.fullmatch(text.lower())
    if match is None:
        raise ValueError("write daily 08:00, or weekly monday 08:00")
    return DigestTime(_WEEKDAYS.index(match[1]) if match[1] else None, int(match[2]) * 60 + int(match[3]))


@dataclass(frozen=True, kw_only=True, repr=False)
class NotifySettings:
    """Who is sent what."""

    events_url: Annotated[
        str | None,
        Setting(
            None,
            "URL that events such as `call.ended` are posted to; for several see `[events]` of the dial plan.",
            events_url,
            "no events are sent",
            secret=True,
        ),
    ]
    events_secret: Annotated[
        str | None, Setting(None, "Signs those events (Standard Webhooks): `whsec_…`.", events_secret, secret=True)
    ]
    events_types: Annotated[
        tuple[str, ...] | None,
        Setting(None, "Types of those events, comma separated.", event_types, "all types", several=True),
    ]
    events_allow_private: Annotated[
        bool,
        Setting("false", "Allow events to go to a private network or to this machine.", parsers.boolean),
    ]
    notify_urls: Annotated[
        tuple[str, ...],
        Setting(
            "",
            "Where to send a notice when a caller reached nobody: URLs of Apprise, separated by spaces.",
            notice_urls,
            "no notices are sent",
            secret=True,
        ),
    ]
    notify_allow_private: Annotated[
        bool,
        Setting("false", "Allow notices to go to a private network or to this machine.", parsers.boolean),
    ]
    notify_templates: Annotated[
        Path | None,
        Setting(
            None, "Directory with texts of your own for notices and digests.", parsers.directory, "the built-in texts"
        ),
    ]
    digest: Annotated[
        DigestTime | None,
        Setting(
            None,
            "When to send a digest, in `TIMEZONE`: `daily 08:00` or `weekly monday 08:00`.",
            digest_time,
            "no digest is sent",
        ),
    ]
