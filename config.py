"""Every setting: read once from the environment and `.env`, checked at start, refused with a reason.

This module and `settings/` import nothing of the application, so that gunicorn's configuration, the factory and every
room can import them first. Only here is the environment read.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from settings import checks, declaration
from settings.checks import EXAMPLE_NUMBER
from settings.declaration import ConfigError
from settings.notify import NotifySettings
from settings.parsers import ROOT
from settings.plivo import PlivoSettings, SignatureMode
from settings.server import LogFormat, ServerSettings

__all__ = [
    "EXAMPLE_NUMBER",
    "ROOT",
    "VERSION",
    "Config",
    "ConfigError",
    "LogFormat",
    "SignatureMode",
    "env_example",
    "settings_table",
]

# pyproject.toml is the one place that names the version.
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Config(ServerSettings, NotifySettings, PlivoSettings):
    """Every setting, checked. Make one with `Config.load()`; its repr leaves secrets out.

    A setting is declared in `settings/plivo.py`, `notify.py` or `server.py`; `make settings` then writes it into the
    README and `.env.example`.
    """

    warnings: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict, compare=False)  # For `$NAME` in the dial plan.

    def __repr__(self) -> str:
        """Return every setting but the secret ones."""
        shown = (f"{field}={getattr(self, field)!r}" for field, one in _SETTINGS.items() if not one.secret)
        return f"Config({', '.join(shown)})"

    @property
    def dial_to_is_example(self) -> bool:
        """Whether the guide's number would be called, which nobody answers."""
        return self.dial_plan is None and EXAMPLE_NUMBER in self.dial_to

    @property
    def path_prefix(self) -> str:
        """The path below which the server is reached, such as `/voice`; empty for all of a host."""
        return self.script_name or urlsplit(self.public_url or "").path

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, *, dotenv: Path | None = None) -> Self:
        """Read, check and complete the settings; make the instance directory and its tokens where missing.

        Without `environ` this is the process's environment, over the `.env` beside this file; a mapping stands alone,
        or over `dotenv` if that is passed. Raises ConfigError with every problem at once.
        """
        if environ is None:
            environ, dotenv = os.environ, dotenv or ROOT / ".env"
        given = {**declaration.read_dotenv(dotenv), **environ}
        values, problems = declaration.parse_settings(_SETTINGS, given)
        if not problems:
            mode = SignatureMode.ENFORCE if values["plivo_auth_tokens"] else SignatureMode.OFF
            values["verify_signatures"] = values["verify_signatures"] or mode
            problems = checks.contradictions(values) or checks.complete(values)
        if problems:
            raise ConfigError(problems)
        known = {one.name for one in _SETTINGS.values()}
        notes = tuple(checks.warnings(values, given.keys(), known, dotenv))
        return cls(**values, warnings=notes, environment=given)


_SETTINGS = declaration.declared_settings(Config)


def settings_table() -> str:
    """Return the README's table of settings."""
    return declaration.markdown_table(_SETTINGS)


def env_example() -> str:
    """Return `.env.example`."""
    return declaration.dotenv_example(_SETTINGS)
