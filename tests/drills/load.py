"""The simulator's calls for as long as a drill lasts, and the check that nothing of them was lost."""

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
# PHLO reports need a token on the server; everything else is played.
_SCENARIOS = [scenario for scenario in built_in() if not scenario.phlo]
# A machine that runs other tests too may stall for longer than Plivo would wait.
_WIRE = Transport(token=TOKEN, sends_simulated_time=False, patience=20)


class Load(threading.Thread):
    """Plays `rate` calls a second against `url` until `finish` is called."""

    def __init__(self, url: str, *, rate: int) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.rate = rate
        self.calls: list[CallTruth] = []
        self._over = threading.Event()

    def run(self) -> None:
        """Play the calls of one second after another."""
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
        """Wait for the calls of this second, and return all of them."""
        self._over.set()
        self.join(2 * DEADLINE)
        assert not self.is_alive(), "the calls did not end"
        return self.calls

    def send_refused_again(self) -> int:
        """Send every notice that got a 503 again, as Plivo's retries would; return how many."""
        sent_again, nonces = 0, random.SystemRandom()
        for call in self.calls:
            for place, sent in enumerate(call.requests):
                if sent.status != 503:
                    continue
                request = HttpRequest(method=sent.method, url=sent.url, params=sent.params, at=datetime.now(UTC))
                assert _WIRE.send(request, nonces).is_success
                call.requests[place] = replace(sent, acknowledged=True)
                sent_again += 1
        return sent_again

    def assert_recorded(self) -> None:
        """Raise AssertionError unless the records agree with what happened and was acknowledged."""
        api = ReportsApi(f"{self.url}/dialstatus/", REPORTS_TOKEN, _WIRE)

        differences = verify(self.calls, api, _AT_ONCE)
        # Simulated ringing takes no time while the server's clock is real, so this one field may differ.
        differences = [found for found in differences if found.field != "ring_seconds"]
        assert not differences, differences


def assert_callers_were_served(calls: Sequence[CallTruth]) -> None:
    """Raise AssertionError unless each control request got XML, and each notice a 200 or 503."""
    for call in calls:
        for exchange in call.requests:
            assert exchange.status in ({200, 503} if exchange.kind.is_notice else {200}), exchange
        # A verdict is also what the simulator finds wrong with a document.
        assert [verdict for verdict in call.verdicts if not verdict.reason.endswith("the status is 503")] == []


def longest_control_reply(calls: Sequence[CallTruth]) -> float:
    """Return the longest time that a caller waited for a reply, in seconds."""
    waits = [exchange.milliseconds for call in calls for exchange in call.requests if not exchange.kind.is_notice]
    return max(waits) / 1000
