"""What the first page needs from other rooms: URLs for Plivo, the tunnel, the local checks, and a test call."""

import logging
import subprocess
import sys
import threading
from collections.abc import Iterable

from app.account.errors import AccountError, UnreachableError
from app.account.local_checks import Check, local_checks
from app.account.public_url import addresses_at, find_tunnel
from app.context import Services
from app.dial.callback_urls import PREFIX
from app.plan.values import ANY_NUMBER
from app.reports.pages.first_run import Reach
from config import ROOT
from settings.urls import is_private

log = logging.getLogger(__name__)

_CALLER, _CALLED = "+14155550143", "+14155550199"


class SetupGuide:
    """Answers the first page's questions about one application."""

    def __init__(self, shared: Services) -> None:
        self._shared = shared

    def reach(self) -> Reach:
        """Return the URLs for Plivo, and in a sentence whether Plivo can reach them and what to do."""
        config = self._shared.config
        base, is_reached = config.public_url, True
        if base is not None and not is_private(base):
            said = f"PUBLIC_URL is {base}."
        else:
            try:
                base = find_tunnel(config.port) + config.path_prefix
                said = f"ngrok leads from {base} to this server. Write PUBLIC_URL={base} into .env and start again."
            except UnreachableError:
                said = f"For a tunnel, run `ngrok http {config.port}`. With an address of your own, set PUBLIC_URL."
                base, is_reached, said = self._local(), False, f"Plivo cannot reach this address yet. {said}"
            except AccountError as error:
                base, is_reached, said = self._local(), False, f"{error.message}."
        urls = addresses_at(base, retry_control=config.retry_control, retry_notice=config.retry_notice)
        named = {"Answer URL": urls.answer, "Hangup URL": urls.hangup, "Fallback URL": urls.fallback}
        return Reach(urls=named, is_reached=is_reached, said=said)

    def checks(self) -> Iterable[Check]:
        """Return what `flask doctor` finds on this machine."""
        return local_checks(self._shared)

    def start_test_call(self) -> None:
        """Play a call to this server in the background, in real time: it rings, is answered and ends."""
        threading.Thread(target=self._play, name="test-call", daemon=True).start()

    def replay(self, receipt_key: int, to: str) -> tuple[bool, str]:
        """Send a receipt again by `flask replay`, with its rules; return whether it was taken, and what it printed."""
        done = self._run("replay", str(receipt_key), *([f"--to={to}"] if to else []))
        return done.returncode == 0, done.stdout.strip() or done.stderr.strip()

    def _play(self) -> None:
        config = self._shared.config
        words = [
            "simulate",
            "answered",
            "--real-time",
            "--no-trace",
            "--caller-names",
            "--from",
            _CALLER,
            "--to",
            self._called(),
        ]
        if config.path_prefix and config.public_url is None:
            words += ["--url", f"{self._local()}{PREFIX}/"]
        played = self._run(*words)
        if played.returncode:
            said = (played.stderr or played.stdout).strip().splitlines()
            log.warning("test_call_failed", extra={"reason": said[-1] if said else f"exit code {played.returncode}"})

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own: the server loads no simulator. No secret is an argument."""
        environment = self._shared.config.environment
        return subprocess.run(  # noqa: S603 - Numbers of the plan, settings and a URL; no shell reads them.
            [sys.executable, "-m", "flask", "--app", "wsgi", *words],
            cwd=ROOT,
            env={name: value for name, value in environment.items() if value is not None},
            capture_output=True,
            text=True,
            check=False,
        )

    def _local(self) -> str:
        config = self._shared.config
        return config.public_url or f"http://{config.host}:{config.port}{config.path_prefix}"

    def _called(self) -> str:
        """Return a number of ours that the plan knows."""
        routes = self._shared.plan.routes.values()
        known = [number for route in routes for number in route.called if number != ANY_NUMBER]
        return next((number for number in known if number.startswith("+")), _CALLED)
