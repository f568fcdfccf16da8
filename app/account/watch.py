"""Follow the address of a tunnel while it changes."""

import threading
from collections.abc import Callable

from app.account.errors import AccountError


def follow(
    address: Callable[[], str],
    rewire: Callable[[str], None],
    *,
    known: str,
    stop: threading.Event,
    seconds: float,
    say: Callable[[str], None],
) -> None:
    """Call `rewire` whenever `address` tells another one than `known`, until `stop` is set.

    A failure is said once and tried again at the next look: a tunnel that restarts is away for a moment.
    """
    trouble = ""
    while not stop.wait(seconds):
        try:
            now = address()
            if now != known:
                rewire(now)
                known = now
            trouble = ""
        except AccountError as error:
            if error.message != trouble:
                trouble = error.message
                say(trouble)
