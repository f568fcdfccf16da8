"""Receivers of events, closed after the test."""

from collections.abc import Callable, Iterator

import pytest

from tests.notify.receiver import Receiver

Answer = Callable[[Receiver], tuple[int, dict[str, str]]]
Listen = Callable[..., Receiver]


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
