"""The files in deploy/ name settings, commands, ports and paths that exist, and their own programs accept them."""

import http.client
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import ROOT, Config, env_example
from tests.drills.proxies import running
from tests.support.server import REPORTS_TOKEN, Server, free_port

DEPLOY = ROOT / "deploy"
SETTINGS = set(re.findall(r"^# ([A-Z_]+)=", env_example(), re.MULTILINE))
PROCFILE = dict(line.split(": ") for line in (ROOT / "Procfile").read_text().splitlines())
PATH = f"{os.environ['PATH']}:/usr/sbin"  # Where Debian keeps servers, and not every user looks.


def text(name: str) -> str:
    return (DEPLOY / name).read_text()


def compose() -> dict[str, Any]:
    return yaml.safe_load(text("compose.yaml"))["services"]  # type: ignore[no-any-return]


def render() -> dict[str, Any]:
    return yaml.safe_load(text("render.yaml"))["services"][0]  # type: ignore[no-any-return]


def environment(name: str) -> dict[str, str | None]:
    """Return the settings that a file gives the server, with their values where it has any."""
    if name == "Dockerfile":
        [line] = re.findall(r"^ENV (.+)$", text(name), re.MULTILINE)
        found = dict(part.split("=") for part in line.split())
    elif name == "compose.yaml":
        found = compose()["dialstatus"]["environment"]
    elif name == "app.json":
        found = {key: one.get("value") for key, one in json.loads(text(name))["env"].items()}
    elif name == "render.yaml":
        found = {one["key"]: one.get("value") for one in render()["envVars"]}
    else:
        [line] = re.findall(r"^Environment=(.+)$", text(name), re.MULTILINE)
        found = dict(part.split("=") for part in line.split())
    return {key: value for key, value in found.items() if key != "PATH" and not key.startswith("PYTHON")}


FILES = ["Dockerfile", "compose.yaml", "app.json", "render.yaml", "dialstatus.service"]


@pytest.mark.parametrize("name", FILES)
def test_every_setting_that_a_file_names_exists_and_takes_its_value(name: str, tmp_path: Path) -> None:
    named = environment(name)
    given = {key: value for key, value in named.items() if value and "$" not in value}

    assert len(named) > 1
    assert named.keys() <= SETTINGS
    Config.load(given | {"INSTANCE_DIR": str(tmp_path), "DIAL_TO": "+14155550123"})


@pytest.mark.parametrize("name", FILES)
def test_every_file_serves_and_upgrades_as_the_procfile_does(name: str) -> None:
    words = re.sub(r"[\[\]\",]+", " ", text(name).replace("/srv/dialstatus/.venv/bin/", "")).split()
    flat = " ".join(words)
    if name == "app.json":  # Heroku reads the Procfile itself.
        assert json.loads(text(name))["buildpacks"] == [{"url": "heroku/python"}]
        return

    if name != "compose.yaml":  # Serves by the image's own command.
        assert PROCFILE["web"] in flat
    if name != "Dockerfile":
        assert PROCFILE["release"] in flat


def test_all_files_agree_on_the_port_and_on_the_check_of_health() -> None:
    [port] = re.findall(r"^# PORT=(\d+)", env_example(), re.MULTILINE)

    assert environment("Dockerfile")["PORT"] == environment("render.yaml")["PORT"] == port
    assert f"EXPOSE {port}\n" in text("Dockerfile")
    assert compose()["dialstatus"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"server 127.0.0.1:{port};" in text("nginx.conf")
    assert f"reverse_proxy 127.0.0.1:{port} " in text("Caddyfile")
    assert render()["healthCheckPath"] == "/healthz"
    assert "/healthz" in text("Dockerfile")


def test_the_image_holds_what_serves_and_neither_records_nor_secrets() -> None:
    ignored, *allowed = [line for line in text("Dockerfile.dockerignore").splitlines() if not line.startswith("#")]
    allowed = [line.removeprefix("!") for line in allowed if line.startswith("!")]

    assert ignored == "*"
    assert all((ROOT / name).exists() for name in allowed)
    assert {"app", "settings", "config.py", "gunicorn.conf.py", "pyproject.toml", "requirements.txt", "wsgi.py"} <= {
        *allowed
    }
    assert not {"instance", ".env", ".git", "tests"} & {*allowed}


def test_the_image_runs_without_root_on_the_oldest_python_that_is_supported() -> None:
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")

    assert f"ARG IMAGE=python:{oldest}-slim-" in text("Dockerfile")
    assert re.findall(r"^USER (.+)$", text("Dockerfile"), re.MULTILINE) == ["dialstatus"]
    assert "--require-hashes" in text("Dockerfile")
    for service in ("dialstatus", "upgrade"):
        assert compose()[service]["read_only"] is True
        assert compose()[service]["cap_drop"] == ["ALL"]


def test_the_readme_names_every_file() -> None:
    links = set(re.findall(r"\]\(([\w.]+)\)", text("README.md")))

    assert links | {"README.md", "Dockerfile.dockerignore"} == {path.name for path in DEPLOY.iterdir()}


def accepted(program: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program's own check; skips the test where the program is missing."""
    if shutil.which(program, path=PATH) is None:
        pytest.skip(f"{program} is not installed")
    return subprocess.run(
        [program, *command], env={"PATH": PATH, "HOME": "/nonexistent"}, capture_output=True, text=True, timeout=60
    )


def nginx_file(directory: Path, site: str) -> str:
    """Return a whole configuration around our site, without TLS: the certificate is the operator's."""
    site = re.sub(r" ssl;|ssl_certificate.*;", lambda one: ";" if one[0] == " ssl;" else "", site)
    temporary = "".join(
        f"{one}_temp_path {directory}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"pid {directory}/pid; events {{}} http {{ {temporary} access_log off; {site} }}"


def test_nginx_accepts_its_file(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(nginx_file(tmp_path, text("nginx.conf")))

    done = accepted("nginx", "-t", "-p", str(tmp_path), "-e", f"{tmp_path}/error.log", "-c", f"{tmp_path}/nginx.conf")

    assert done.returncode == 0, done.stderr


def test_caddy_accepts_its_file() -> None:
    done = accepted("caddy", "adapt", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile"))

    assert done.returncode == 0, done.stderr
    assert '"dial":"127.0.0.1:5000"' in done.stdout


def test_systemd_accepts_the_unit_and_finds_little_exposed() -> None:
    done = accepted(
        "systemd-analyze", "security", "--offline=true", "--threshold=25", str(DEPLOY / "dialstatus.service")
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["nginx", "caddy"])
def test_behind_a_proxy_pages_and_exports_are_compressed_and_xml_is_not(
    start_server: Callable[..., Server], tmp_path: Path, name: str
) -> None:
    server, port = start_server(PUBLIC_URL="https://calls.example.com", VERIFY_SIGNATURES="off"), free_port()
    if name == "nginx":
        site = nginx_file(tmp_path, text("nginx.conf")).replace("listen 443", f"listen 127.0.0.1:{port}")
        command = ["nginx", "-g", "daemon off;", "-p", str(tmp_path), "-e", f"{tmp_path}/error.log", "-c"]
    else:
        site = text("Caddyfile").replace("calls.example.com {", f"http://calls.example.com:{port} {{\n\tbind 127.0.0.1")
        site = f"{{\n\tadmin off\n}}\n{site}"
        command = ["caddy", "run", "--adapter", "caddyfile", "--config"]
    site = site.replace("127.0.0.1:5000", f"127.0.0.1:{server.port}")

    def ask(path: str, method: str = "GET", body: str | None = None) -> tuple[int, str | None]:
        headers = {"Host": "calls.example.com", "Accept-Encoding": "gzip", "Authorization": f"Bearer {REPORTS_TOKEN}"}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            reply.read()
            return reply.status, reply.headers.get("Content-Encoding")

    with running(name, site, command, port, tmp_path):
        called = [ask("/dialstatus/", "POST", f"CallUUID={number}&From=1&To=2") for number in range(20)]
        assert set(called) == {(200, None)}
        assert [ask(path) for path in ("/login", "/bootstrap/css/bootstrap.min.css")] == [(200, "gzip")] * 2
        assert [ask(f"/api/v1/calls.{kind}") for kind in ("csv", "jsonl")] == [(200, "gzip")] * 2


def test_three_machines_are_set_up_so_that_a_commit_is_on_two_of_them(tmp_path: Path) -> None:
    settings = yaml.safe_load(text("ha/patroni.yml"))["bootstrap"]["dcs"]
    node = dict(re.findall(r"^([A-Z0-9_]+)=(.+)$", text("ha/node.env"), re.MULTILINE))
    [url] = re.findall(r"^DATABASE_URL=(.+)$", (ROOT / "docs" / "scale-out.md").read_text(), re.MULTILINE)
    hosts = re.findall(r"@([\d.,]+)/", url)[0].split(",")

    assert settings["synchronous_mode"] is settings["synchronous_mode_strict"] is True
    assert settings["loop_wait"] + 2 * settings["retry_timeout"] <= settings["ttl"]  # Patroni's own rule.
    assert node["PATRONI_ETCD3_HOSTS"] == ",".join(f"{host}:2379" for host in hosts)
    assert {name.split("_")[0] for name in node} == {"PATRONI", "ETCD"}
    assert Config.load({"DATABASE_URL": url, "INSTANCE_DIR": str(tmp_path)}).database_url.startswith(
        "postgresql+psycopg"
    )


def test_patroni_is_a_version_whose_frozen_leader_does_not_come_back() -> None:
    [version] = re.findall(r"^patroni==([\d.]+)", text("ha/requirements.txt"), re.MULTILINE)

    assert tuple(map(int, version.split("."))) >= (3, 0, 3)
