"""The server that the settings of this checkout describe, as `flask simulate` and `flask replay` call it."""

from urllib.parse import urlsplit

from config import Config


def local_server(config: Config) -> tuple[str, tuple[str, int] | None]:
    """Return the server's base URL, and the host and port to connect to where the URL leads elsewhere.

    With PUBLIC_URL the server checks signatures against it, so its URLs are signed and this machine is called.
    """
    host = "127.0.0.1" if config.host in {"0.0.0.0", "[::]"} else config.host  # noqa: S104
    local = f"http://{host}:{config.port}"
    if config.public_url is None:
        return local, None
    return config.public_url.rstrip("/"), (urlsplit(local).hostname or "", config.port)
