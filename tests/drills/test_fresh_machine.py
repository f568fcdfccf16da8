"""README's two commands, and the image's steps, on a fresh machine: a minimal Debian with what README asks for."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.drills.conftest import Tell
from tests.support.server import ROOT, free_port

SUITE = "bookworm"  # Its Python is 3.11, the oldest that is supported.
PACKAGES = "make,python3,python3-venv,ca-certificates"
# How this machine reaches a package index, which is no part of the drill.
NETWORK_FILES = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")
# The mounts belong to a namespace of their own, and every process in it ends with its first one.
NAMESPACE = ("unshare", "--mount", "--pid", "--fork")
ENTER = """
mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
exec chroot --userspec=newcomer "$1" /usr/bin/env -i HOME=/home/newcomer PATH=/usr/bin:/bin PORT="$2" \
    sh -c 'cd ~/dialstatus && exec make "$0"' "$3"
"""
# What a container has: a root that cannot be written to, but for /data and /tmp.
CONTAINER = """
mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
mount --bind "$1/data" "$1/data" && mount -t tmpfs tmpfs "$1/tmp" && mount -o remount,bind,ro "$1" &&
cd / && exec chroot --userspec=dialstatus "$1" /usr/bin/env -i "${@:3}" sh -c 'cd /srv/dialstatus && exec "$@"' sh $2
"""

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def debian() -> Iterator[Path]:
    """Yield the root directory of a minimal Debian that holds a copy of this repository."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a Debian to try the commands in")
    for program in ("debootstrap", "unshare", "chroot"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; apt-get install {program} runs this drill")
    if subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount, not even in a namespace")
    root = Path(tempfile.mkdtemp(prefix="dialstatus-debian-"))
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root), *mirror()]
    made = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if made.returncode:
        pytest.skip(f"debootstrap could not make a Debian: {made.stdout.strip().splitlines()[-1]}")
    root.chmod(0o755)
    for name in NETWORK_FILES:
        if Path("/", name).exists():
            shutil.copy(Path("/", name), root / name)
    subprocess.run(["chroot", root, "useradd", "--create-home", "newcomer"], check=True)
    copy_repository(root / "home/newcomer/dialstatus")
    subprocess.run(["chroot", root, "chown", "-R", "newcomer", "/home/newcomer/dialstatus"], check=True)
    yield root
    shutil.rmtree(root)


def mirror() -> list[str]:
    """Return the mirror that this machine installs the suite from; nothing leaves the choice to debootstrap."""
    targets = ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"]
    found = subprocess.run(targets, capture_output=True, text=True).stdout if shutil.which("apt-get") else ""
    return [line.split()[1] for line in found.splitlines() if line.startswith(f"{SUITE} ")][:1]


def copy_repository(target: Path) -> None:
    """Copy what git tracks, as a clone would."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def make(debian: Path, target: str, port: int) -> subprocess.Popen[str]:
    """Start `make TARGET` there as an ordinary user."""
    return subprocess.Popen(
        [*NAMESPACE, "sh", "-c", ENTER, "sh", str(debian), str(port), target],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(running: subprocess.Popen[str]) -> str:
    """End the namespace, if it is still there, and return what was printed."""
    if running.poll() is None:
        for first in psutil.Process(running.pid).children():
            first.kill()
    printed, _ = running.communicate(timeout=30)
    return printed


def ask(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return str(reply.read().decode())
    except OSError:
        return None


def test_make_run_serves(debian: Path, tell: Tell) -> None:
    port = free_port()
    started = time.monotonic()
    running = make(debian, "run", port)
    try:
        while ask(f"http://127.0.0.1:{port}/healthz") is None:
            assert running.poll() is None, running.stdout and running.stdout.read()
            assert time.monotonic() - started < 600, "make run does not serve after ten minutes"
            time.sleep(0.5)
        tell(f"`make run` served after {time.monotonic() - started:.0f} s, downloads included")
        document = ask(f"http://127.0.0.1:{port}/dialstatus/?CallUUID=1&From=14155550100&To=14155550199")
    finally:
        printed = end(running)

    assert document is not None
    assert "<Number>+15551234567</Number>" in document
    assert "Creating .venv ..." in printed
    assert "packages for the server into .venv with pip" in printed
    assert "Dialstatus is ready." in printed


def test_make_test_passes(debian: Path, tell: Tell) -> None:
    started = time.monotonic()
    running = make(debian, "test", free_port())
    try:
        printed, _ = running.communicate(timeout=3000)
    except subprocess.TimeoutExpired:
        printed = end(running)
    tell(f"`make test` took {time.monotonic() - started:.0f} s: {printed.strip().splitlines()[-1]}")

    assert running.returncode == 0, printed[-5000:]
    assert " passed" in printed


def image() -> tuple[list[str], list[str], list[str]]:
    """Return the Dockerfile's RUN steps, its environment as NAME=value, and its command."""
    text = (ROOT / "deploy/Dockerfile").read_text()
    [environment] = re.findall(r"^ENV (.+)$", text, re.MULTILINE)
    [command] = re.findall(r"^CMD (.+)$", text, re.MULTILINE)
    path, *others = environment.split()
    return (
        re.findall(r"^RUN (.+)$", text, re.MULTILINE),
        [path.replace("$PATH", "/usr/bin:/bin"), *others],
        json.loads(command),
    )


def test_the_image_s_steps_serve_from_a_root_that_cannot_be_written_to(debian: Path, tell: Tell) -> None:
    steps, environment, command = image()
    port = free_port()
    copy_repository(debian / "srv/dialstatus")
    for step in steps:
        done = subprocess.run(
            ["chroot", debian, "sh", "-ec", f"cd /srv/dialstatus; {step}"], capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, f"{step}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"

    started = time.monotonic()
    running = subprocess.Popen(
        [*NAMESPACE, "bash", "-c", CONTAINER, "bash", str(debian), " ".join(command), *environment, f"PORT={port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        while ask(f"http://127.0.0.1:{port}/healthz") is None:
            assert running.poll() is None, running.stdout and running.stdout.read()
            assert time.monotonic() - started < 60, "the image's command does not serve after a minute"
            time.sleep(0.2)
        tell(f"the image's command served after {time.monotonic() - started:.1f} s")
        document = ask(f"http://127.0.0.1:{port}/dialstatus/?CallUUID=1&From=14155550100&To=14155550199")
    finally:
        printed = end(running)

    assert document is not None, printed
    assert "<Number>+15551234567</Number>" in document
    assert (debian / "data/dialstatus.db").exists()
