"""How the account's applications and numbers were set before our first change, kept in a file for `restore`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from app.account.client import PlivoClient
from app.account.errors import AccountError, NotFoundError


class Snapshot:
    """The settings of applications and numbers before our first change; later changes do not overwrite them."""

    def __init__(self, path: Path, auth_id: str) -> None:
        self._path = path
        self._auth_id = auth_id
        self._applications: dict[str, dict[str, str] | None] = {}
        self._numbers: dict[str, str | None] = {}

    @classmethod
    def open(cls, path: Path, auth_id: str) -> Self:
        """Read the file; return an empty snapshot where there is none. Raises AccountError for another account's."""
        snapshot = cls(path, auth_id)
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
            owner, applications, numbers = saved["auth_id"], dict(saved["applications"]), dict(saved["numbers"])
        except FileNotFoundError:
            return snapshot
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise AccountError(
                f"{path} cannot be read ({type(error).__name__}); correct the account's applications in "
                "the Plivo console, then remove this file"
            ) from error
        if owner != auth_id:
            raise AccountError(
                f"{path} holds how the account {owner} was set up, but PLIVO_AUTH_ID is {auth_id}; set it "
                "back and run `flask plivo restore`, or remove the file"
            )
        snapshot._applications, snapshot._numbers = applications, numbers
        return snapshot

    @property
    def is_empty(self) -> bool:
        """Whether nothing was changed."""
        return not self._applications and not self._numbers

    def add_application(self, app_id: str, settings: Mapping[str, str] | None) -> None:
        """Save the settings of an application; None for one that did not exist."""
        self._applications.setdefault(app_id, dict(settings) if settings is not None else None)
        self._save()

    def add_numbers(self, numbers: Mapping[str, str | None]) -> None:
        """Save the application of each number."""
        if numbers:
            self._numbers = dict(numbers) | self._numbers
            self._save()

    def restore(self, client: PlivoClient) -> Iterator[str]:
        """Undo our changes and yield a sentence for each. The file goes last, so a broken restore can be repeated."""
        for number, app_id in self._numbers.items():
            yield _restore_number(client, number, app_id)
        for app_id, settings in self._applications.items():
            yield _restore_application(client, app_id, settings)
        self._applications, self._numbers = {}, {}
        self._path.unlink(missing_ok=True)

    def _save(self) -> None:
        saved = {"auth_id": self._auth_id, "applications": self._applications, "numbers": self._numbers}
        write_json(self._path, saved, indent=2)


def write_json(path: Path, value: Any, *, indent: int | None = None) -> None:
    """Write a file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(value, indent=indent) + "\n", encoding="utf-8")
    temporary.replace(path)


def _restore_number(client: PlivoClient, number: str, app_id: str | None) -> str:
    try:
        client.numbers.update(number, app_id=app_id)
    except NotFoundError:
        return f"Number +{number} is no longer in the account."
    if app_id is None:
        # Plivo's API has no way to take a number off every application.
        return f"Number +{number} was on no application; it is on the account's default one now."
    return f"Number +{number} is on application {app_id} again."


def _restore_application(client: PlivoClient, app_id: str, settings: dict[str, str] | None) -> str:
    try:
        if settings is None:
            # Without cascade, endpoints that were put on it since stay and move to the default application.
            client.applications.delete(app_id, cascade=False)
            return f"Application {app_id}, which setup had made, is removed."
        # The SDK refuses an empty URL and resets every setting that is not named, so it is bypassed.
        client.request("POST", ("Application", app_id), dict(settings))
    except NotFoundError:
        return f"Application {app_id} is no longer in the account."
    return f"Application {app_id} is set as it was."
