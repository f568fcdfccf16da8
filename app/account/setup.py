"""Point an application and its numbers at us: read what is there, plan the changes, apply them.

Only differences are changed, so a second run changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.account.client import Json, PlivoClient, list_all
from app.account.errors import AccountError, NotFoundError, SettingError
from app.account.public_url import Addresses
from app.account.snapshot import Snapshot
from app.voice.numbers import parse_target

Settings = Mapping[str, str]

# The settings of an application that are ours, by Plivo's names.
URL_FIELDS = ("answer_url", "hangup_url", "fallback_answer_url")
METHOD_FIELDS = ("answer_method", "hangup_method", "fallback_method")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlivoApplication:
    """One application of the account, with those of its settings that are ours."""

    app_id: str
    name: str
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value that will differ. `before` is empty where there was none."""

    subject: str
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPlan:
    """What is there and what is wanted. `numbers` holds the present application of each number."""

    name: str
    application: PlivoApplication | None
    wanted: Settings
    numbers: Mapping[str, str | None]

    @property
    def settings_to_change(self) -> dict[str, str]:
        """The wanted settings that the application does not have."""
        known = self.application.settings if self.application else {}
        return {field: value for field, value in self.wanted.items() if known.get(field) != value}

    @property
    def numbers_to_move(self) -> list[str]:
        """The numbers that are not on the application."""
        app_id = self.application.app_id if self.application else None
        return [number for number, known in self.numbers.items() if app_id is None or known != app_id]

    def changes(self) -> Iterator[Change]:
        """Yield every single change, for people."""
        known = self.application.settings if self.application else {}
        new = "" if self.application else " (new)"
        for field, value in self.settings_to_change.items():
            yield Change(subject=f"application {self.name}{new}", field=field, before=known.get(field, ""), after=value)
        for number in self.numbers_to_move:
            yield Change(
                subject=f"number +{number}",
                field="application",
                before=self.numbers[number] or "",
                after=self.name if self.application is None else f"{self.name} ({self.application.app_id})",
            )


def wanted_settings(addresses: Addresses) -> dict[str, str]:
    """Return the settings of an application that calls us, by Plivo's names."""
    urls = (addresses.answer, addresses.hangup, addresses.fallback)
    return dict(zip(URL_FIELDS, urls, strict=True)) | dict.fromkeys(METHOD_FIELDS, "POST")


def parse_number(text: str) -> str:
    """Return the digits of a number as people write it, the form of Plivo's Number API. Raises SettingError."""
    try:
        number = parse_target(text)
    except ValueError as error:
        raise SettingError(f"--number is {text!r}; {error}") from error
    if not number.startswith("+"):
        raise SettingError(f"--number is {text!r}; write a telephone number of your Plivo account")
    return number.removeprefix("+")


def find_application(client: PlivoClient, name: str) -> PlivoApplication | None:
    """Return the application of this name. Raises AccountError where there are several."""
    found = [_application(app) for app in list_all(client.applications.list) if app.get("app_name") == name]
    if len(found) > 1:
        raise AccountError(
            f"The account has {len(found)} applications called {name}; rename all but one in the Plivo "
            "console, or choose another name with --app-name"
        )
    return found[0] if found else None


def application_of(client: PlivoClient, number: str) -> str | None:
    """Return the id of the application that a number is on. Raises NotFoundError."""
    try:
        known = client.numbers.get(number)
    except NotFoundError as error:
        raise NotFoundError(
            f"+{number} is not a number of this Plivo account; rent it in the console, or name one of yours"
        ) from error
    return app_id_of(known)


def app_id_of(number: Json) -> str | None:
    """Return the application's id of a number, which names it by its path."""
    path = number.get("application")
    return str(path).rstrip("/").rpartition("/")[2] if path else None


def plan_setup(client: PlivoClient, *, name: str, numbers: Sequence[str], addresses: Addresses) -> SetupPlan:
    """Read the account and return what has to change."""
    return SetupPlan(
        name=name,
        application=find_application(client, name),
        wanted=wanted_settings(addresses),
        numbers={number: application_of(client, number) for number in numbers},
    )


def apply(client: PlivoClient, plan: SetupPlan, snapshot: Snapshot) -> str:
    """Apply the plan and return the application's id. The snapshot is on disk before each change."""
    snapshot.add_numbers({number: plan.numbers[number] for number in plan.numbers_to_move})
    if plan.application is None:
        app_id = _create(client, plan)
        snapshot.add_application(app_id, None)
    else:
        app_id = plan.application.app_id
        if plan.settings_to_change:
            snapshot.add_application(app_id, plan.application.settings)
            _update_application(client, app_id, plan.wanted)
    for number in plan.numbers_to_move:
        client.numbers.update(number, app_id=app_id)
    return app_id


def _create(client: PlivoClient, plan: SetupPlan) -> str:
    app_id = client.applications.create(plan.name, **plan.wanted).get("app_id")
    if not app_id:
        raise AccountError("Plivo made the application without naming its app_id; run the command again")
    return str(app_id)


def _update_application(client: PlivoClient, app_id: str, settings: Settings) -> None:
    # None leaves a setting as it is: the SDK's defaults would reset it.
    untouched = ("message_method", "default_number_app", "default_endpoint_app", "log_incoming_messages")
    client.applications.update(app_id, **dict.fromkeys(untouched), **settings)


def _application(app: Json) -> PlivoApplication:
    return PlivoApplication(
        app_id=str(app.get("app_id", "")),
        name=str(app.get("app_name", "")),
        settings={field: str(app.get(field) or "") for field in URL_FIELDS + METHOD_FIELDS},
    )
