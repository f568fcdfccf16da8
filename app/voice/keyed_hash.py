"""HMAC-SHA256 with keys that are used again and again."""

import hmac
from functools import lru_cache


@lru_cache(maxsize=64)  # An account has a token or two, and a server one secret.
def _begun(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")


def keyed_hash(key: bytes, message: bytes) -> bytes:
    """Return the 32 bytes that `hmac.digest` gives: what depends on the key alone is worked out once."""
    mac = _begun(key).copy()
    mac.update(message)
    return mac.digest()
