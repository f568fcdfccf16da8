"""Receivers of events and mail, and applications that send to them, closed after the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.notify.mailbox import Mailbox
from tests.notify.office import Office, make_office
from tests.notify.receiver import Receiver

Answer = Callable[[Receiver], tuple[int, dict[str, str]]]
Listen = Callable[..., Receiver]
Open = Callable[..., Office]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Yield a function that starts a receiver."""
    receivers: list[Receiver] = []

    def start(answer: Answer = lambda _: (204, {}), port: int = 0) -> Receiver:
        receivers.append(Receiver(answer, port))
        return receivers[-1]

    yield start
    for receiver in receivers:
        receiver.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Yield a mail server."""
    server = Mailbox()
    yield server
    server.close()


@pytest.fixture
def open_office(sqlite_url: str, tmp_path: Path) -> Iterator[Open]:
    """Yield a function that makes an application on the test's SQLite file; its keyword arguments are settings."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Office:
            return stack.enter_context(make_office(sqlite_url, tmp_path, **settings))

        yield start
