"""Who may see reports and metrics: whoever brings the reports token."""

import hmac

from flask import Request

_SCHEME = "bearer "


def has_token(request: Request, token: str) -> bool:
    """Tell whether the request bears the token."""
    given = request.headers.get("Authorization", "")
    if given[: len(_SCHEME)].lower() != _SCHEME:
        return False
    return is_token(given[len(_SCHEME) :].strip(), token)


def is_token(given: str, token: str) -> bool:
    """Compare with the token, in a time that says nothing about it."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
