"""What every response of the reports asks of the browser, and how it is compressed."""

import gzip
from functools import lru_cache
from http import HTTPStatus

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
_COMPRESSED = frozenset({"text/html", "text/css", "text/javascript", "image/svg+xml", "application/json"})
_SMALLEST = 1_000  # bytes; a smaller body gains nothing
_ONE_YEAR = 365 * 24 * 60 * 60  # seconds


def add_headers(response: Response) -> Response:
    """Return the response with the security headers that it does not have yet."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if is_https() and not is_loopback(request.host_url):
        response.headers.setdefault("Strict-Transport-Security", f"max-age={_ONE_YEAR}")
    return response


def compress(response: Response) -> Response:
    """Return the response with gzip where the client takes it. Plivo's XML and streamed files stay as they are."""
    if response.mimetype not in _COMPRESSED or response.status_code != HTTPStatus.OK:
        return response
    response.vary.add("Accept-Encoding")
    response.direct_passthrough = False  # A file of ours is read; the largest has 232 KB.
    body = response.get_data()
    if len(body) >= _SMALLEST and request.accept_encodings.quality("gzip"):
        is_open = request.endpoint == "api.openapi" or (request.endpoint or "").endswith("static")
        response.set_data(_compress_once(body) if is_open else _compress(body))
        response.content_encoding = "gzip"
        if tag := response.get_etag()[0]:
            response.set_etag(tag, weak=True)  # The same file in other bytes.
    return response


def _compress(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6, mtime=0)


# What everybody may ask for is the same each time. Pages about calls are not kept.
_compress_once = lru_cache(maxsize=32)(_compress)


def is_https() -> bool:
    """Return whether browsers reach these pages over https.

    PUBLIC_URL decides before the request: a proxy that ends TLS may pass neither the scheme nor the host on.
    """
    public_url = services().config.public_url or ""
    return request.is_secure or (public_url.lower().startswith("https:") and not is_loopback(public_url))
