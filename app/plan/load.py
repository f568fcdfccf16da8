"""Read a dial plan from its file: a valid plan, or one sentence for each mistake."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.plan import callers, document, endings, health, hours, model, outlets, prompts
from app.plan.contacts import ContactsError, read_contacts
from app.plan.model import Plan
from app.plan.rules import mistakes
from app.plan.values import Table
from app.voice.xml import XmlError

_HOMES: tuple[tuple[str, tuple[type[Table], ...]], ...] = (
    ("the top of the file", (model.Plan,)),
    ("a route", (model.Route,)),
    ("a route's hours", (hours.Hours,)),
    ("a calendar", (hours.CalendarFeed,)),
    ("a route's blocked", (callers.Blocked,)),
    ("a step", (model.Step,)),
    ("dead_phones", (health.DeadPhones,)),
    ("a target", (model.Target,)),
    ("a prompt", (prompts.Phrase,)),
    (
        "an ending",
        (endings.Announcement, endings.Announcements, endings.Hangup, endings.Voicemail, endings.Redirect),
    ),
    ("[events.NAME]", (outlets.EventsAddress,)),
    ("[notify.NAME]", (outlets.NotifyAddress,)),
)
_MOST_PROBLEMS = 20  # Of an address book.
_KNOWN_KEYS = frozenset(key for _, tables in _HOMES for table in tables for key in table.model_fields) - {
    "name",
    "folder",
}
_SENTENCES = {
    "missing": "{key} is missing",
    "tuple_type": "{key} is no list; write it in square brackets",
    "model_type": "{key} is no table; write {key} = {{ … }}",
    "dict_type": "{key} is no table; write {key} = {{ … }}",
    "ending": f"{{key}} is no ending; write exactly one of {', '.join(endings.VERBS)} in it",
}


class PlanError(ValueError):
    """Raised with what is wrong in a plan: one sentence for each mistake, in `problems`."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Keep the sentences and join them, one a line."""
        self.problems = problems
        super().__init__("\n".join(problems))


def load_plan(path: Path) -> Plan:
    """Return the plan of a file. Raises `PlanError` with every mistake: file, table, key and what to write."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError((f"{path} cannot be read: {error}",)) from error
    except tomllib.TOMLDecodeError as error:
        raise PlanError((f"{path.name} is not valid TOML: {error}",)) from error
    return plan_from_tables(tables, source=path.name, folder=path.parent)


def configured_plan(
    path: Path | None, *, dial_to: tuple[str, ...], timeout: int, time_limit: int, caller_id: str | None
) -> Plan:
    """Return the plan the settings ask for: the file's, or without one the plan that rings `dial_to` at once."""
    if path is not None:
        return load_plan(path)
    return Plan.from_targets(dial_to, timeout=timeout, time_limit=time_limit, caller_id=caller_id)


def plan_from_tables(tables: Mapping[str, Any], *, source: str, folder: Path | None = None) -> Plan:
    """Return the plan of these tables; `source` is the file's name in every mistake, `folder` where its sounds lie."""
    problems = [_place(source, table) + sentence for table, sentence in mistakes(tables)]
    try:
        plan = Plan.model_validate({**_with_names(tables), "(folder)": folder})
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise PlanError((*(_sentence(tables, source, detail) for detail in details), *problems)) from error
    if not problems:
        problems = [_place(source, table) + sentence for table, sentence in _unwritable(plan)]
        problems += [_place(source, "") + sentence for sentence in _unreadable(plan)]
    if problems:
        raise PlanError(tuple(problems))
    return plan


def _with_names(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables with the name of every route and step in it, under a key that no plan has."""
    routes = {
        name: {**route, "(name)": name, **({"steps": _named(route["steps"])} if "steps" in route else {})}
        if isinstance(route, dict)
        else route
        for name, route in _items(tables.get("routes"))
    }
    return {**tables, "routes": routes} if routes else dict(tables)


def _named(steps: object) -> object:
    if not isinstance(steps, dict):
        return steps
    return {name: {**step, "(name)": name} if isinstance(step, dict) else step for name, step in steps.items()}


def _items(table: object) -> Iterator[tuple[str, Any]]:
    yield from table.items() if isinstance(table, dict) else ()


def _place(source: str, table: str) -> str:
    return f"{source} [{table}]: " if table else f"{source}: "


def _sentence(tables: Mapping[str, Any], source: str, detail: ErrorDetails) -> str:
    path = _path_in_file(tables, detail["loc"])
    numbered = next((index for index, part in enumerate(path) if isinstance(part, int)), len(path))
    *places, key = path[:numbered]
    entry = f"{key} entry {int(path[numbered]) + 1}: " if numbered < len(path) else ""
    inner = ".".join(str(part) for part in path[numbered + 1 :])
    table = ".".join(str(part) for part in places)
    return _place(source, table) + entry + _statement(inner if entry else str(key), detail)


def _path_in_file(tables: Any, location: tuple[int | str, ...]) -> list[int | str]:
    """Return the path of keys and indexes that leads to a mistake in the file."""
    parts = [part for part in location if part not in ("[key]", *prompts.MUSIC_TAGS)]
    if parts[0] == "endings" and len(parts) > 2:
        del parts[2]  # Pydantic names the kind of ending it chose; the file does not.
    path: list[int | str] = []
    for part in parts:
        if isinstance(part, str):
            tables = tables.get(part) if isinstance(tables, dict) else None
        elif isinstance(tables, list):
            tables = tables[part]
        else:
            continue  # One prompt alone is kept as a list, and may be written without.
        path.append(part)
    return path


def _statement(key: str, detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":
        message = str(detail["ctx"]["error"])
        return message if not key or key in message else f"{key}: {message}"
    if detail["type"] == "extra_forbidden":
        if key in _KNOWN_KEYS:
            return f"{key} is an unknown key here; it belongs in {_homes_of(key)}"
        close = difflib.get_close_matches(key, _KNOWN_KEYS, n=1, cutoff=0.75)
        hint = f"write {close[0]} if you meant that" if close else "remove it"
        return f"{key} is an unknown key; {hint}"
    return _SENTENCES.get(detail["type"], f"{{key}}: {detail['msg']}").format(key=key or "it")


def _homes_of(key: str) -> str:
    """Return the tables a key may stand in."""
    *others, last = [home for home, tables in _HOMES if any(key in table.model_fields for table in tables)]
    return f"{', '.join(others)} or {last}" if others else last


def _unwritable(plan: Plan) -> Iterator[tuple[str, str]]:
    """Write every document of the plan once: a caller must not be the first to meet one that cannot be written."""
    for place, write in document.samples(plan):
        try:
            write()
        except XmlError as error:
            yield place, str(error)


def _unreadable(plan: Plan) -> Iterator[str]:
    """Yield what is wrong with the files beside the plan: the address book, and the audio files."""
    try:
        if plan.contacts_path is not None:
            read_contacts(plan.contacts_path)
    except ContactsError as error:
        yield from error.problems[:_MOST_PROBLEMS]
    for name in dict.fromkeys(prompts.sounds_in(plan)):
        try:
            prompts.read_sound((plan.folder or Path()) / name)
        except ValueError as error:
            yield str(error)
