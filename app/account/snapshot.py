"""How the account was wired before us: kept in a file, so that it can be put back."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from app.account.client import PlivoClient
from app.account.errors import AccountError, NotFoundError


class Wiring:
    """What an account's applications and numbers were set to before the first change of ours.

    The oldest word stays: what is kept once is not overwritten by a later change.
    """

    def __init__(self, path: Path, auth_id: str) -> None:
        self._path = path
        self._auth_id = auth_id
        self._applications: dict[str, dict[str, str] | None] = {}
        self._numbers: dict[str, str | None] = {}

    @classmethod
    def open(cls, path: Path, auth_id: str) -> Self:
        """Read the file, or begin a new one. Raises when it was written for another account."""
        wiring = cls(path, auth_id)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            owner, applications, numbers = kept["auth_id"], dict(kept["applications"]), dict(kept["numbers"])
        except FileNotFoundError:
            return wiring
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise AccountError(
                f"{path} cannot be read ({type(error).__name__}); put the account's applications right in "
                "the Plivo console, then remove this file"
            ) from error
        if owner != auth_id:
            raise AccountError(
                f"{path} tells how the account {owner} was set up, but PLIVO_AUTH_ID is {auth_id}; set it "
                "back and run `flask plivo restore`, or remove the file"
            )
        wiring._applications, wiring._numbers = applications, numbers
        return wiring

    @property
    def is_empty(self) -> bool:
        """Tell that nothing was changed."""
        return not self._applications and not self._numbers

    def keep_application(self, app_id: str, settings: Mapping[str, str] | None) -> None:
        """Note how an application was set; None for one that was not there."""
        self._applications.setdefault(app_id, dict(settings) if settings is not None else None)
        self._save()

    def keep_numbers(self, numbers: Mapping[str, str | None]) -> None:
        """Note which application each number was on."""
        if numbers:
            self._numbers = dict(numbers) | self._numbers
            self._save()

    def put_back(self, client: PlivoClient) -> Iterator[str]:
        """Undo our changes one by one, a sentence for each; the file goes last, so it can be begun again."""
        for number, app_id in self._numbers.items():
            yield _put_number_back(client, number, app_id)
        for app_id, settings in self._applications.items():
            yield _put_application_back(client, app_id, settings)
        self._applications, self._numbers = {}, {}
        self._path.unlink(missing_ok=True)

    def _save(self) -> None:
        kept: dict[str, Any] = {
            "auth_id": self._auth_id,
            "applications": self._applications,
            "numbers": self._numbers,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
        beside.replace(self._path)


def _put_number_back(client: PlivoClient, number: str, app_id: str | None) -> str:
    try:
        client.numbers.update(number, app_id=app_id)
    except NotFoundError:
        return f"Number +{number} is no longer in the account."
    if app_id is None:
        # Plivo's API has no way to take a number off every application.
        return f"Number +{number} was on no application; it is on the account's default one now."
    return f"Number +{number} is on application {app_id} again."


def _put_application_back(client: PlivoClient, app_id: str, settings: dict[str, str] | None) -> str:
    try:
        if settings is None:
            # Without cascade, endpoints that were put on it since stay and go to the default application.
            client.applications.delete(app_id, cascade=False)
            return f"Application {app_id}, which setup had made, is removed."
        _set_back(client, app_id, settings)
    except NotFoundError:
        return f"Application {app_id} is no longer in the account."
    return f"Application {app_id} is set as it was."


def _set_back(client: PlivoClient, app_id: str, settings: Mapping[str, str]) -> None:
    # The SDK refuses an empty URL and resets what is not named, so the request is made without it.
    client.request("POST", ("Application", app_id), dict(settings))
