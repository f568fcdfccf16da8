"""In which order the targets of a step ring, who is left out, and what a call remembers of that."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

from app.plan.health import Condition, condition
from app.plan.model import Step, Target
from app.plan.snapshot import Snapshot
from app.voice.outcome import Outcome

DEAD = frozenset({Outcome.UNREACHABLE, Outcome.FAILED})
_OUTCOMES = {outcome[0]: outcome for outcome in (Outcome.REJECTED, Outcome.BUSY, Outcome.MISSED, *DEAD)}

Turn = tuple[Target, ...]
"""The targets that ring at the same time."""


class Memory(NamedTuple):
    """What a call remembers of its dials, for steps that need it. Targets are named by `key_of`.

    `rung` rang in the last dial, `left` are the turns that its step still has, `gone` has for each target that ended a
    dial of this call the first letter of the outcome.
    """

    rung: tuple[str, ...] = ()
    left: tuple[tuple[str, ...], ...] = ()
    gone: tuple[tuple[str, str], ...] = ()

    def to_text(self) -> str:
        """Return the memory in letters that stand in a URL as they are; empty where there is nothing to remember."""
        if not any(self):
            return ""
        turns = "-".join(".".join(turn) for turn in self.left)
        gone = ".".join(f"{letter}{key}" for key, letter in self.gone)
        return "~".join((".".join(self.rung), turns, gone))

    @classmethod
    def from_text(cls, text: str) -> "Memory":
        """Return the memory that `to_text` wrote."""
        if not text:
            return EMPTY
        rung, turns, gone = text.split("~")
        return cls(
            rung=tuple(filter(None, rung.split("."))),
            left=tuple(tuple(turn.split(".")) for turn in turns.split("-") if turn),
            gone=tuple((one[1:], one[0]) for one in gone.split(".") if one),
        )

    def after_dial(self, outcome: Outcome, legs: Mapping[str, Outcome]) -> "Memory":
        """Return the memory after the dial; `legs` are the outcomes by address that are known of single targets."""
        known = {_key(address): found for address, found in legs.items()}
        if len(self.rung) == 1 or outcome is Outcome.UNREACHABLE:
            known = dict.fromkeys(self.rung, outcome) | known
        gone = dict(self.gone) | {key: found[0] for key, found in known.items() if found in _OUTCOMES.values()}
        return self._replace(gone=tuple(sorted(gone.items())))


EMPTY = Memory()


def key_of(target: Target) -> str:
    """Return a short name of a target that says nothing about its number."""
    return _key(target.address)


def _key(address: str) -> str:
    return blake2b(address.encode(), digest_size=4).hexdigest()


def first_turns(
    step: Step, targets: Turn, memory: Memory, snapshot: Snapshot, *, call_uuid: str | None, place: str
) -> tuple[Turn, ...]:
    """Return the turns in which the targets of a step ring; none where nobody may. `place` names the step."""
    usable = _usable(step, targets, memory, snapshot)
    if not usable:
        return ()
    if step.order == "together":
        return _dead_last(step, (usable,), snapshot, of=usable)
    if step.order == "rotating":
        first = snapshot.rotation.get(place, 0) % len(usable)
        usable = usable[first:] + usable[:first]
    elif step.order != "in_turn":
        usable = tuple(sorted(usable, key=lambda target: _rank(step, target, snapshot, f"{call_uuid} {place}")))
    return _dead_last(step, tuple((target,) for target in usable), snapshot, of=usable)


def later_turns(step: Step, targets: Turn, memory: Memory, snapshot: Snapshot) -> tuple[Turn, ...]:
    """Return the turns that a step still has after a dial."""
    usable = {key_of(target): target for target in _usable(step, targets, memory, snapshot)} if memory.left else {}
    turns = (tuple(usable[key] for key in turn if key in usable) for turn in memory.left)
    return _dead_last(step, tuple(filter(None, turns)), snapshot, of=targets)


def on_trial(step: Step, turn: Turn, snapshot: Snapshot) -> tuple[str, ...]:
    """Return the addresses of dead phones that this turn tries again."""
    return tuple(target.address for target in turn if _condition(step, target, snapshot) is Condition.ON_TRIAL)


def _usable(step: Step, targets: Turn, memory: Memory, snapshot: Snapshot) -> Turn:
    """Return the targets but for those taken out by hand, those that talk, and those this call has tried in vain."""
    unwanted = {*step.skip, *(DEAD if step.dead_phones is not None else ())}
    gone = {key for key, letter in memory.gone if _OUTCOMES[letter] in unwanted}
    left_out = snapshot.out | snapshot.busy_targets if step.busy_targets == "skip" else snapshot.out
    if not (gone or left_out):
        return targets
    return tuple(target for target in targets if target.address not in left_out and key_of(target) not in gone)


def _rank(step: Step, target: Target, snapshot: Snapshot, seed: str) -> tuple[bool, int, bytes]:
    """Return what to sort targets by: by a hash of the call, so that every server decides the same, or by idleness."""
    chance = blake2b(f"{seed} {target.address}".encode(), digest_size=8).digest()
    if step.order == "shuffled":
        return False, 0, chance
    return target.address in snapshot.busy_targets, snapshot.idleness.get(target.address, 0), chance


def _dead_last(step: Step, turns: tuple[Turn, ...], snapshot: Snapshot, *, of: Turn) -> tuple[Turn, ...]:
    """Move dead phones behind the others, or leave them out, unless all targets `of` the step are dead."""
    if step.dead_phones is None:
        return turns
    dead = {target.address for target in of if _condition(step, target, snapshot) is Condition.DEAD}
    if not dead or all(target.address in dead for target in of):
        return turns
    alive = tuple(filter(None, (tuple(target for target in turn if target.address not in dead) for turn in turns)))
    last = tuple(target for turn in turns for target in turn if target.address in dead)
    if not last or step.dead_phones.then == "never":
        return alive
    return (*alive, last) if step.order == "together" else (*alive, *((target,) for target in last))


def _condition(step: Step, target: Target, snapshot: Snapshot) -> Condition:
    now = round(snapshot.now.timestamp() * 1000)
    return condition(snapshot.health.get(target.address), step.dead_phones, now)
