"""The audio files of a plan: those that a prompt names without a URL. They lie beside the plan, and we serve them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from app.plan.prompts import Phrase
from app.plan.values import Table
from app.voice.xml_values import is_sound

MOST_BYTES = 5_000_000
_MP3_FRAMES = (b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xe3", b"\xff\xe2")


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
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ValueError(f"{path.name} has {size} bytes; write a file of at most {MOST_BYTES}, or its URL")
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}; put the file beside the plan") from error
    is_wav = content[:4] == b"RIFF" and content[8:12] == b"WAVE"
    is_mp3 = content[:3] == b"ID3" or content[:2] in _MP3_FRAMES
    if not (is_wav if path.suffix.lower() == ".wav" else is_mp3):
        raise ValueError(f"{path.name} holds no {path.suffix[1:].upper()} audio; convert the file")
    return content
