"""nginx, HAProxy and Caddy in front of a server, each with the few lines of configuration that an operator writes."""

import http.client
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from urllib.parse import urlencode, urlsplit

import pytest

from app.voice.signature import make_nonce, sign_v3
from tests.support.server import DEADLINE, TOKEN, Reply, free_port, until

PUBLIC = "https://calls.example.com"

PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy", "caddy": "caddy"}  # Debian's.


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a proxy passes requests on: what it serves below `prefix`, from the port of the server.

    `strips`: whether it removes the prefix. `mark`: what it begins its own X-Request-ID with, in place of the client's.
    """

    upstream: int
    prefix: str = ""
    strips: bool = False
    passes_host: bool = True
    mark: str = ""


def _nginx(port: int, way: Way, directory: Path) -> tuple[str, list[str]]:
    temporary = "\n".join(
        f"{name}_temp_path {directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    host = "proxy_set_header Host $http_host;" if way.passes_host else ""
    mark = f"proxy_set_header X-Request-ID {way.mark}$request_id;" if way.mark else ""
    return (
        f"""
        daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error.log;
        events {{ worker_connections 512; }}
        http {{
            access_log off;
            {temporary}
            upstream dialstatus {{ server 127.0.0.1:{way.upstream}; keepalive 16; }}
            server {{
                listen 127.0.0.1:{port};
                location {way.prefix}/ {{
                    proxy_pass http://dialstatus{"/" if way.strips else ""};
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_set_header X-Forwarded-For $remote_addr;
                    proxy_set_header X-Forwarded-Proto https;
                    proxy_set_header X-Forwarded-Host $http_host;
                    {host} {mark}
                }}
            }}
        }}""",
        ["nginx", "-p", str(directory), "-e", f"{directory}/error.log", "-c"],
    )


def _haproxy(port: int, way: Way, _directory: Path) -> tuple[str, list[str]]:
    lines = [
        "defaults",
        "    mode http",
        "    timeout connect 5s",
        "    timeout client 30s",
        "    timeout server 30s",
        "frontend calls",
        f"    bind 127.0.0.1:{port}",
        "    option forwardfor",
        "    http-request set-header X-Forwarded-Proto https",
        "    http-request set-header X-Forwarded-Host %[req.hdr(Host)]",
    ]
    if way.mark:
        lines.append(f"    http-request set-header X-Request-ID {way.mark}%[uuid()]")
    if not way.passes_host:
        lines.append("    http-request set-header Host upstream.internal")
    if way.strips:
        lines.append(f"    http-request replace-path {way.prefix}/(.*) /\\1")
    lines += ["    default_backend dialstatus", "backend dialstatus", "    http-reuse always"]
    lines.append(f"    server one 127.0.0.1:{way.upstream}")
    return "\n".join([*lines, ""]), ["haproxy", "-db", "-f"]


def _caddy(port: int, way: Way, _directory: Path) -> tuple[str, list[str]]:
    host = "" if way.passes_host else "header_up Host upstream.internal"
    mark = f"header_up X-Request-ID {way.mark}{{http.request.uuid}}" if way.mark else ""
    return (
        f"""{{
    admin off
    auto_https off
}}
http://:{port} {{
    bind 127.0.0.1
    {"handle_path" if way.strips else "handle"} {way.prefix}/* {{
        reverse_proxy 127.0.0.1:{way.upstream} {{
            header_up X-Forwarded-Proto https
            {host}
            {mark}
        }}
    }}
}}
""",
        ["caddy", "run", "--adapter", "caddyfile", "--config"],
    )


_CONFIGURED: dict[str, Callable[[int, Way, Path], tuple[str, list[str]]]] = {
    "nginx": _nginx,
    "haproxy": _haproxy,
    "caddy": _caddy,
}


@contextmanager
def proxying(name: str, way: Way, directory: Path) -> Iterator[int]:
    """Run a proxy; yield its port. Skips the test where the proxy is not installed."""
    port = free_port()
    directory.mkdir(exist_ok=True)
    text, command = _CONFIGURED[name](port, way, directory)
    with running(name, text, command, port, directory):
        yield port


@contextmanager
def running(name: str, text: str, command: list[str], port: int, directory: Path) -> Iterator[None]:
    """Run a proxy that listens on `port`, by the text of its configuration. Skips the test without the proxy."""
    path = f"{os.environ['PATH']}:/usr/sbin"  # Where Debian keeps servers, and not every user looks.
    if not shutil.which(name, path=path):
        pytest.skip(f"{name} is missing; install it with: apt-get install {PACKAGES[name]}")
    configuration = directory / f"{name}.conf"
    configuration.write_text(text)
    with (directory / "output").open("w") as output:
        process = subprocess.Popen(
            [*command, str(configuration)],
            env={"PATH": path, "HOME": str(directory)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None, (directory / "output").read_text()
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE)


def _listens(port: int) -> bool:
    with suppress(OSError), create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@dataclass(frozen=True)
class Client:
    """A client of a proxy; `url` is what it believes to call."""

    port: int
    url: str = PUBLIC

    def send(self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send one request."""
        with closing(self.connect()) as connection:
            return self.send_on(connection, method, path, body, headers)[0]

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)

    def send_on(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Reply, str | None]:
        """Send one request on a connection; return the reply and its X-Request-ID."""
        connection.request(method, path, body, {"Host": urlsplit(self.url).netloc, **(headers or {})})
        answer = connection.getresponse()
        content = answer.read().decode()
        reply = Reply(answer.status, answer.headers.get("Content-Type", ""), content)
        return reply, answer.headers.get("X-Request-ID")

    def plivo(self, target: str, fields: Mapping[str, str], *, signed_for: str | None = None) -> Reply:
        """Send a webhook, signed for `url` and the target or for another URL."""
        return self.send("POST", target, urlencode(fields), signature(signed_for or self.url + target, fields))


def signature(url: str, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of Plivo's request."""
    nonce = make_nonce()
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Plivo-Signature-V3-Nonce": nonce,
        "X-Plivo-Signature-V3": sign_v3(method="POST", url=url, params=list(fields.items()), nonce=nonce, token=TOKEN),
    }
