"""Point an application and its numbers at us: see what is, plan what will be, apply it.

`plan` is pure. Nothing is changed that already is as it shall be, so a second run changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.account.addresses import Addresses
from app.account.client import Json, PlivoClient
from app.account.errors import AccountError, NotFoundError, SettingError
from app.account.paging import every
from app.account.snapshot import Wiring
from app.voice.numbers import parse_target

Settings = Mapping[str, str]

# What of an application is ours to set, by Plivo's names.
URL_FIELDS = ("answer_url", "hangup_url", "fallback_answer_url")
METHOD_FIELDS = ("answer_method", "hangup_method", "fallback_method")


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One application of the account, as far as it is ours to set."""

    app_id: str
    name: str
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value that will be different. `before` is empty where there was nothing."""

    subject: str
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is, what will be, and so what has to change. `numbers` tells the application each is on now."""

    name: str
    application: Application | None
    wanted: Settings
    numbers: Mapping[str, str | None]

    @property
    def settings_to_change(self) -> dict[str, str]:
        """Give the application's settings that are not as wanted."""
        known = self.application.settings if self.application else {}
        return {field: value for field, value in self.wanted.items() if known.get(field) != value}

    @property
    def numbers_to_move(self) -> list[str]:
        """Give the numbers that are not on the application."""
        app_id = self.application.app_id if self.application else None
        return [number for number, known in self.numbers.items() if app_id is None or known != app_id]

    def changes(self) -> Iterator[Change]:
        """Name every single change, for people."""
        known = self.application.settings if self.application else {}
        new = "" if self.application else " (new)"
        for field, value in self.settings_to_change.items():
            yield Change(subject=f"application {self.name}{new}", field=field, before=known.get(field, ""), after=value)
        for number in self.numbers_to_move:
            before = self.numbers[number]
            yield Change(
                subject=f"number +{number}",
                field="application",
                before=before or "",
                after=self.name if self.application is None else f"{self.name} ({self.application.app_id})",
            )


def wanted_settings(addresses: Addresses) -> dict[str, str]:
    """Say how an application of ours is set, by Plivo's names."""
    urls = (addresses.answer, addresses.hangup, addresses.fallback)
    return dict(zip(URL_FIELDS, urls, strict=True)) | dict.fromkeys(METHOD_FIELDS, "POST")


def read_number(text: str) -> str:
    """Read a number as people write it; give its digits, which is what Plivo's Number API wants."""
    try:
        number = parse_target(text)
    except ValueError as error:
        raise SettingError(f"--number is {text!r}; {error}") from error
    if not number.startswith("+"):
        raise SettingError(f"--number is {text!r}; write a telephone number of your Plivo account")
    return number.removeprefix("+")


def find_application(client: PlivoClient, name: str) -> Application | None:
    """Look for the application of this name. Raises when there are several."""
    found = [_application(app) for app in every(client.applications.list) if app.get("app_name") == name]
    if len(found) > 1:
        raise AccountError(
            f"The account has {len(found)} applications called {name}; rename all but one in the Plivo "
            "console, or choose another name with --app-name"
        )
    return found[0] if found else None


def application_of(client: PlivoClient, number: str) -> str | None:
    """Tell which application a number is on."""
    try:
        known = client.numbers.get(number)
    except NotFoundError as error:
        raise NotFoundError(
            f"+{number} is not a number of this Plivo account; rent it in the console, or name one of yours"
        ) from error
    return app_id_of(known)


def app_id_of(number: Json) -> str | None:
    """Read the application's id from a number, which names it by its path."""
    path = number.get("application")
    return str(path).rstrip("/").rpartition("/")[2] if path else None


def plan(client: PlivoClient, *, name: str, numbers: Sequence[str], addresses: Addresses) -> Plan:
    """Look at the account and say what has to change."""
    return Plan(
        name=name,
        application=find_application(client, name),
        wanted=wanted_settings(addresses),
        numbers={number: application_of(client, number) for number in numbers},
    )


def apply(client: PlivoClient, plan: Plan, wiring: Wiring) -> str:
    """Make it so, and give the application's id. What was before is on disk before it is changed."""
    wiring.keep_numbers({number: plan.numbers[number] for number in plan.numbers_to_move})
    if plan.application is None:
        app_id = _create(client, plan)
        wiring.keep_application(app_id, None)
    else:
        app_id = plan.application.app_id
        if plan.settings_to_change:
            wiring.keep_application(app_id, plan.application.settings)
            update_application(client, app_id, plan.wanted)
    for number in plan.numbers_to_move:
        client.numbers.update(number, app_id=app_id)
    return app_id


def _create(client: PlivoClient, plan: Plan) -> str:
    app_id = client.applications.create(plan.name, **plan.wanted).get("app_id")
    if not app_id:
        raise AccountError("Plivo made the application without saying its app_id; run the command again")
    return str(app_id)


def update_application(client: PlivoClient, app_id: str, settings: Settings) -> None:
    """Change these settings and no others: the SDK would reset the rest to its own defaults."""
    untouched = {
        "message_method": None,
        "default_number_app": None,
        "default_endpoint_app": None,
        "log_incoming_messages": None,
    }
    client.applications.update(app_id, **untouched, **settings)


def _application(app: Json) -> Application:
    return Application(
        app_id=str(app.get("app_id", "")),
        name=str(app.get("app_name", "")),
        settings={field: str(app.get(field) or "") for field in URL_FIELDS + METHOD_FIELDS},
    )
