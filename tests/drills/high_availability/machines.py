"""Machines that can be killed, frozen and cut off: each in a network namespace, or else at a loopback address."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.support.server import ROOT

HA = ROOT / "deploy" / "ha"
NAMES = ("db1", "db2", "db3")
_WRITTEN = re.compile(r"\b10\.0\.0\.(\d)\b")  # The addresses in deploy/ha.
_IS_ROOT = os.geteuid() == 0
_PYTHON = "/usr/bin/python3"  # Which every user can run.


class Network:
    """A bridge in a namespace of its own that joins the machines and this one; without rights, loopback."""

    def __init__(self) -> None:
        self._hub = f"dialstatus-{os.getpid()}"
        self._link = f"ds{os.getpid()}"
        self.can_cut = _IS_ROOT and self._make_hub()
        self._first = "10.213.77." if self.can_cut else "127.0.0."
        for number, name in enumerate(NAMES, start=1) if self.can_cut else ():
            self._join(name, number)

    def address(self, name: str) -> str:
        """Return the address of a machine."""
        return f"{self._first}{1 + NAMES.index(name)}"

    def localize(self, text: str) -> str:
        """Return a text of deploy/ha with the addresses of these machines."""
        return _WRITTEN.sub(rf"{self._first}\1", text)

    def inside(self, name: str) -> list[str]:
        """Return how a command is run on a machine."""
        return ["ip", "netns", "exec", f"{self._hub}-{name}"] if self.can_cut else []

    def cut(self, name: str) -> None:
        """Take a machine off the network."""
        _run("ip", "-n", self._hub, "link", "set", name, "down")

    def mend(self, name: str) -> None:
        """Join it again."""
        _run("ip", "-n", self._hub, "link", "set", name, "up")

    def remove(self) -> None:
        """Delete the namespaces, and the links with them."""
        if self.can_cut:
            for name in (self._hub, *(f"{self._hub}-{name}" for name in NAMES)):
                _run("ip", "netns", "del", name)

    def _make_hub(self) -> bool:
        try:
            _run("ip", "netns", "add", self._hub)
            _run("ip", "-n", self._hub, "link", "add", "bridge", "type", "bridge")
        except (OSError, subprocess.CalledProcessError):
            return False
        _run("ip", "-n", self._hub, "link", "set", "bridge", "up")
        _run("ip", "link", "add", self._link, "type", "veth", "peer", "name", "here", "netns", self._hub)
        _run("ip", "addr", "add", "10.213.77.100/24", "dev", self._link)
        _run("ip", "link", "set", self._link, "up")
        _run("ip", "-n", self._hub, "link", "set", "here", "master", "bridge", "up")
        return True

    def _join(self, name: str, number: int) -> None:
        own = f"{self._hub}-{name}"
        _run("ip", "netns", "add", own)
        _run("ip", "link", "add", name, "netns", self._hub, "type", "veth", "peer", "name", "eth0", "netns", own)
        _run("ip", "-n", self._hub, "link", "set", name, "master", "bridge", "up")
        _run("ip", "-n", own, "addr", "add", f"10.213.77.{number}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _run("ip", "-n", own, "link", "set", device, "up")


class Machine:
    """One machine with etcd and Patroni, which starts PostgreSQL, by the files in deploy/ha."""

    def __init__(self, name: str, network: Network, directory: Path) -> None:
        self.name = name
        self.address = network.address(name)
        self._network = network
        self._directory = directory / name
        self._directory.mkdir()
        self._directory.chmod(0o700)
        if _IS_ROOT:  # PostgreSQL refuses to run as root.
            _run("chown", "postgres:", str(self._directory))
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        text = network.localize((HA / "node.env").read_text())
        self.settings = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
        mine = {"db1": name, network.address("db1"): self.address}
        for key, value in self.settings.items():
            if key not in {"PATRONI_ETCD3_HOSTS", "ETCD_INITIAL_CLUSTER"}:
                self.settings[key] = re.sub("|".join(map(re.escape, mine)), lambda found: mine[found[0]], value)
        self.settings |= {
            "PATRONI_POSTGRESQL_DATA_DIR": str(self._directory / "data"),
            "PATRONI_POSTGRESQL_PGPASS": str(self._directory / "pgpass"),
            "ETCD_DATA_DIR": str(self._directory / "etcd"),
        }

    def start(self) -> None:
        """Start what is not running, as the machine's init system does."""
        patroni = [_PYTHON, "-m", "patroni", str(self._directory.parent / "patroni.yml")]
        for name, command in {"etcd": ["etcd"], "patroni": patroni}.items():
            program = self._started.get(name)
            if program is None or program.poll() is not None:
                self._started[name] = self._start(name, command)

    def kill(self) -> None:
        """End every process at once: the machine lost power."""
        self._signal(signal.SIGKILL, self._all())
        for program in self._started.values():
            program.wait(timeout=30)

    def kill_postgresql(self) -> None:
        """End PostgreSQL alone."""
        self._signal(signal.SIGKILL, self._postgresql())

    def freeze(self) -> None:
        """Stop every process where it is."""
        self._signal(signal.SIGSTOP, self._all())

    def thaw(self) -> None:
        """Let every process go on."""
        self._signal(signal.SIGCONT, self._all())

    def log(self) -> str:
        """Return the last lines that etcd and Patroni wrote."""
        return "".join((self._directory / f"{name}.log").read_text()[-3000:] for name in self._started)

    def _start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if _IS_ROOT else []
        with (self._directory / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [*self._network.inside(self.name), *as_user, *command],
                cwd=self._directory,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self._directory),
                    "PYTHONPATH": str(self._directory.parent / "patroni"),
                    **self.settings,
                },
                stdout=log,
                stderr=log,
                umask=0o077,
                start_new_session=True,
            )

    def _postgresql(self) -> list[psutil.Process]:
        """Return PostgreSQL's processes."""
        try:
            postmaster = psutil.Process(int((self._directory / "data" / "postmaster.pid").read_text().split()[0]))
            return [postmaster, *postmaster.children(recursive=True)] if "postgres" in postmaster.name() else []
        except (OSError, psutil.NoSuchProcess):
            return []

    def _all(self) -> Iterator[psutil.Process]:
        for program in self._started.values():
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(program.pid)
                yield from (process, *process.children(recursive=True))
        yield from self._postgresql()

    @staticmethod
    def _signal(number: signal.Signals, processes: Iterable[psutil.Process]) -> None:
        for process in set(processes):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


@contextmanager
def machines(directory: Path) -> Iterator[tuple[Network, list[Machine]]]:
    """Yield three machines, started; all of it is gone afterwards."""
    shutil.copy(HA / "patroni.yml", directory)
    wanted = ["--requirement", str(HA / "requirements.txt"), "--require-hashes", "--target", str(directory / "patroni")]
    _run(sys.executable, "-m", "pip", "--python", _PYTHON, "install", "--quiet", *wanted, seconds=300)
    network = Network()
    made = [Machine(name, network, directory) for name in NAMES]
    try:
        for machine in made:
            machine.start()
        yield network, made
    finally:
        for machine in made:
            machine.thaw()
            machine.kill()
        time.sleep(0.5)  # The kernel ends the processes before it takes their namespaces.
        network.remove()


def _run(*command: str, seconds: int = 30) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=seconds)
