"""The simulator's calls for as long as a drill lasts, and the proof that nothing of them was lost."""

import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from app.simulator.carrier.call_requests import ApplicationUrls
from app.simulator.ground_truth import CallTruth
from app.simulator.reports_api import ReportsApi
from app.simulator.run import Run, play, verify
from app.simulator.scenario import built_in
from app.simulator.wire.transport import HttpRequest, Transport
from tests.support.server import DEADLINE, REPORTS_TOKEN, TOKEN

_AT_ONCE = 8
_FRAGMENT = "#rc=3&rp=ct,rt,5xx"
# A PHLO is only told on a server that has a token for it; everything else that can happen is played.
_SCENARIOS = [scenario for scenario in built_in() if not scenario.phlo]
# A machine that runs other tests too may stand still for longer than Plivo would wait.
_WIRE = Transport(token=TOKEN, sends_simulated_time=False, patience=20)


class Load(threading.Thread):
    """Plays calls against `url`, `rate` a second, until told to finish."""

    def __init__(self, url: str, *, rate: int) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.rate = rate
        self.calls: list[CallTruth] = []
        self._over = threading.Event()

    def run(self) -> None:
        """Play one second's calls after the other."""
        answer = f"{self.url}/dialstatus/"
        urls = ApplicationUrls(
            answer=answer + _FRAGMENT,
            hangup=f"{answer}hangup/{_FRAGMENT}",
            ring=f"{answer}ring/{_FRAGMENT}",
            phlo=f"{answer}phlo/{_FRAGMENT}",
        )
        seed = 0
        while not self._over.is_set():
            run = Run(
                named=(),
                mix=_SCENARIOS,
                calls=self.rate,
                concurrency=_AT_ONCE,
                seed=seed,
                urls=urls,
                transport=_WIRE,
                faults=(),
                other_number=None,
                own_number="+14155550199",
                zone=ZoneInfo("UTC"),
                rate=self.rate,
            )
            self.calls += play(run, lambda _: None)
            seed += 1

    def finish(self) -> list[CallTruth]:
        """Let the calls of this second end, and give all of them."""
        self._over.set()
        self.join(2 * DEADLINE)
        assert not self.is_alive(), "the calls did not end"
        return self.calls

    def bring_again(self) -> int:
        """Bring every notice that was answered 503, as Plivo's later tries would; tell how many."""
        brought = 0
        for call in self.calls:
            for place, sent in enumerate(call.requests):
                if sent.status != 503:
                    continue
                request = HttpRequest(method=sent.method, url=sent.url, params=sent.params, at=datetime.now(UTC))
                assert _WIRE.send(request, random.Random(place)).is_success
                call.requests[place] = replace(sent, acknowledged=True)
                brought += 1
        return brought

    def assert_kept(self) -> None:
        """See that the records are what happened in every call, told by whatever was acknowledged."""
        api = ReportsApi(f"{self.url}/dialstatus/", REPORTS_TOKEN, _WIRE)

        differences = verify(self.calls, api, _AT_ONCE)
        # Here it rings in no time while the server's clock is the real one: of all that is compared, only this differs
        # for a call whose last notice happened to come as late as the call is long.
        differences = [found for found in differences if found.field != "ring_seconds"]
        assert not differences, differences


def assert_callers_were_served(calls: Sequence[CallTruth]) -> None:
    """See that each control request got its XML, and each notice its 200 or a 503."""
    for call in calls:
        for exchange in call.requests:
            assert exchange.status in ({200, 503} if exchange.kind.is_notice else {200}), exchange
        # What the simulator finds wrong with a document is a verdict too.
        assert [verdict for verdict in call.verdicts if not verdict.reason.endswith("the status is 503")] == []


def longest_control_reply(calls: Sequence[CallTruth]) -> float:
    """Give the longest time in seconds that a caller waited for a reply."""
    waits = [exchange.milliseconds for call in calls for exchange in call.requests if not exchange.kind.is_notice]
    return max(waits) / 1000
