"""The grammar in docs/dial-plan.md has every key of a plan, with an example that loads and the default that holds."""

import re
import tomllib
from typing import Any

import pytest

from app.plan.callers import Blocked
from app.plan.endings import Announcement, Announcements, Hangup, Redirect, Voicemail
from app.plan.health import DeadPhones
from app.plan.hours import WEEKDAYS, Hours
from app.plan.load import plan_from_tables
from app.plan.model import Route, Step, Target
from app.plan.prompts import Phrase
from app.plan.values import Table
from app.voice.speech import LANGUAGES, POLLY_VOICES
from tests.plan.support import RECIPES

PAGE = (RECIPES.parent / "dial-plan.md").read_text("utf-8")
SECTIONS: dict[str, tuple[type[Table], ...]] = {
    "## `[routes.NAME]`": (Route,),
    "### `[routes.NAME.blocked]`": (Blocked,),
    "### `[routes.NAME.hours]`": (Hours,),
    "## `[routes.NAME.steps.NAME]`": (Step,),
    "### Dead phones": (DeadPhones,),
    "### Targets": (Target,),
    "## `[endings.NAME]`": (Announcement, Announcements, Hangup, Redirect, Voicemail),
    "## Prompts": (Phrase,),
}


def rows(section: str) -> list[list[str]]:
    """Return the cells of the table of keys in a section."""
    text = re.split(r"\n##+ ", PAGE.partition(f"\n{section}\n")[2])[0]
    return [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]


ROWS = [(section, *map(str.strip, row[:3])) for section in SECTIONS for row in rows(section)]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_has_a_row(section: str) -> None:
    keys = {key for table in SECTIONS[section] for key in table.model_fields} - {"name"}
    if section == "### `[routes.NAME.hours]`":
        keys = keys - set(WEEKDAYS) | {"monday"}
    if section == "## `[endings.NAME]`":
        keys -= {"voice", "language", "times", "pause"}

    assert {re.findall(r"`(\w+)`", key)[0] for _, key, *_ in [row for row in ROWS if row[0] == section]} == keys


def plan_with(section: str, example: dict[str, Any]) -> dict[str, Any]:
    """Return a plan that holds the example in the table of the section, with what it needs beside it."""
    step: dict[str, Any] = {"ring": ["+14155550111"], "record": True}
    route: dict[str, Any] = {"steps": {"a": step}}
    endings: dict[str, Any] = {"message": {"voicemail": "Speak."}}
    if section == "## `[routes.NAME]`":
        route |= example | ({"greeting": "Hello."} if "pre_answer" in example else {})
        if example.keys() & {"callers", "may_dial"}:
            step["ring"] = ["dialled"]
            route |= {"callers": ["sip:web1@phone.plivo.com"], "may_dial": ["+44"]} | example
    elif section == "### `[routes.NAME.blocked]`":
        route["blocked"] = ({} if example.keys() & {"callers", "stir"} else {"callers": ["anonymous"]}) | example
    elif section == "### `[routes.NAME.hours]`":
        route["hours"] = {"time_zone": "UTC", "otherwise": "message", "friday": ["09:00-17:00"]} | example
    elif section == "## `[routes.NAME.steps.NAME]`":
        step |= ({} if "confirm_sound" in example else {"confirm_prompt": "Press."}) | example
    elif section == "### Dead phones":
        step["dead_phones"] = example
    elif section == "### Targets" and example.keys() & {"rota", "otherwise", "time_zone"}:
        step["ring"] = [{"rota": "https://calendar.example.com/oncall.ics"} | example]
    elif section == "### Targets":
        step["order"] = "in_turn"
        sip = {"user": "sip:bob@pbx.example.com", "sip_auth_username": "bob", "sip_auth_password": "correct horse"}
        number = {"number": "+14155550112"}
        step["ring"] = [(sip if example.keys() & sip.keys() else number) | example]
    elif section == "## `[endings.NAME]`":
        verbs = {"method": {"redirect": "https://example.com/"}, "ssml": {"voice": "Polly.Amy"}}
        own = example.keys() & {"say", "play", "prompt", "hangup", "voicemail", "redirect"}
        [key] = example
        endings["other"] = ({} if own else verbs.get(key, {"voicemail": "Speak."})) | example
    else:
        holds = example.keys() & {"say", "ssml", "play", "pause"}
        voice = {"voice": "Polly.Amy"} if "ssml" in example else {}
        route["greeting"] = ({} if holds else {"say": "Hello."}) | voice | example
    return {"routes": {"main": route}, "endings": endings}


@pytest.mark.parametrize(("section", "key", "example", "_default"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS])
def test_every_example_loads(section: str, key: str, example: str, _default: str) -> None:
    written = tomllib.loads(example.strip("`"))

    assert list(written) == re.findall(r"`(\w+)`", key)[:1]
    assert plan_from_tables(plan_with(section, written), source="plan.toml")


@pytest.mark.parametrize(("section", "key", "_example", "default"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS])
def test_every_default_holds(section: str, key: str, _example: str, default: str) -> None:
    name = re.findall(r"`(\w+)`", key)[0]
    fields = [table.model_fields[name] for table in SECTIONS[section] if name in table.model_fields]

    [value] = {repr(field.get_default()) if not field.is_required() else "required" for field in fields[:1]}
    if value in {"None", "PydanticUndefined", "()"} or default.startswith("`{"):
        return
    shown = default.strip("`").replace('"', "'").replace("true", "True").replace("false", "False")
    assert shown in {value, "required", "–"} or value == f"('{shown[2:-2]}',)"


def test_every_voice_and_language_is_listed() -> None:
    listed = set(re.findall(r"[\w*-]+", PAGE.partition("### Voices and languages")[2]))

    assert listed >= LANGUAGES
    assert {voice.removeprefix("Polly.") for voice in POLLY_VOICES} - listed <= {"*"}
