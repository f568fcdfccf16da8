"""What somebody hears: sentences read aloud, audio files and pauses, one after another."""

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Discriminator, Field, Tag

from app.plan import values
from app.plan.values import Table

CONTENTS = ("say", "ssml", "play", "pause")
MUSIC_URL, MUSIC_PROMPT = MUSIC_TAGS = ("(url)", "(prompt)")
"""Names of what `dial_music` may be; Pydantic reports them as if they were keys of the file."""


class Phrase(Table):
    """One part of a prompt: exactly one of say, ssml, play and pause; `pause` in seconds, `times` 0 without end."""

    say: values.Sentence | None = None
    ssml: values.Ssml | None = None
    play: values.Audio | None = None
    pause: values.PauseSeconds | None = None
    voice: values.Voice | None = None
    language: values.Language | None = None
    times: values.Times | None = Field(default=None, validation_alias=AliasChoices("times", "loop"))


def _phrase(value: Any) -> Any:
    if isinstance(value, str):
        return {"say": value}
    if isinstance(value, dict | Table):
        return value
    raise ValueError('write a sentence in quotes, or a table such as { play = "https://example.com/a.mp3" }')


def _phrases(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (_phrase(value),)


Phrases = tuple[Annotated[Phrase, BeforeValidator(_phrase)], ...]
Prompt = Annotated[Phrases, BeforeValidator(_phrases), values.NOT_EMPTY]
"""A sentence, a table, or a list of both; always kept as a tuple of phrases."""

DialMusic = Annotated[
    Annotated[values.DialMusic, Tag(MUSIC_URL)] | Annotated[Prompt, Tag(MUSIC_PROMPT)],
    Discriminator(lambda value: MUSIC_URL if isinstance(value, str) else MUSIC_PROMPT),
]
"""What the caller hears while it rings: `real`, the URL of a document, or a prompt that this server writes."""
