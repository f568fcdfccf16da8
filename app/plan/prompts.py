"""What somebody hears: sentences read aloud, audio files and pauses, one after another."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Discriminator, Field, Tag

from app.plan import values
from app.plan.values import Table

CONTENTS = ("say", "ssml", "play", "pause")
ONE, SEVERAL, MUSIC_URL, MUSIC_PROMPT = TAGS = ("(one)", "(several)", "(url)", "(prompt)")
"""Names of the shapes that a prompt has in the file; no key of it."""


class Phrase(Table):
    """One part of a prompt: exactly one of say, ssml, play and pause; `pause` in seconds, `times` 0 without end."""

    say: values.Sentence | None = None
    ssml: values.Ssml | None = None
    play: values.AudioUrl | None = None
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
    return value if isinstance(value, list | tuple) else _phrase(value)


def _shape(of_list: str, otherwise: str) -> Callable[[Any], str]:
    return lambda value: of_list if isinstance(value, list | tuple) else otherwise


def _as_list(value: Phrase | tuple[Phrase, ...]) -> tuple[Phrase, ...]:
    return value if isinstance(value, tuple) else (value,)


Prompt = Annotated[
    Annotated[Phrase, Tag(ONE)]
    | Annotated[tuple[Annotated[Phrase, BeforeValidator(_phrase)], ...], values.NOT_EMPTY, Tag(SEVERAL)],
    Discriminator(_shape(SEVERAL, ONE)),
    BeforeValidator(_phrases),
    AfterValidator(_as_list),
]
"""A sentence, a table, or a list of both; always kept as a tuple of phrases."""

Phrases = tuple[Phrase, ...]

DialMusic = Annotated[
    Annotated[values.DialMusic, Tag(MUSIC_URL)] | Annotated[Prompt, Tag(MUSIC_PROMPT)],
    Discriminator(lambda value: MUSIC_URL if isinstance(value, str) else MUSIC_PROMPT),
]
"""What the caller hears while it rings: `real`, the URL of a document, or a prompt that this server writes."""
