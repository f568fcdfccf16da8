"""Why a leg ended: Plivo's codes and words, what they mean to the owner of the number, and what to do."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


@dataclass(frozen=True, kw_only=True, slots=True)
class HangupCause:
    """One reason for the end of a leg: `code` is None where Plivo has only a word for it."""

    code: int | None
    name: str
    meaning: str
    advice: str


def _cause(code: int | None, name: str, row: dict[str, Any]) -> HangupCause:
    return HangupCause(code=code, name=name, meaning=row["meaning"], advice=row["advice"])


def _named(name: str, row: dict[str, Any]) -> HangupCause:
    like = row.get("like")
    return _cause(like, name, row if like is None else _TABLE["code"][str(like)])


CODES: dict[int, HangupCause] = {int(code): _cause(int(code), row["name"], row) for code, row in _TABLE["code"].items()}
"""Every documented HangupCauseCode (Plivo, hangup causes)."""

NAMES: dict[str, HangupCause] = {name: _named(name, row) for name, row in _TABLE["name"].items()}
"""The words seen in HangupCause and DialHangupCause: FreeSWITCH's names, and two of Plivo's own."""

_BY_ANY_NAME = {cause.name.casefold(): cause for cause in (*CODES.values(), *NAMES.values())}


def by_code(code: int | None) -> HangupCause | None:
    """Return the cause with this HangupCauseCode; None for a code nobody has documented."""
    return None if code is None else CODES.get(code)


def by_name(name: str | None) -> HangupCause | None:
    """Return the cause of a HangupCause (`USER_BUSY`) or HangupCauseName (`Busy Line`), in upper or lower case.

    A number is taken for a code: PHLO reports one in the place of a cause.
    """
    if name is None:
        return None
    name = name.strip()
    return by_code(int(name)) if name.isascii() and name.isdecimal() else _BY_ANY_NAME.get(name.casefold())


def code_of(code: int | None, name: str | None, cause: str | None) -> int | None:
    """Return the code that the fields of one hang-up stand for, the most exact of them first.

    An older callback has only a word. Code 0 means that Plivo does not know.
    """
    if code:
        return code
    found = by_name(name) or by_name(cause)
    return code if found is None or found.code is None else found.code
