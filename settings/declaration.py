"""How a setting is declared, read from text and described to people."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any, get_type_hints

from dotenv.parser import parse_stream

Parser = Callable[[str], object]  # Raises ValueError with what to write; never repeats what it read.
Settings = Mapping[str, "Setting"]  # By field name.

_QUOTES = "\"'`"
_TYPOGRAPHIC_QUOTES = "“”„‟‘’‚‛«»"


class ConfigError(ValueError):
    """The server cannot start: `problems` has one sentence for each refused setting."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems; the message has one on each line."""
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True)
class Setting:
    """One setting: its default as text, its help, its parser.

    `otherwise` describes a default that is not a fixed text. The value of a `secret` is never shown. `several` values
    are separated by commas.
    """

    default: str | None
    help: str
    parse: Parser
    otherwise: str = ""
    name: str = ""
    secret: bool = False
    several: bool = False


def declared_settings(config: type) -> dict[str, Setting]:
    """Return the settings in a class's annotations by field name, each with its name in the environment."""
    return {
        field: replace(setting, name=setting.name or field.upper())
        for field, hint in get_type_hints(config, include_extras=True).items()
        for setting in getattr(hint, "__metadata__", ())
    }


def read_dotenv(path: Path | None) -> dict[str, str | None]:
    """Return what a `.env` file sets; nothing where there is none. Raises ConfigError.

    A line that cannot be read is refused: a token that is left out would leave the server open to everybody.
    """
    if not path or not path.exists():
        return {}
    try:
        lines = list(parse_stream(StringIO(path.read_text("utf-8-sig"))))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path} cannot be read; make it a readable file in UTF-8"]) from error
    problems = [
        f"{path} line {line.original.line} cannot be read; write NAME=value, with quotation marks around all of the "
        "value or without any"
        for line in lines
        if line.error
    ]
    if problems:
        raise ConfigError(problems)
    return {line.key: line.value for line in lines if line.key is not None}


def unquote(text: str, *, several: bool = False) -> str:
    """Return a value without the quotation marks around it, or around each of `several`.

    Shells and `.env` files remove them; `docker run --env-file` and copied lines do not. Raises ValueError for a mark
    without its pair.
    """
    text = text.strip()
    while len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    if several and "," in text:
        return ",".join(unquote(part) for part in text.split(","))
    if text and (text[0] in _QUOTES + _TYPOGRAPHIC_QUOTES or text[-1] in _QUOTES + _TYPOGRAPHIC_QUOTES):
        raise ValueError("write it without quotation marks")
    return text


def parse_settings(settings: Settings, given: Mapping[str, str | None]) -> tuple[dict[str, Any], list[str]]:
    """Return the values by field, and a sentence for each refused one; an empty text counts as unset."""
    values: dict[str, Any] = {}
    problems = []
    for field, setting in settings.items():
        text = given.get(setting.name)
        try:
            text = None if text is None else unquote(text, several=setting.several)
            # An empty DIAL_TO does not ask for the default: that would ring the guide's number.
            if text is None or (not text and field != "dial_to"):
                text = setting.default
            values[field] = None if text is None else setting.parse(text)
        except ValueError as error:
            # A URL may carry a password before the @.
            read = "cannot be used" if setting.secret else f"is {re.sub('//.*@', '//…@', text or '')!r}"
            problems.append(f"{setting.name} {read}; {error}")
    return values, problems


def markdown_table(settings: Settings) -> str:
    """Return every setting with its default as a Markdown table."""
    rows = ["| setting | default | |", "|---|---|---|"]
    for setting in settings.values():
        default = setting.otherwise or (f"`{setting.default}`" if setting.default else "–")
        rows.append(f"| `{setting.name}` | {default} | {setting.help} |")
    return "\n".join([*rows, ""])


def dotenv_example(settings: Settings) -> str:
    """Return an example `.env`: every setting, explained and commented out."""
    parts = ["# Copy to .env and uncomment what you set; the environment takes precedence.\n"]
    for setting in settings.values():
        about = f"{setting.help} Default: {setting.otherwise}." if setting.otherwise else setting.help
        parts.append(f"# {about}\n# {setting.name}={'' if setting.otherwise else setting.default or ''}\n")
    return "\n".join(parts)
