"""What can go wrong between us and Plivo's API: one class and exit code for each kind, one sentence for each case.

Exit code 2 is click's own, for wrong usage.
"""

from typing import ClassVar

import click


class AccountError(click.ClickException):
    """One sentence: what happened and what to do.

    `is_temporary`: the same request may succeed later. `retry_after` is how many seconds Plivo asked us to wait.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, is_temporary: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.is_temporary = is_temporary
        self.retry_after = retry_after


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
    """Plivo failed."""

    exit_code = 7


class UnreachableError(AccountError):
    """No reply came, or not in time."""

    exit_code = 8


class RefusedError(AccountError):
    """Plivo rejected a value."""

    exit_code = 9


_LOOK_FIRST = {
    ("POST", "Call"): (
        "look first whether the call was placed: `flask plivo live` lists the calls in progress, "
        "the call logs in the Plivo console all others"
    ),
    ("DELETE", "Call"): "look first whether the call has ended: `flask plivo live` lists the calls in progress",
}
LOOK_AT_PHLO = "look first whether the PHLO ran: its log is in the Plivo console"
# Setup and restore change only what differs, so they can be repeated.
_REPEATABLE = "it may have acted all the same; run the command again, which changes only what still differs"


def advice_before_repeating(method: str, resource: str) -> str | None:
    """Return what to do before a request that acts is repeated: it may have acted without a good reply.

    None for a request that only reads. `resource` is the first part of the path, such as `Call`.
    """
    return None if method == "GET" else _LOOK_FIRST.get((method, resource), _REPEATABLE)


def error_of_status(
    status: int, detail: str, *, retry_after: float | None = None, look_first: str | None = None
) -> AccountError:
    """Return the error for an HTTP status of Plivo's API (Plivo, API responses); `detail` is Plivo's `error` text.

    `look_first` is what to look at before a request that acts is repeated; None for one that only reads.
    """
    reply = f"HTTP {status}: {detail}" if detail else f"HTTP {status}"
    if status == 401:
        return TokenError(
            f"Plivo does not accept PLIVO_AUTH_ID with PLIVO_AUTH_TOKEN ({reply}); copy both from the first "
            "page of the Plivo console – a subaccount's token goes with that subaccount's own SA… id"
        )
    if status == 403:
        return ForbiddenError(
            f"Plivo does not allow this account to do that ({reply}); check its permissions, balance and "
            "geographic permissions in the Plivo console"
        )
    if status == 404:
        return NotFoundError(f"Plivo knows no such thing in this account ({reply})")
    if status == 429:
        return RateLimitedError(
            f"Plivo asks us to slow down ({reply}); an account has 300 requests in 5 seconds, shared by all of its "
            f"programs – wait a moment, then {look_first or 'run the command again'}",
            is_temporary=True,
            retry_after=retry_after,
        )
    if status >= 500:
        advice = look_first or "check status.plivo.com and run the command again"
        return PlivoDownError(
            f"Plivo has a fault of its own ({reply}); {advice}",
            is_temporary=True,
            retry_after=retry_after,
        )
    if status in (400, 405, 409, 422):
        return RefusedError(f"Plivo refuses the request ({reply})")
    advice = f"; {look_first}" if look_first else ""
    return AccountError(f"{reply} is no reply of Plivo's API; check the address of the API{advice}")
