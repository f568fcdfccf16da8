"""The public address of a running ngrok, from the local API of its agent."""

from urllib.parse import urlsplit

import requests

from app.account.errors import AccountError, UnreachableError

NGROK_URL = "http://127.0.0.1:4040"
TIMEOUT = 3.0


def find_tunnel(port: int, *, ngrok_url: str = NGROK_URL) -> str:
    """Give the public https address that leads to our port (ngrok, agent API: `GET /api/tunnels`).

    One tunnel alone is taken to be ours wherever it leads. Raises a sentence where there is none, or several.
    """
    try:
        addresses = _read(ngrok_url)
    except requests.ConnectionError:
        raise UnreachableError(
            f"No ngrok answers at {ngrok_url}; start it with `ngrok http {port}`, or give the address with "
            "--url or PUBLIC_URL"
        ) from None
    except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AccountError(
            f"What answers at {ngrok_url} is not ngrok's API ({type(error).__name__}); give the address with "
            "--url or PUBLIC_URL"
        ) from None
    return _choose(addresses, port)


def _read(ngrok_url: str) -> dict[str, str]:
    """Give each https tunnel's public address and where it leads."""
    with requests.Session() as session:
        session.trust_env = False  # A proxy has no business between us and this machine.
        answer = session.get(f"{ngrok_url}/api/tunnels", timeout=TIMEOUT, allow_redirects=False)
    return {
        str(tunnel["public_url"]): str((tunnel.get("config") or {}).get("addr", ""))
        for tunnel in answer.json()["tunnels"]
        if str(tunnel["public_url"]).startswith("https://")
    }


def _choose(addresses: dict[str, str], port: int) -> str:
    ours = [public for public, local in addresses.items() if _port_of(local) == port] or list(addresses)
    if not ours:
        raise AccountError(f"ngrok runs without an https tunnel; start one with `ngrok http {port}`")
    if len(ours) > 1:
        raise AccountError(
            f"ngrok has several tunnels ({', '.join(sorted(ours))}); choose one with --url or PUBLIC_URL"
        )
    return ours[0].rstrip("/")


def _port_of(local: str) -> int | None:
    """Read the port of `http://localhost:5000`, `localhost:5000` or `5000`."""
    last = (urlsplit(local).netloc or local).rpartition(":")[2]
    return int(last) if last.isdecimal() else None
