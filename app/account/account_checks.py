"""What must be true at Plivo: the credentials, the application and its numbers."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from app.account.addresses import Addresses
from app.account.check import Check, failed, passed
from app.account.client import PlivoClient
from app.account.errors import AccountError
from app.account.paging import every
from app.account.setup import Application, app_id_of, find_application, wanted_settings

# Times of webhooks and of our own clock are set side by side in the records.
GREATEST_SKEW_SECONDS = 30
SETUP = "Run `flask plivo setup --number +1…`."


def account_checks(
    client: PlivoClient, *, app_name: str, addresses: Addresses | None, numbers: Sequence[str]
) -> Iterator[Check]:
    """Look at the account; what cannot be looked at without what failed before it is left out."""
    token = token_fits(client)
    yield token
    if not token.ok:
        return
    yield clock(client.wire.server_time, datetime.now(UTC))
    try:
        application = find_application(client, app_name)
        on_it = _numbers_on(client, application) if application else []
    except AccountError as error:
        yield failed("application", error.message)
        return
    if application is None:
        yield failed("application", f"the account has none called {app_name}", SETUP)
        return
    yield passed("application", f"{app_name} ({application.app_id})")
    yield hangup_url(application)
    if addresses is not None:
        yield urls_are_ours(application, addresses)
    yield numbers_on_it(application, on_it, numbers)


def token_fits(client: PlivoClient) -> Check:
    """Plivo takes the credentials."""
    try:
        client.applications.list(limit=1)
    except AccountError as error:
        return failed("token", error.message)
    return passed("token", f"fits the account {client.auth_id}")


def clock(theirs: datetime | None, ours: datetime) -> Check:
    """This machine's clock agrees with Plivo's."""
    if theirs is None:
        return Check(name="clock", ok=None, said="Plivo did not say the time")
    skew = round((ours - theirs).total_seconds())
    if abs(skew) > GREATEST_SKEW_SECONDS:
        direction = "ahead of" if skew > 0 else "behind"
        return failed("clock", f"{abs(skew)} seconds {direction} Plivo's", "Let NTP set this machine's clock.")
    return passed("clock", "agrees with Plivo's")


def hangup_url(application: Application) -> Check:
    """A hangup URL of its own is set: without one Plivo sends the notice to the answer URL."""
    given = application.settings["hangup_url"]
    if not given or given == application.settings["answer_url"]:
        return failed("hangup URL", "not set: Plivo posts hangups to the answer URL", SETUP)
    return passed("hangup URL", "set")


def urls_are_ours(application: Application, addresses: Addresses) -> Check:
    """The application asks us, at the address at which we are, by POST."""
    wanted = wanted_settings(addresses)
    wrong = [
        f"{field} is {application.settings[field] or 'empty'}, not {value}"
        for field, value in wanted.items()
        if application.settings[field] != value
    ]
    if wrong:
        return failed("application URLs", "; ".join(wrong), SETUP)
    return passed("application URLs", f"ours, by POST: {wanted['answer_url']}")


def numbers_on_it(application: Application, on_it: Sequence[str], expected: Sequence[str]) -> Check:
    """The numbers asked about are on the application; if none is asked about, at least one is."""
    missing = [number for number in expected if number not in on_it]
    if missing:
        listed = ", ".join(f"+{number}" for number in missing)
        return failed("numbers", f"{listed} not on {application.name}", SETUP)
    if not on_it:
        return failed("numbers", f"none is on {application.name}", SETUP)
    return passed("numbers", ", ".join(f"+{number}" for number in on_it))


def _numbers_on(client: PlivoClient, application: Application) -> list[str]:
    rented = every(client.numbers.list)
    return [str(number.get("number", "")) for number in rented if app_id_of(number) == application.app_id]
