"""What must hold between the keys of a prompt."""

from collections.abc import Iterator

from app.plan.prompts import CONTENTS
from app.plan.raw import Mistake, Raw
from app.voice.speech import LANGUAGES, VOICES, is_polly, language_problem, length_problem
from app.voice.ssml import SsmlError, parse_ssml, spoken_text


def prompt_mistakes(place: str, prompt: object, *, endless: str | None = None) -> Iterator[Mistake]:
    """Yield the mistakes of one prompt; `endless` is what never happens where `times = 0` repeats it without end."""
    if isinstance(prompt, list):
        for index, phrase in enumerate(prompt, start=1):
            after = "what follows would never be heard; write it last" if index < len(prompt) else endless
            if isinstance(phrase, dict):
                yield from ((place, f"entry {index}: {sentence}") for sentence in phrase_mistakes(phrase, after))
    elif isinstance(prompt, dict):
        yield from ((place, sentence) for sentence in phrase_mistakes(prompt, endless))


def phrase_mistakes(phrase: Raw, endless: str | None = None, contents: tuple[str, ...] = CONTENTS) -> Iterator[str]:
    """Yield what is wrong in one part of a prompt."""
    held = [key for key in CONTENTS if key in phrase]
    if len(held) != 1 or held[0] not in contents:
        yield f"there is not exactly one of {', '.join(contents[:-1])} and {contents[-1]}; write one of them"
    elif held[0] in {"play", "pause"} and phrase.keys() & {"voice", "language"}:
        yield f"voice and language are for a sentence; remove them, or write say instead of {held[0]}"
    elif held[0] == "pause" and phrase.keys() & {"times", "loop"}:
        yield "times is for what is said or played; write a longer pause"
    else:
        yield from _speech(phrase)
    if phrase.keys() >= {"times", "loop"}:
        yield "times and loop are the same; write one of them"
    if endless is not None and 0 in (phrase.get("times"), phrase.get("loop")):
        yield f"times is 0, so it is repeated without end and {endless}"


def _speech(phrase: Raw) -> Iterator[str]:
    """Yield why the voice cannot say the text. A wrong voice, language or text is reported by its own type."""
    voice, language = phrase.get("voice"), phrase.get("language")
    if voice is not None and not (isinstance(voice, str) and voice in VOICES):
        return
    if "ssml" in phrase and not is_polly(voice):
        yield 'ssml needs a Polly voice; write one, such as voice = "Polly.Amy"'
        return
    if isinstance(language, str) and language in LANGUAGES and (problem := language_problem(language, voice)):
        yield problem
    if problem := length_problem(_spoken(phrase), voice):
        yield problem


def _spoken(phrase: Raw) -> str:
    text, markup = phrase.get("say"), phrase.get("ssml")
    try:
        return spoken_text(parse_ssml(markup)) if isinstance(markup, str) else str(text or "")
    except SsmlError:
        return ""
