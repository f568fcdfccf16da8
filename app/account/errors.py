"""What can go wrong between us and Plivo's API: each kind a class with its exit code, each case one sentence.

Exit code 2 is click's own, for wrong usage.
"""

from typing import ClassVar

import click


class AccountError(click.ClickException):
    """One sentence that says what happened and what to do.

    `passes` tells that the same request may well succeed a little later; `after` is how many seconds Plivo
    asked us to wait before it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, passes: bool = False, after: float | None = None) -> None:
        super().__init__(message)
        self.passes = passes
        self.after = after


class SettingError(AccountError):
    """A setting or an argument is missing or cannot be right."""

    exit_code = 2


class TokenError(AccountError):
    """Plivo does not accept the credentials."""

    exit_code = 3


class NotFoundError(AccountError):
    """Plivo knows no such application, number or call."""

    exit_code = 4


class ForbiddenError(AccountError):
    """The account may not do this."""

    exit_code = 5


class RateLimitedError(AccountError):
    """Too many requests in too short a time."""

    exit_code = 6


class PlivoDownError(AccountError):
    """Plivo has a fault of its own."""

    exit_code = 7


class UnreachableError(AccountError):
    """No answer came, or not in time."""

    exit_code = 8


class RefusedError(AccountError):
    """Plivo found a value wrong."""

    exit_code = 9


def of_status(status: int, detail: str, *, after: float | None = None) -> AccountError:
    """Say in a sentence what an HTTP status of Plivo's API means (Plivo, API responses).

    `detail` is Plivo's own `error` text, or empty.
    """
    said = f"HTTP {status}: {detail}" if detail else f"HTTP {status}"
    if status == 401:
        return TokenError(
            f"Plivo does not accept PLIVO_AUTH_ID with PLIVO_AUTH_TOKEN ({said}); copy both from the first "
            "page of the Plivo console – the token of a subaccount goes with that subaccount's own SA… id"
        )
    if status == 403:
        return ForbiddenError(
            f"Plivo does not allow this account to do that ({said}); look at its permissions, balance and "
            "geographic permissions in the Plivo console"
        )
    if status == 404:
        return NotFoundError(f"Plivo knows no such thing in this account ({said})")
    if status == 429:
        return RateLimitedError(
            f"Plivo asks us to slow down ({said}); an account has 300 requests in 5 seconds, shared by all "
            "that use it – wait a moment and run the command again",
            passes=True,
            after=after,
        )
    if status >= 500:
        return PlivoDownError(
            f"Plivo has a fault of its own ({said}); look at status.plivo.com and run the command again",
            passes=True,
            after=after,
        )
    if status in (400, 405, 409, 422):
        return RefusedError(f"Plivo refuses the request ({said})")
    return AccountError(f"{said} is no answer of Plivo's API; check the address of the API")
