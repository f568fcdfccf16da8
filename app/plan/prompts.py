"""What somebody hears: sentences read aloud, audio files and pauses, one after another.

An audio file that a prompt names without a URL lies beside the plan, and we serve it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Discriminator, Field, Tag

from app.plan import values
from app.plan.values import Table
from app.voice.xml_values import is_sound

MOST_SOUND_BYTES = 5_000_000
_MP3_FRAMES = (b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xe3", b"\xff\xe2")
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


def sounds_in(found: object) -> Iterator[str]:
    """Yield the name of every file that a plan, or a part of one, plays."""
    if isinstance(found, Phrase) and found.play is not None and is_sound(found.play):
        yield found.play
    elif isinstance(found, Table | Mapping):
        for part in (vars(found) if isinstance(found, Table) else found).values():
            yield from sounds_in(part)
    elif isinstance(found, tuple):
        for part in found:
            yield from sounds_in(part)


def read_sound(path: Path) -> bytes:
    """Return the content of an MP3 or WAV file. Raises ValueError with what is wrong and what to do."""
    try:
        if (size := path.stat().st_size) > MOST_SOUND_BYTES:
            raise ValueError(f"{path.name} has {size} bytes; write a file of at most {MOST_SOUND_BYTES}, or its URL")
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}; put the file beside the plan") from error
    is_wav = content[:4] == b"RIFF" and content[8:12] == b"WAVE"
    is_mp3 = content[:3] == b"ID3" or content[:2] in _MP3_FRAMES
    if not (is_wav if path.suffix.lower() == ".wav" else is_mp3):
        raise ValueError(f"{path.name} holds no {path.suffix[1:].upper()} audio; convert the file")
    return content
