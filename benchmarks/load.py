"""Load a server for some seconds and measure: with wrk where it is installed, with our own client otherwise."""

import json
import shutil
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client import send_all

WRK = shutil.which("wrk")
_SCRIPT = Path(__file__).parent / "wrk.lua"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run. `answered` counts 2xx answers, `p50` and `p99` are in milliseconds.

    `processor_micros` is the processor time of the server for each answer, in microseconds.
    """

    seconds: float
    answered: int
    issued: int
    refused: int
    broken: int
    p50: float
    p99: float
    processor_micros: float = 0

    @property
    def rate(self) -> float:
        """Return the answered requests per second."""
        return self.answered / self.seconds


def load(port: int, requests: Path, *, connections: int, seconds: int, rate: float = 0) -> Measured:
    """Send the requests of a file; `rate` (requests per second, 0: unlimited) needs wrk."""
    if WRK is None:
        return _load_by_client(port, requests, connections, seconds)
    command = [WRK, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(_SCRIPT)]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}", "--", str(requests), f"{rate:.0f}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 60,
    )
    if done.returncode:
        raise RuntimeError(f"wrk gave up: {done.stdout[-500:]}{done.stderr[-500:]}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return Measured(**{**found, "answered": found["answered"] - found["refused"]})


def _load_by_client(port: int, requests: Path, connections: int, seconds: float) -> Measured:
    answers = send_all(port, requests.read_bytes().split(b"\0"), connections=connections, seconds=seconds)
    answered = sum(200 <= status < 300 for status in answers.statuses)
    refused = sum(status >= 400 for status in answers.statuses)
    cuts = statistics.quantiles(answers.latencies, n=100)
    return Measured(
        seconds=answers.seconds,
        answered=answered,
        issued=answered + refused,
        refused=refused,
        broken=0,
        p50=cuts[49],
        p99=cuts[98],
    )
