"""What Patroni knows of the machines, and what is done to them."""

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg

from tests.drills.high_availability.machines import Machine, Network

_AWAY = 30  # Seconds that a machine stays frozen or cut off: longer than the leader's lease.
_PATIENCE = 180  # Seconds until the cluster must have healed by itself.
_STEADY = 10  # Seconds.
_HEALTHY = {"running", "streaming"}


class Cluster:
    """Three machines, one of which leads."""

    def __init__(self, network: Network, machines: list[Machine]) -> None:
        self._network = network
        self._machines = {machine.name: machine for machine in machines}
        self.await_health()
        self._make_database()

    @property
    def url(self) -> str:
        """Return the URL that names every machine."""
        hosts = ",".join(f"{machine.address}:5432" for machine in self._machines.values())
        return f"postgresql://dialstatus:made-up@{hosts}/dialstatus?target_session_attrs=read-write"

    def await_health(self) -> None:
        """Wait until all has been well for ten seconds: Patroni takes a while to notice a fault."""
        since = time.monotonic()
        deadline = since + _PATIENCE
        while time.monotonic() - since < _STEADY:
            time.sleep(0.5)
            if not self._is_healthy():
                since = time.monotonic()
            assert since < deadline, self._members()

    def _is_healthy(self) -> bool:
        """Return whether all three machines take part, one leads and one confirms its commits."""
        members = self._members()
        roles = [member["role"] for member in members]
        return (
            len(members) == len(self._machines)
            and all(member["state"] in _HEALTHY for member in members)
            and roles.count("leader") == roles.count("sync_standby") == 1
            and len({member.get("timeline") for member in members}) == 1
        )

    @property
    def can_cut_off(self) -> bool:
        """Return whether a machine can be taken off the network."""
        return self._network.can_cut

    def faults(self) -> dict[str, Callable[[], None]]:
        """Return what can happen to the leader, or to the machine that confirms its commits."""
        found: dict[str, Callable[[], None]] = {
            "PostgreSQL killed with -9 on the leader": lambda: self._member("leader").kill_postgresql(),
            "the leader's machine killed with -9": lambda: self._kill("leader"),
            "the synchronous standby's machine killed with -9": lambda: self._kill("sync_standby"),
            "the leader's machine frozen for 30 s": self._freeze,
            "switchover": self._switch_over,
        }
        if self.can_cut_off:
            found["the leader's machine cut off for 30 s"] = self._cut_off
        return found

    def _kill(self, role: str) -> None:
        """Kill a machine; it comes back after a while, as after a power failure."""
        machine = self._member(role)
        machine.kill()
        time.sleep(_AWAY)
        machine.start()

    def _freeze(self) -> None:
        machine = self._member("leader")
        machine.freeze()
        time.sleep(_AWAY)
        machine.thaw()

    def _cut_off(self) -> None:
        machine = self._member("leader")
        self._network.cut(machine.name)
        time.sleep(_AWAY)
        self._network.mend(machine.name)

    def _switch_over(self) -> None:
        leader, next_one = self._member("leader"), self._member("sync_standby")
        settings = leader.settings
        login = f"{settings['PATRONI_RESTAPI_USERNAME']}:{settings['PATRONI_RESTAPI_PASSWORD']}".encode()
        request = urllib.request.Request(
            f"http://{leader.address}:8008/switchover",
            json.dumps({"leader": leader.name, "candidate": next_one.name}).encode(),
            {"Authorization": f"Basic {base64.b64encode(login).decode()}"},
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            assert reply.status == 200, reply.read()

    def _member(self, role: str) -> Machine:
        [name] = [member["name"] for member in self._members() if member["role"] == role]
        return self._machines[name]

    def _members(self) -> list[dict[str, Any]]:
        """Return what the first machine that answers knows of each."""
        for machine in self._machines.values():
            with suppress(OSError, urllib.error.URLError):
                with urllib.request.urlopen(f"http://{machine.address}:8008/cluster", timeout=2) as reply:
                    members: list[dict[str, Any]] = json.load(reply)["members"]
                return members
        return []

    def _make_database(self) -> None:
        leader = self._member("leader")
        password = leader.settings["PATRONI_SUPERUSER_PASSWORD"]
        with psycopg.connect(
            host=leader.address, user="postgres", password=password, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute("CREATE ROLE dialstatus LOGIN PASSWORD 'made-up'")
            connection.execute("CREATE DATABASE dialstatus OWNER dialstatus")
