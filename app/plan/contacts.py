"""The address book: the names of callers, and which of them are VIPs or blocked."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from app.voice.numbers import identities, parse_target

MOST_CONTACTS = 20_000
_MOST_BYTES = 5_000_000
_COLUMNS = ("number", "name", "vip", "blocked")
_FLAGS = {"": False, "no": False, "false": False, "0": False, "yes": True, "true": True, "1": True}


class Contact(NamedTuple):
    """One person of the address book."""

    name: str | None = None
    is_vip: bool = False
    is_blocked: bool = False


Contacts = Mapping[str, Contact]
"""Contacts by number or SIP address, in the form to compare."""
NO_CONTACTS: Contacts = {}
_STRANGER = Contact()


class ContactsError(ValueError):
    """Raised with one sentence for each mistake in an address book."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def contact_of(contacts: Contacts, caller: str | None) -> Contact:
    """Return the contact of a webhook's From, in any of Plivo's spellings; an empty one for a stranger."""
    if not contacts:
        return _STRANGER
    return next((contacts[party] for party in sorted(identities(caller)) if party in contacts), _STRANGER)


def read_contacts(path: Path) -> Contacts:
    """Return the contacts of a CSV file. Raises `ContactsError`."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ContactsError([f"{path.name} is larger than {_MOST_BYTES} bytes; remove contacts"])
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ContactsError([f"{path.name} cannot be read: {error}; save it as UTF-8 beside the plan"]) from error
    reader = csv.reader(io.StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ",", strict=True)
    try:
        header, rows = next(reader, []), [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ContactsError([f"{path.name} line {reader.line_num}: {error}; look at its quotation marks"]) from error
    names = [name.strip().casefold() for name in header]
    if "number" not in names or not set(names) <= set(_COLUMNS) or len(set(names)) < len(names):
        raise ContactsError([f"{path.name} line 1: write the names of the columns: {', '.join(_COLUMNS)}"])
    if len(rows) > MOST_CONTACTS:
        raise ContactsError([f"{path.name} has {len(rows)} lines; write at most {MOST_CONTACTS}"])
    contacts: dict[str, Contact] = {}
    problems = list(_add_rows(contacts, names, rows))
    if problems:
        raise ContactsError([f"{path.name} {problem}" for problem in problems])
    return contacts


def _add_rows(
    contacts: dict[str, Contact], names: Sequence[str], rows: Iterable[tuple[int, list[str]]]
) -> Iterator[str]:
    for line, row in rows:
        if not any(row):
            continue
        fields = dict(zip(names, (value.strip() for value in row), strict=False))
        flags = [_FLAGS.get(fields.get(name, "").casefold()) for name in ("vip", "blocked")]
        try:
            number = parse_target(fields.get("number", ""))
        except ValueError as error:
            yield f"line {line}: the number is {fields.get('number', '')!r}; {error}"
            continue
        if len(row) > len(names) or None in flags:
            yield f"line {line}: write yes or no for vip and blocked, and a text with a comma in double quotes"
        elif number in contacts:
            yield f"line {line}: {number} stands in the file twice; remove one"
        else:
            name = "".join(letter for letter in " ".join(fields.get("name", "").split()) if letter.isprintable())[:100]
            contacts[number] = Contact(name=name or None, is_vip=bool(flags[0]), is_blocked=bool(flags[1]))
