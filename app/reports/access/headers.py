"""What every response of the reports asks of the browser."""

from flask import Response, request

from app.context import services
from settings.urls import is_loopback

# No inline script and no inline style. Bootstrap's style sheet embeds its icons as data: URLs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "media-src 'self' https://*.plivo.com; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_ONE_YEAR = 365 * 24 * 60 * 60  # seconds


def add_headers(response: Response) -> Response:
    """Return the response with the security headers that it does not have yet."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if is_https() and not is_loopback(request.host_url):
        response.headers.setdefault("Strict-Transport-Security", f"max-age={_ONE_YEAR}")
    return response


def is_https() -> bool:
    """Return whether browsers reach these pages over https.

    PUBLIC_URL decides before the request: a proxy that ends TLS may pass neither the scheme nor the host on.
    """
    public_url = services().config.public_url or ""
    return request.is_secure or (public_url.lower().startswith("https:") and not is_loopback(public_url))
