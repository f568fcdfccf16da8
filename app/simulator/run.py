"""Play many calls at once, each with its own seed, and deliver the late requests at the end."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.simulator.carrier.a_leg import ALeg
from app.simulator.carrier.call import play_call
from app.simulator.carrier.call_requests import ApplicationUrls
from app.simulator.carrier.payloads import CallContext
from app.simulator.ground_truth import CallTruth
from app.simulator.reports_api import ReportsApi
from app.simulator.scenario import Scenario, pick, vary
from app.simulator.verify import Difference, compare
from app.simulator.wire.delivery import FaultyDelivery
from app.simulator.wire.faults import Fault
from app.simulator.wire.transport import Transport

# Relative number of calls in each hour of the day: quiet nights, busy mornings.
_CALLS_BY_HOUR = (1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 18, 16, 12, 14, 17, 16, 14, 11, 8, 6, 4, 3, 2, 1)
# What carriers with CNAM say of callers: at most fifteen characters, in capitals.
_CALLER_NAMES = (
    "BLUE DOOR CAFE",
    "HARBOUR DENTAL",
    "ELM ST GARAGE",
    "GREEN PHARMACY",
    "NORTH GATE INN",
    "CITY LIBRARY",
    "OAK HILL SCHOOL",
    "RIVER BAKERY",
    "STATION TAXI",
    "WEST END BOOKS",
)
_NAMED_SHARE = 3  # One caller in this many has no name.


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What to play. `named` scenarios are played in turn; without any, random ones of `mix`, varied.

    `own_number` is called by `other_number` (None: various), or calls it where the scenario is outbound.
    `rate` is calls a second (0: no limit). All calls begin at `begun_at`, or when they are played if it is None;
    `spread_days` spreads them over the days before. UUIDs and nonces are new in every run, so that a server does
    not take the calls for duplicates, unless `repeats_uuids`.
    """

    named: Sequence[Scenario]
    mix: Sequence[Scenario]
    calls: int
    concurrency: int
    seed: int
    urls: ApplicationUrls
    transport: Transport
    faults: Sequence[Fault]
    other_number: str | None
    own_number: str
    zone: ZoneInfo
    begun_at: datetime | None = None
    rate: float = 0.0
    spread_days: float = 0.0
    repeats_uuids: bool = False
    real_time: bool = False
    names_callers: bool = False


def play(run: Run, on_end: Callable[[CallTruth], None]) -> list[CallTruth]:
    """Play all calls and return them in the order they began; `on_end` is called as each ends."""
    beginnings = _beginnings(run)
    begun = time.monotonic()
    ended: list[tuple[int, CallTruth, FaultyDelivery]] = []
    lock = threading.Lock()

    def play_one(index: int) -> None:
        truth, delivery = _play_one(run, index, beginnings[index] or datetime.now(UTC))
        with lock:
            ended.append((index, truth, delivery))
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
        list(pool.map(FaultyDelivery.deliver_late, [delivery for _, _, delivery in ended]))
    return [truth for _, truth, _ in ended]


def verify(truths: Sequence[CallTruth], api: ReportsApi, concurrency: int) -> list[Difference]:
    """Fetch every call from the server's API and return all differences; raises ReportsApiError."""
    with ThreadPoolExecutor(concurrency) as pool:
        found = pool.map(lambda truth: compare(truth, api.fetch_call(truth.call_uuid)), truths)
        return [difference for differences in found for difference in differences]


def _play_one(run: Run, index: int, begun_at: datetime) -> tuple[CallTruth, FaultyDelivery]:
    """Play one call; the seed and its number in the run decide everything about it."""
    rng = random.Random(f"{run.seed}:{index}:call")  # noqa: S311 - repeatable on purpose
    wire_rng = random.Random(f"{run.seed}:{index}:wire")  # noqa: S311 - repeatable on purpose
    id_rng = random.Random(f"{run.seed}:{index}:ids") if run.repeats_uuids else random.SystemRandom()  # noqa: S311
    scenario = run.named[index % len(run.named)] if run.named else vary(pick(run.mix, rng), rng)
    other = run.other_number or f"+1415555{rng.randrange(100, 200):04d}"
    from_number, to_number = (other, run.own_number) if scenario.called is None else (run.own_number, other)
    context = CallContext(
        call_uuid="",
        from_number=from_number,
        to_number=to_number,
        begun_at=begun_at,
        zone=run.zone,
        outbound=scenario.called is not None,
        caller_name=_name_of(from_number) if run.names_callers else None,
    )
    truth = CallTruth(
        call_uuid="",
        scenario=scenario.name,
        begun_at=begun_at,
        from_number=from_number,
        to_number=to_number,
    )
    delivery = FaultyDelivery(run.transport, run.faults, wire_rng, id_rng, truth)
    a_leg = ALeg(
        scenario=scenario, context=context, urls=run.urls, delivery=delivery, id_rng=id_rng, real_time=run.real_time
    )
    context.call_uuid = truth.call_uuid = a_leg.make_uuid()
    return play_call(a_leg), delivery


def _name_of(number: str) -> str | None:
    last = int(number[-2:]) if number[-2:].isdecimal() else 0
    return _CALLER_NAMES[last % len(_CALLER_NAMES)] if last % _NAMED_SHARE else None


def _take_done(pending: set[Future[None]], at_most: int) -> set[Future[None]]:
    """Wait until at most this many are pending; raise the error of any that failed."""
    while len(pending) > at_most:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
    return pending


def _beginnings(run: Run) -> Sequence[datetime | None]:
    """Return when each call begins in simulated time, oldest first; None means when it is played."""
    if not run.spread_days:
        return [run.begun_at] * run.calls
    rng = random.Random(f"{run.seed}:days")  # noqa: S311 - repeatable on purpose
    moments = _moments(run, rng)
    return sorted(next(moments) for _ in range(run.calls))


def _moments(run: Run, rng: random.Random) -> Iterator[datetime]:
    """Yield moments of the last days; busy hours of the account's zone get more of them."""
    busiest, latest = max(_CALLS_BY_HOUR), run.begun_at or datetime.now(UTC)
    while True:
        moment = latest - timedelta(days=rng.random() * run.spread_days)
        if rng.random() < _CALLS_BY_HOUR[moment.astimezone(run.zone).hour] / busiest:
            yield moment.astimezone(UTC)
