"""Who is told what: the tables `[events.NAME]` for programs and `[notify.NAME]` for people.

Secrets are written as `$NAME` and stand in the environment; `app.notify.addresses` fills them in.
"""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from app.plan import values
from app.plan.values import NOT_EMPTY, Table
from app.voice.outcome import CallOutcome
from settings.notify import EVENT_TYPES

DIGEST = "digest"
NOBODY_REACHED = ("missed", "rejected", "busy", "unreachable", "failed", "message_left", "caller_gave_up")
"""The outcomes of a caller who reached nobody."""
NOTICES = (
    *(str(outcome) for outcome in CallOutcome if outcome is not CallOutcome.IN_PROGRESS),
    *("followup.opened", "followup.closed", "target.down", "target.up", "webhooks.quiet", DIGEST),
)
_QUIET = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


def _among(words: tuple[str, ...]) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value not in words:
            raise ValueError(f"{value!r} is unknown; write any of {', '.join(words)}")
        return value

    return BeforeValidator(check)


def _quiet(value: Any) -> tuple[int, int]:
    match = _QUIET.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[0][:5] == match[0][6:]:
        raise ValueError(f"quiet is {value!r}; write from and until when no notice is sent, such as 22:00-07:00")
    hours = [int(part) for part in match.groups()]
    return hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]


Routes = Annotated[tuple[values.Name, ...], NOT_EMPTY]
Text = Annotated[str, Field(min_length=1)]


class EventsAddress(Table):
    """A URL that events are posted to."""

    url: Annotated[Text, Field(repr=False)]
    secret: Annotated[Text, Field(repr=False)]
    types: Annotated[tuple[Annotated[str, _among(EVENT_TYPES)], ...], NOT_EMPTY] | None = None
    routes: Routes | None = None


class NotifyAddress(Table):
    """Where notices go: URLs of the Apprise library."""

    urls: Annotated[tuple[Text, ...], NOT_EMPTY, Field(repr=False)]
    events: Annotated[tuple[Annotated[str, _among(NOTICES)], ...], NOT_EMPTY] = (*NOBODY_REACHED, "webhooks.quiet")
    routes: Routes | None = None
    quiet: Annotated[tuple[int, int] | None, BeforeValidator(_quiet)] = None
