"""`flask doctor` and `flask version`."""

import json
import platform
from dataclasses import asdict
from importlib import metadata

import click
from flask.cli import with_appcontext

from app.account.access import Access, access_options
from app.account.doctor import examine
from app.account.errors import SettingError
from app.account.local_checks import failed
from app.account.public_url import is_url
from app.account.setup import parse_number
from app.context import refused, services
from config import VERSION

_ADVICE = {
    "settings": "Change them in .env or the environment.",
    "plan": "Change the file; the server does not start with it as it is.",
}


@click.command()
@access_options
@click.option("--app-name", default="dialstatus", show_default=True, help="The Plivo application's name.")
@click.option("--number", "numbers", multiple=True, help="A number that must be on it; may be repeated.")
@click.option("--url", help="Where Plivo reaches this server. Default: PUBLIC_URL, else a running ngrok.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
def doctor(
    api_url: str,
    phlo_url: str,
    ngrok_url: str,
    timeout: float,
    app_name: str,
    numbers: tuple[str, ...],
    url: str | None,
    as_json: bool,
) -> None:
    """Check everything that must be true, and print what to do."""
    access = Access(api_url=api_url, phlo_url=phlo_url, ngrok_url=ngrok_url, timeout=timeout)
    if url is not None and not is_url(url):
        raise SettingError(f"--url is {url!r}; write one such as https://calls.example.com")
    wanted = [parse_number(number) for number in numbers]
    checks = []
    without = [failed(of, ". ".join(problems), _ADVICE[of]) for of, problems in refused().items()]
    for check in without or examine(services(), access, app_name=app_name, numbers=wanted, url=url):
        checks.append(check)
        if not as_json:
            click.echo(check)
    ok = all(check.ok is not False for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": ok, "checks": [asdict(check) for check in checks]}, ensure_ascii=False))
    raise SystemExit(0 if ok else 1)


@click.command()
def version() -> None:
    """Print the version of Dialstatus and of the libraries that serve it."""
    libraries = " ".join(f"{name} {metadata.version(name)}" for name in ("flask", "gunicorn", "sqlalchemy", "plivo"))
    click.echo(f"dialstatus {VERSION} python {platform.python_version()} {libraries}")
