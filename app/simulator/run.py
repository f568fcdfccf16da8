"""Play many calls at once, each with its own seed, and bring at the end what came late."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.simulator.carrier.a_leg import ALeg
from app.simulator.carrier.call import Call
from app.simulator.carrier.call_requests import Urls
from app.simulator.carrier.payloads import Line
from app.simulator.ground_truth import CallTruth
from app.simulator.reports_api import Api
from app.simulator.scenario import Scenario, pick, vary
from app.simulator.verify import Difference, compare
from app.simulator.wire.delivery import Postman
from app.simulator.wire.faults import Fault
from app.simulator.wire.transport import Wire

# How many calls a line gets in each hour of the day, beside each other: quiet nights, busy mornings.
_CALLS_BY_HOUR = (1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 18, 16, 12, 14, 17, 16, 14, 11, 8, 6, 4, 3, 2, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What to play. `named` scenarios are played in turn; without any, the mix is thrown by weight and varied.

    `rate` is calls a second (0: as fast as they go); `spread_days` puts their beginnings into the days before
    `begun_at`, else each begins when it is played.
    """

    named: Sequence[Scenario]
    mix: Sequence[Scenario]
    calls: int
    concurrency: int
    seed: int
    urls: Urls
    wire: Wire
    faults: Sequence[Fault]
    from_number: str | None
    to_number: str
    begun_at: datetime
    zone: ZoneInfo
    rate: float = 0.0
    spread_days: float = 0.0
    real_time: bool = False


def play(run: Run, on_end: Callable[[CallTruth], None]) -> list[CallTruth]:
    """Play all calls and return them in the order they began; `on_end` is told of each as it ends."""
    beginnings = _beginnings(run)
    begun = time.monotonic()
    ended: list[tuple[int, CallTruth, Postman]] = []
    lock = threading.Lock()

    def play_one(index: int) -> None:
        truth, postman = _play_one(run, index, beginnings[index] or datetime.now(UTC))
        with lock:
            ended.append((index, truth, postman))
            on_end(truth)

    with ThreadPoolExecutor(run.concurrency) as pool:
        pending: set[Future[None]] = set()
        try:
            for index in range(run.calls):
                if run.rate:
                    time.sleep(max(0.0, begun + index / run.rate - time.monotonic()))
                pending.add(pool.submit(play_one, index))
                pending = _take_done(pending, at_most=2 * run.concurrency)
            _take_done(pending, at_most=0)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        ended.sort(key=lambda item: item[0])
        list(pool.map(Postman.deliver_late, [postman for _, _, postman in ended if postman.late]))
    return [truth for _, truth, _ in ended]


def verify(truths: Sequence[CallTruth], api: Api, concurrency: int) -> list[Difference]:
    """Ask the server's API about every call and return all differences; raises ApiError."""
    with ThreadPoolExecutor(concurrency) as pool:
        found = pool.map(lambda truth: compare(truth, api.call(truth.call_uuid)), truths)
        return [difference for differences in found for difference in differences]


def _play_one(run: Run, index: int, begun_at: datetime) -> tuple[CallTruth, Postman]:
    """Play one call; its seed and its number in the run decide everything about it."""
    chance = random.Random(f"{run.seed}:{index}:call")  # noqa: S311 - repeatable on purpose
    wire_chance = random.Random(f"{run.seed}:{index}:wire")  # noqa: S311 - repeatable on purpose
    scenario = run.named[index % len(run.named)] if run.named else vary(pick(run.mix, chance), chance)
    line = Line(
        call_uuid="",
        from_number=run.from_number or f"+1415555{chance.randrange(100, 200):04d}",
        to_number=run.to_number,
        begun_at=begun_at,
        zone=run.zone,
        outbound=scenario.called is not None,
    )
    truth = CallTruth(
        call_uuid="",
        scenario=scenario.name,
        begun_at=begun_at,
        from_number=line.from_number,
        to_number=line.to_number,
    )
    postman = Postman(run.wire, run.faults, wire_chance, truth)
    a_leg = ALeg(scenario=scenario, line=line, urls=run.urls, postman=postman, chance=chance, real_time=run.real_time)
    line.call_uuid = truth.call_uuid = a_leg.make_uuid()
    return Call(a_leg).play(), postman


def _take_done(pending: set[Future[None]], at_most: int) -> set[Future[None]]:
    """Wait until no more than so many are pending; an error of one is raised here."""
    while len(pending) > at_most:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
    return pending


def _beginnings(run: Run) -> Sequence[datetime | None]:
    """Return when each call begins in simulated time, oldest first; None for the moment it is played."""
    if not run.spread_days:
        return [None] * run.calls
    chance = random.Random(f"{run.seed}:days")  # noqa: S311 - repeatable on purpose
    moments = _moments(run, chance)
    return sorted(next(moments) for _ in range(run.calls))


def _moments(run: Run, chance: random.Random) -> Iterator[datetime]:
    """Yield moments of the last days, more of them in busy hours of the account's zone."""
    busiest = max(_CALLS_BY_HOUR)
    while True:
        moment = run.begun_at - timedelta(days=chance.random() * run.spread_days)
        if chance.random() < _CALLS_BY_HOUR[moment.astimezone(run.zone).hour] / busiest:
            yield moment.astimezone(UTC)
