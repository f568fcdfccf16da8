"""`flask doctor` and `flask version`."""

import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib import metadata
from itertools import chain
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import click
from flask.cli import with_appcontext
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import create_environ, run_wsgi_app
from werkzeug.wrappers import Response

from app.account.access import Access, access_options
from app.account.doctor import examine
from app.account.errors import SettingError
from app.account.local_checks import Check, failed, passed
from app.account.public_url import is_url
from app.account.setup import parse_number
from app.account.signature_report import CapturedRequest, SignedRequest, parse_request, signature_checks
from app.context import has_token, refused, services
from app.dial.refusals import urls_in
from app.dial.request import Request, read_head, read_parameters
from app.ops.feeds import Feeds
from app.voice.events import Kind
from config import VERSION, Config

_ADVICE = {
    "settings": "Change them in .env or the environment.",
    "plan": "Change the file; the server does not start with it as it is.",
}


@click.command()
@access_options
@click.option("--app-name", default="dialstatus", show_default=True, help="The Plivo application's name.")
@click.option("--number", "numbers", multiple=True, help="A number that must be on it; may be repeated.")
@click.option("--url", help="Where Plivo reaches this server. Default: PUBLIC_URL, else a running ngrok.")
@click.option(
    "--signature",
    "request_file",
    type=click.File("rb"),
    help="Only explain why the signature of this request is refused: a file as captured, or - for standard input.",
)
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
    request_file: BinaryIO | None,
    as_json: bool,
) -> None:
    """Check everything that must be true, and print what to do."""
    access = Access(api_url=api_url, phlo_url=phlo_url, ngrok_url=ngrok_url, timeout=timeout)
    if url is not None and not is_url(url):
        raise SettingError(f"--url is {url!r}; write one such as https://calls.example.com")
    wanted = [parse_number(number) for number in numbers]
    checks = []
    without = [failed(of, ". ".join(problems), _ADVICE[of]) for of, problems in refused().items()]
    found: Iterable[Check] = without
    if not without and request_file:
        found = _examine_signature(parse_request(request_file.read()), services().config, url)
    elif not without:
        found = chain(_feed_checks(), examine(services(), access, app_name=app_name, numbers=wanted, url=url))
    for check in found:
        checks.append(check)
        if not as_json:
            click.echo(check)
    ok = all(check.ok is not False for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": ok, "checks": [asdict(check) for check in checks]}, ensure_ascii=False))
    raise SystemExit(0 if ok else 1)


def _feed_checks() -> Iterator[Check]:
    """Yield a check of each calendar that the plan names."""
    shared = services()
    for feed in Feeds.of(shared.plan, shared.config).states():
        if feed.is_stale:
            yield failed("calendar", str(feed), "Check its address in the plan; the last good copy stays in use.")
        else:
            yield passed("calendar", str(feed))


def _examine_signature(captured: CapturedRequest, config: Config, url: str | None) -> Iterator[Check]:
    """Yield what the server of these settings finds in a captured request; `url` is a public URL to try as well."""
    request = Request(_environ_of(captured, config))
    is_phlo = urlsplit(captured.target).path.rstrip("/").endswith("/phlo")
    webhook = read_head(request, Kind.PHLO if is_phlo else Kind.ACTION, config)
    try:
        read_parameters(webhook, request, config.secret_key)
    except HTTPException as error:
        yield failed("request", f"refused with {error.code}: {error.description}", "Plivo sends nothing like it.")
        return
    if is_phlo:
        yield _check_bearer(request, config.phlo_token)
        return
    signed = SignedRequest(
        method=webhook.method,
        url=webhook.url,
        query=webhook.asked,
        form=webhook.form,
        other_urls=(*([url.rstrip("/") + webhook.path] if url else ()), *urls_in(request.environ, webhook)),
    )
    yield from signature_checks(signed, captured.headers, tokens=config.plivo_auth_tokens, accept_v2=config.accept_v2)


def _environ_of(captured: CapturedRequest, config: Config) -> dict[str, Any]:
    """Return the request as the application gets it, behind as many proxies as are trusted."""
    headers = [(name, value) for name, value in captured.headers.items() if name.lower() != "content-length"]
    environ = create_environ(method=captured.method, headers=headers, data=captured.body or None)
    environ |= {"RAW_URI": captured.target, "SCRIPT_NAME": config.script_name or ""}
    hops = config.trusted_proxies
    forwarded: list[dict[str, Any]] = []

    def receive(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        forwarded.append(environ)
        return Response()(environ, start_response)

    run_wsgi_app(ProxyFix(receive, hops, hops, hops, hops), environ)
    return forwarded[0]


def _check_bearer(request: Request, token: str | None) -> Check:
    if token is None:
        return failed("bearer", "a PHLO signs nothing, and PHLO_TOKEN is not set", "Set PHLO_TOKEN.")
    if not has_token(request, token):
        said = "the Authorization header is not `Bearer` and PHLO_TOKEN"
        return failed("bearer", said, "Write both into the HTTP Request node of the PHLO.")
    return passed("bearer", "PHLO_TOKEN; a PHLO signs nothing")


@click.command(short_help="Print the versions of Dialstatus and its libraries.")
def version() -> None:
    """Print the version of Dialstatus and of the libraries that serve it."""
    libraries = " ".join(f"{name} {metadata.version(name)}" for name in ("flask", "gunicorn", "sqlalchemy", "plivo"))
    click.echo(f"dialstatus {VERSION} python {platform.python_version()} {libraries}")
