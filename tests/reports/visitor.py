"""Somebody at a real Chromium, and the site they visit."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from werkzeug.serving import make_server

from tests.reports.caller import REPORTS_TOKEN, Caller

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
PHONE = {"width": 390, "height": 844}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here; apt-get install chromium runs these tests"
)


@dataclass(frozen=True)
class Site:
    """A served application, and the caller that fills it."""

    url: str
    caller: Caller


@contextmanager
def served(caller: Caller) -> Iterator[Site]:
    """Serve an application on a free port."""
    server = make_server("127.0.0.1", 0, caller.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Site(f"http://127.0.0.1:{server.port}", caller)
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Visitor:
    """Somebody at a browser, and every error they meet."""

    page: Page
    url: str
    scheme: str = "light"
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note errors on the console and requests to other hosts."""
        self.page.on(
            "console", lambda message: self.complaints.append(message.text) if message.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda asked: self._note(asked.url))

    def _note(self, url: str) -> None:
        if not url.startswith(("data:", "blob:")) and urlsplit(url).netloc != urlsplit(self.url).netloc:
            self.elsewhere.append(url)

    def log_in(self) -> None:
        """Follow the printed link."""
        self.page.goto(f"{self.url}/login?token={REPORTS_TOKEN}")

    def width(self) -> int:
        """Return the width of the page in pixels; more than the screen's if it scrolls sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))

    def barriers(self) -> list[str]:
        """Return every accessibility violation that axe finds, by WCAG 2.2 A and AA and by its best practices."""
        if self.page.evaluate("typeof axe === 'undefined'"):
            self.page.evaluate(Axe().axe_script)
        found = self.page.evaluate("(options) => axe.run(options)", {"resultTypes": ["violations"], "runOnly": RULES})
        return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]
