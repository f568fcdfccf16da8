"""Random histories of calls: any plan, any ending, any fault, any order of the webhooks."""

import csv
import io
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from app.records.maintenance.prune import erase, prune
from app.records.model.ids import now
from app.records.model.receipt import Receipt
from app.records.model.state import Placement
from app.records.reading.call_filters import CallFilters
from app.records.reading.calls import find_calls
from app.records.reading.gauges import read_gauges
from app.records.reading.read_session import read_session
from app.records.rollups.counting import HOUR
from app.records.rollups.update import update_rollups
from app.records.store.store import Store
from app.records.writing.journal import Journal
from app.voice.outcome import CallOutcome
from tests.records.call_scenarios import PlannedCall, end_of_plan
from tests.records.scenarios import ALICE, BOB, CALLER, OURS
from tests.reports.conftest import Caller

TARGETS = (ALICE, BOB, "+14155550133", "sip:carol@phone.plivo.com")
ENDS = (
    ("busy", "USER_BUSY", 3010),
    ("no-answer", "NO_ANSWER", 3000),
    ("no-answer", "CALL_REJECTED", 3020),
    ("no-answer", "USER_NOT_REGISTERED", 2020),
    ("timeout", "", 6010),
    ("failed", "NORMAL_TEMPORARY_FAILURE", 5010),
    ("cancel", "ORIGINATOR_CANCEL", 0),
    ("completed", "", 4000),  # Without a B leg nobody talked.
    ("splendid", "", 9999),
)
ENDINGS = ("hangup", "say", "voicemail", "redirect")
CALLERS = tuple(f"+1415555{number:04d}" for number in range(1000, 1020))


class RandomCall(PlannedCall):
    """A call whose plan, endings and faults are chosen by chance."""

    caller = CALLER

    def play(self, chance: random.Random) -> "RandomCall":
        """Let the whole call happen."""
        self.caller = chance.choice(CALLERS)
        kind = chance.random()
        if kind < 0.08:
            status, code = chance.choice((("busy", 3010), ("no-answer", 3000), ("completed", 4000), ("failed", 5010)))
            self.hangup(code, "Carrier", CallStatus=status, From=OURS, To=CALLER, Direction="outbound")
        elif kind < 0.12:
            self.cdr_of_call()
        elif kind < 0.25:
            self.ends(chance.choice(ENDINGS), turned_away=chance.choice((None, "blocked", "closed")))
            self._leave(chance)
        else:
            self._ring(chance)
            self._leave(chance)
        return self

    def _standard(self, status: str) -> dict[str, str]:
        return {**super()._standard(status), "From": self.caller[1:]}

    def _ring(self, chance: random.Random) -> None:
        """Ring one to three steps; the caller may be put through or give up in any of them."""
        steps = chance.randint(1, 3)
        self.answer(*chance.sample(TARGETS, chance.randint(1, 3)))
        for step in range(1, steps + 1):
            name = f"leg{step}"
            target = chance.choice(TARGETS)
            if chance.random() < 0.5:
                self.leg("answer", name, target)
            if chance.random() < 0.3:
                self.action("completed", "NORMAL_CLEARING", rang=True, name=name)
                self.leg_ends(name, target, 4000, "NORMAL_CLEARING", chance.randint(1, 90))
                return
            status, cause, code = chance.choice(ENDS)
            if code and chance.random() < 0.5:
                self.leg_ends(name, target, code, cause)
            if chance.random() < 0.1:
                return  # The caller hangs up, and the report is lost.
            self.action(status, cause, rang=chance.random() < 0.8)
            if step < steps:
                dial_id = f"{self.dial_id}-{step + 1}"
                targets = tuple(chance.sample(TARGETS, chance.randint(1, 2)))
                placement = Placement(dial_id, targets, chance.choice(("main", "sales")), f"step{step}", step + 1)
                self.dial_id = dial_id
            elif chance.random() < 0.6:
                placement = end_of_plan(chance.choice(ENDINGS), None)
            else:
                return
            self.receipts[-1] = self.receipts[-1]._replace(placement=placement)

    def _leave(self, chance: random.Random) -> None:
        """End the call, with a message or a click before, or let its end go unreported."""
        if chance.random() < 0.3:
            self.message(chance.choice((400, 12_000)))
        if chance.random() < 0.9:
            self.hangup(chance.choice((4000, 4010, 7011)), chance.choice(("Caller", "Plivo", "Error")))
        if chance.random() < 0.1:
            self.fallback()
        if chance.random() < 0.05:
            self.cdr_of_call()


def histories(number: int, chance: random.Random, *, ending_at: int) -> Iterator[RandomCall]:
    """Yield calls of the last two days; no call began about 24 hours ago, where the metrics cut."""
    for _ in range(number):
        hours = chance.uniform(1, 22) if chance.random() < 0.6 else chance.uniform(25, 45)
        yield RandomCall(at=ending_at - round(hours * HOUR)).play(chance)


def disturb(calls: list[RandomCall], chance: random.Random) -> tuple[list[Receipt], list[Receipt]]:
    """Return receipts in a random order, some lost and some twice, and those that come late."""
    receipts = [one for call in calls for one in call.receipts if chance.random() > 0.03]
    receipts += chance.sample(receipts, len(receipts) // 10)
    chance.shuffle(receipts)
    place = len(receipts) * 4 // 5
    return receipts[:place], receipts[place:]


@dataclass
class Sums:
    """How many calls, and how many dials, each way to read them finds, by outcome."""

    calls: dict[str, Counter[str]]
    dials: dict[str, Counter[str]]

    def agree(self) -> bool:
        """Return whether every way finds the same."""
        return all(
            len({tuple(sorted(found.items())) for found in each.values()}) == 1 for each in (self.calls, self.dials)
        )


def read_sums(caller: Caller, *, since: int) -> Sums:
    """Read the calls that began since a time in milliseconds in every way there is."""
    parameter = {"since": f"{_rfc3339(since)}"}
    listed: Counter[str] = Counter()
    uuids: list[str] = []
    before: int | None = None
    while True:
        with read_session(caller.services.store) as connection:
            page = find_calls(connection, CallFilters(since=since), limit=500, before=before)
        listed.update(str(one.call.outcome) for one in page.calls)
        uuids += [one.call.call_uuid for one in page.calls]
        if (before := page.before) is None:
            break
    assert len(uuids) == len(set(uuids))
    assert set(listed) <= set(CallOutcome)
    shown: Counter[str] = Counter()
    page_of_api = caller.read("calls", limit=500, total="true", **parameter)
    total = page_of_api["total"]
    while True:
        shown.update(call["outcome"] for call in page_of_api["calls"])
        if page_of_api["next_cursor"] is None:
            break
        page_of_api = caller.read("calls", limit=500, cursor=page_of_api["next_cursor"], **parameter)
    assert total == len(uuids)
    calls = {"list": listed, "api": shown, "csv": _outcomes(caller, "calls.csv", parameter)}
    for group_by in ("day", "hour", "route", "outcome", "number", "hour_of_week"):
        summary = caller.read("summary", group_by=group_by, timezone="Asia/Kathmandu", **parameter)
        calls[f"summary by {group_by}"] = Counter(summary["outcomes"])
        parts: Counter[str] = sum((Counter(part["outcomes"]) for part in summary["series"]), Counter())
        calls[f"groups by {group_by}"] = parts
    of_dials = {"csv": _outcomes(caller, "dials.csv", {})}
    of_dials["summary"] = Counter(caller.read("summary", unit="dials", group_by="target")["outcomes"])
    return Sums(calls=calls, dials=of_dials)


def read_metrics(caller: Caller) -> tuple[Counter[str], Counter[str]]:
    """Return the calls of the last 24 hours by outcome: by the metrics, and by the file of calls."""
    since = {"since": _rfc3339(now() - 24 * HOUR)}
    return Counter(read_gauges(caller.services.store).calls), _outcomes(caller, "calls.csv", since)


def _outcomes(caller: Caller, path: str, query: dict[str, str]) -> Counter[str]:
    return Counter(row["outcome"] for row in csv.DictReader(io.StringIO(caller.ask(path, query).text)))


def _rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


def check_histories(caller: Caller, number: int, seed: int) -> Counter[str]:
    """Store histories, count them, report more, delete and erase; after each step all figures must agree.

    Returns how many calls of each outcome there were before anything was deleted.
    """
    chance, moment = random.Random(seed), now()
    early, late = disturb(list(histories(number, chance, ending_at=moment)), chance)
    store = Store(caller.services.config.database_url, timeout=60)  # A busy machine is no fault.
    journal = Journal(store)
    for first in range(0, len(early), 100):
        journal.append_all(early[first : first + 100])
    _check(caller, "stored", since=0)
    update_rollups(store, at=moment)
    _check(caller, "counted", since=0)
    for first in range(0, len(late), 100):
        journal.append_all(late[first : first + 100])
    _check(caller, "with late reports", since=0)
    update_rollups(store, at=moment)
    found = _check(caller, "counted again", since=0)
    bound = (moment - 30 * HOUR) // HOUR * HOUR
    deleted = prune(store, before=bound, step=lambda _: None)
    whole = caller.read("summary")["outcomes"]
    assert (Counter(whole), deleted > 0) == (found, number > 100), "figures of deleted calls"
    _check(caller, "pruned", since=bound, dials=False)
    erased = erase(store, caller.services.spool, chance.choice(CALLERS), lambda _: None)
    assert erased.left == 0
    _check(caller, "erased", since=bound, dials=False)
    update_rollups(store, at=moment)
    _check(caller, "erased and counted", since=bound, dials=False)
    journal.close()
    store.close()
    return found


def _check(caller: Caller, step: str, *, since: int, dials: bool = True) -> Counter[str]:
    sums = read_sums(caller, since=since)
    if not dials:  # Files hold no dials of deleted calls; figures do.
        sums.dials = {"none": Counter()}
    assert sums.agree(), (step, sums)
    by_metrics, by_file = read_metrics(caller)
    assert by_metrics == by_file, step
    return sums.calls["list"]
