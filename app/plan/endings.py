"""What the caller gets last: each kind of ending as a typed table."""

from typing import Annotated, Any, ClassVar

from pydantic import Discriminator, Tag

from app.plan import values
from app.plan.prompts import Phrase, Prompt
from app.plan.values import Table

NOBODY = "nobody"


class Announcement(Phrase):
    """One thing that is said or played before the hangup."""

    kind: ClassVar[str] = "say"


class Announcements(Table):
    """Several things that are said or played before the hangup."""

    kind: ClassVar[str] = "say"

    prompt: Prompt


class Hangup(Table):
    """Hang up; `busy` and `rejected` are heard as such only while nobody has answered the caller."""

    kind: ClassVar[str] = "hangup"

    hangup: values.HangupReason


class Voicemail(Table):
    """Ask for a message and record it; seconds for every duration."""

    kind: ClassVar[str] = "voicemail"

    voicemail: Prompt
    max_length: values.RecordedSeconds = 120
    silence: values.SilenceSeconds = 5
    finish_on_key: values.FinishKeys = "#"
    beep: values.Flag = True
    format: values.FileFormat = "mp3"
    thanks: Prompt | None = None
    transcription: values.Flag = False


class Redirect(Table):
    """Hand the caller to another server's document."""

    kind: ClassVar[str] = "redirect"

    redirect: values.RedirectUrl
    method: values.Method = "POST"


VERBS = ("say", "ssml", "play", "prompt", "hangup", "voicemail", "redirect")


def _verb(value: Any) -> str | None:
    """Return which kind of ending a table is: the one verb it holds."""
    table = value.model_dump(exclude_none=True) if isinstance(value, Table) else value
    held = [verb for verb in VERBS if verb in table] if isinstance(table, dict) else []
    return held[0] if len(held) == 1 else None


Ending = Announcement | Announcements | Hangup | Voicemail | Redirect

AnyEnding = Annotated[
    Annotated[Announcement, Tag("say")]
    | Annotated[Announcement, Tag("ssml")]
    | Annotated[Announcement, Tag("play")]
    | Annotated[Announcements, Tag("prompt")]
    | Annotated[Hangup, Tag("hangup")]
    | Annotated[Voicemail, Tag("voicemail")]
    | Annotated[Redirect, Tag("redirect")],
    Discriminator(
        _verb,
        custom_error_type="ending",
        custom_error_message=f"an ending holds exactly one of {', '.join(VERBS)}",
    ),
]

BUILT_IN_ENDINGS: dict[str, Ending] = {
    NOBODY: Announcement(say="Sorry, nobody can take your call at the moment. Please try again later. Goodbye."),
    "hangup": Hangup(hangup="normal"),
    "busy": Hangup(hangup="busy"),
    "rejected": Hangup(hangup="rejected"),
}
"""Endings every plan knows without defining them; a plan may define its own under the same name."""
