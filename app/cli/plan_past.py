"""What decisions may know of the past: rebuilt from the audit log, the calendars and the calls that are played."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from app.cli.plan import read_feeds
from app.dial.snapshot import refresh
from app.plan.contacts import read_contacts
from app.plan.model import Plan
from app.plan.snapshot import SWITCH, LiveState, Snapshot, Switch
from app.plan.sources import uses
from app.plan.what_if import Ended, PastCall, play
from app.records.model.target_state import DeadRule, TargetState
from app.voice.outcome import Outcome

_AT_ONCE = timedelta(days=60)  # Calendars are expanded for so many days.


def play_all(plan: Plan, past: Iterable[PastCall], changes: list[dict[str, Any]]) -> Iterator[Ended]:
    """Yield how each call would have ended. Calls and `changes`, those of the audit log, are in the order of time."""
    known = _Known(plan, changes)
    for one in past:
        ended = play(plan, one, known.at(one.at))
        known.learn(ended, one)
        yield ended


def left_out(plan: Plan) -> Iterator[str]:
    """Yield what the plan asks for that is not known of past calls."""
    steps = [step for route in plan.routes.values() for step in route.steps.values()]
    if any(step.busy_targets == "skip" for step in steps):
        yield "who was talking (busy_targets)"
    if any(step.order == "rotating" for step in steps):
        yield "whose turn it was (rotating)"
    if any(not use.is_holidays for use in uses(plan)):
        yield "earlier versions of calendars"


class _Known:
    """The state beside one plan, moved forward from call to call."""

    def __init__(self, plan: Plan, changes: Iterable[Mapping[str, Any]]) -> None:
        self._plan = plan
        self._changes = list(reversed(list(changes)))
        self._targets: dict[str, TargetState] = {}
        self._watched = plan.watched()
        self._read_until: datetime | None = None
        self._live = LiveState(contacts=read_contacts(plan.contacts_path) if plan.contacts_path else {})

    def at(self, moment: datetime) -> Snapshot:
        """Return what was known at a moment, not before the one of the call before."""
        now = round(moment.timestamp() * 1000)
        if self._read_until is None or moment > self._read_until:
            read_feeds(self._plan, self._live, moment)
            self._read_until = moment + _AT_ONCE
        while self._changes and self._changes[-1]["at"] <= now:
            self._change(**self._changes.pop())
        refresh(self._live, list(self._targets.values()), now=now)
        return self._live.at(moment)

    def _change(self, *, at: int, action: str, subject: str, detail: Mapping[str, Any], **_: Any) -> None:
        if subject.startswith(SWITCH):
            others = {name: one for name, one in self._live.switches.items() if name != subject.removeprefix(SWITCH)}
            switch = {subject.removeprefix(SWITCH): Switch.read(detail, detail.get("until"))} if detail else {}
            self._live.switches = others | switch
        elif action in {"target.out", "target.in"}:
            self._state(subject).out_at = at if action == "target.out" else None

    def learn(self, ended: Ended, past: PastCall) -> None:
        """Note what a played call says about the targets that the plan watches."""
        for dial in ended.rung:
            place = dial.route, dial.step
            if place in self._watched:
                talked = dial.outcome is Outcome.ANSWERED
                at = past.at.timestamp() + dial.seconds + (past.talk_seconds if talked else 0)
                rule, state = self._watched[place], self._state(dial.address)
                dead = DeadRule(rule.failures, rule.within * 60_000) if rule is not None else None
                state.note(dial.outcome, round(at * 1000), dead)
                state.finish("", round(at * 1000), talked=talked)

    def _state(self, target: str) -> TargetState:
        return self._targets.setdefault(target, TargetState(target))
