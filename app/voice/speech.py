"""What Plivo can read aloud: its languages and voices, as its audio output page and its SDKs list them."""

import difflib

WOMAN, MAN, POLLY = "WOMAN", "MAN", "Polly."
_BASIC = "da-DK de-DE en-AU en-GB en-US es-ES es-US fr-CA fr-FR it-IT nl-NL pl-PL pt-BR pt-PT ru-RU sv-SE"
_POLLY = "arb cmn-CN cy-GB en-GB-WLS en-IN es-MX hi-IN is-IS ja-JP ko-KR nb-NO ro-RO tr-TR"
_POLLY_NAMES = (
    "* Aditi Amy Astrid Bianca Brian Carla Carmen Celine Chantal Conchita Cristiano Céline Dora Dóra Emma Enrique Ewa "
    "Filiz Geraint Giorgio Gwyneth Hans Ines Inês Ivy Jacek Jan Joanna Joey Justin Karl Kendra Kimberly Liv Lotte "
    "Lucia Mads Maja Marlene Mathieu Matthew Maxim Mia Miguel Mizuki Naja Nicole Penelope Penélope Raveena Ricardo "
    "Ruben Russell Salli Seoyeon Takumi Tatyana Vicki Vitoria Vitória Zeina Zhiyu"
)

WOMAN_LANGUAGES = frozenset(_BASIC.split())
MAN_LANGUAGES = WOMAN_LANGUAGES - {"da-DK", "fr-CA", "ru-RU", "sv-SE"}
DOUBTFUL_FOR_WOMAN = frozenset({"pt-PT"})
"""Listed with MAN alone on the audio output page, and for both elsewhere."""
POLLY_LANGUAGES = WOMAN_LANGUAGES | frozenset(_POLLY.split())
POLLY_VOICES = frozenset(POLLY + name for name in _POLLY_NAMES.split())
VOICES = POLLY_VOICES | {WOMAN, MAN}
LANGUAGES = POLLY_LANGUAGES
MAX_POLLY_CHARACTERS = 3000


def languages_of(voice: str | None) -> frozenset[str]:
    """Return the languages a voice speaks; None is Plivo's default, WOMAN."""
    if is_polly(voice):
        return POLLY_LANGUAGES
    return MAN_LANGUAGES if voice == MAN else WOMAN_LANGUAGES


def is_polly(voice: str | None) -> bool:
    """Return whether a voice is one of Amazon Polly's, which alone understand SSML."""
    return voice is not None and voice.startswith(POLLY)


def known_voice(written: str) -> str:
    """Return what to write in place of a voice that Plivo does not list."""
    close = difflib.get_close_matches(written, sorted(VOICES), n=1)
    return close[0] if close else "WOMAN, MAN or a Polly voice such as Polly.Amy"


def language_problem(language: str, voice: str | None) -> str | None:
    """Return why a voice does not speak a language and what to write, or None. A language is a code such as en-US."""
    spoken = languages_of(voice)
    if language in spoken:
        return None
    if language in LANGUAGES:
        other = "a Polly voice" if language not in WOMAN_LANGUAGES else "WOMAN or a Polly voice"
        return f"{language} is not spoken by {voice or WOMAN}; write {other} as voice"
    return f"{language!r} is no language of {voice or WOMAN}; write one of {', '.join(sorted(spoken))}"


def length_problem(spoken: str, voice: str | None) -> str | None:
    """Return why a text is too long for a voice, or None."""
    if is_polly(voice) and len(spoken) > MAX_POLLY_CHARACTERS:
        return (
            f"the text has {len(spoken)} characters, and a Polly voice reads at most {MAX_POLLY_CHARACTERS} at once; "
            "write it as a list of shorter texts"
        )
    return None
