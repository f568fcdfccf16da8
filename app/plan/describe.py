"""Describe a plan, a route or a decision in plain words."""

from collections.abc import Iterator
from datetime import tzinfo

from app.plan.endings import Announcement, Announcements, Ending, Hangup, Redirect, Voicemail
from app.plan.hours import WEEKDAYS, Hours
from app.plan.model import Plan, Route, Step, Target
from app.plan.next import Decision, End, Ring, Why
from app.plan.prompts import Phrase, Phrases
from app.plan.remarks import uncertain_keys
from app.plan.snapshot import Snapshot, feed_name
from app.plan.values import ANY_NUMBER, DIALLED, QUIET_OUTCOMES

_WHY = {
    Why.BLOCKED: "the caller is blocked",
    Why.CLOSED: "outside the opening hours",
    Why.LED_HERE: "the step's after leads here",
    Why.NO_STEP_LEFT: "no step is left",
    Why.STEP_IS_GONE: "the step is no longer in the plan",
    Why.RANG_TOO_LONG: "max_ring_seconds is reached",
    Why.TOO_MANY_ROUNDS: "max_rounds is reached",
}

_IN_TURN = {
    "in_turn": "one after another",
    "shuffled": "one after another in random order",
    "rotating": "one after another, every call beginning with the next",
    "longest_idle": "one after another, the longest idle first",
}


def describe_plan(plan: Plan) -> str:
    """Draw every route of a plan as a tree."""
    return "\n\n".join(describe_route(plan, route) for route in plan.routes.values())


def describe_route(plan: Plan, route: Route) -> str:
    """Draw one route as a tree: who gets through, who rings, and what is heard at the end."""
    branches = [*_before(plan, route), *(_step(route, step) for step in route.steps.values())]
    caps = f", or after {route.max_rounds} dials or {route.max_ring_seconds} s" if route.steps else ""
    branches.append([f"at last{caps}: {_named_ending(plan, route.ending)}"])
    return "\n".join([f"{route.name}: calls to {_called(plan, route)}", *_tree(branches)])


def describe_decision(decision: Decision) -> str:
    """Return what the caller gets."""
    if isinstance(decision, Ring):
        heard = f"hears {_prompt(decision.greeting)}, then " if decision.greeting is not None else ""
        return f"{heard}rings {decision.step.name}: {_ring(decision.step, decision.targets, decision.timeout)}"
    if isinstance(decision, End):
        return f"gets the ending {decision.name}: {describe_ending(decision.ending)} ({_WHY[decision.why]})"
    return "gets nothing more: the call is over"


def describe_state(route: Route, snapshot: Snapshot, zone: tzinfo) -> str:
    """Return whether a route is open at the moment of the snapshot, and by which rule; `zone` is for times."""
    switch = snapshot.switches.get(route.name)
    if switch is not None and switch.holds(snapshot.now):
        word = "open" if switch.is_open else "closed"
        until = f"{switch.until.astimezone(zone):%a %d %b %H:%M} ({zone})" if switch.until else "further notice"
        return f"{word} by hand until {until}"
    if route.hours is None:
        return "always open"
    is_open, rule = route.hours.state(snapshot.now, snapshot.days)
    return f"{'open' if is_open else 'closed'} ({rule or 'by its weekly hours'})"


def describe_ending(ending: Ending) -> str:
    """Return what an ending does."""
    match ending:
        case Announcement():
            return f"hear {_phrase(ending)}, then hang up"
        case Announcements():
            return f"hear {_prompt(ending.prompt)}, then hang up"
        case Hangup():
            return "hang up" if ending.hangup == "normal" else f"hang up as {ending.hangup}"
        case Redirect():
            return f"go on with {ending.redirect}"
        case Voicemail():
            return f"hear {_prompt(ending.voicemail)}, then leave a message of up to {ending.max_length} s"


def _tree(branches: list[list[str]]) -> Iterator[str]:
    for index, (first, *others) in enumerate(branches):
        is_last = index == len(branches) - 1
        yield f"{'└─' if is_last else '├─'} {first}"
        yield from (f"{'  ' if is_last else '│ '}   {line}" for line in others)


def _called(plan: Plan, route: Route) -> str:
    anything = "any other number" if len(plan.routes) > 1 else "any number"
    return ", ".join(anything if number == ANY_NUMBER else number for number in route.called)


def _before(plan: Plan, route: Route) -> Iterator[list[str]]:
    if route.callers is not None:
        allowed = f", who may dial {', '.join(route.may_dial)}…" if route.may_dial is not None else ""
        yield [f"only for {', '.join(route.callers)}{allowed}"]
    if route.stir is not None:
        yield [f"only where STIR says {' or '.join(route.stir)}"]
    if route.blocked is not None:
        blocked = [*route.blocked.callers, *(f"STIR says {word}" for word in route.blocked.stir)]
        yield [f"blocked: {', '.join(blocked)} → {_named_ending(plan, route.blocked.ending)}"]
    if route.hours is not None:
        yield [f"open in {route.hours.time_zone}", *_days(route.hours), f"else → {route.hours.otherwise}"]
    if route.greeting is not None:
        yield [f"first: hear {_prompt(route.greeting)}"]


def _days(hours: Hours) -> Iterator[str]:
    for weekday, name in enumerate(WEEKDAYS):
        if spans := hours.day(weekday):
            yield f"{name} {', '.join(str(span) for span in spans)}"
    for word, dates in (("open", hours.open), ("closed", hours.closed)):
        if dates:
            yield f"{word} on {', '.join(str(one) for one in dates)}"
    if hours.calendar is not None:
        yield f"{hours.calendar.events} at the events of {feed_name(hours.calendar.url)}"
    if hours.holidays is not None:
        yield f"closed on the holidays of {hours.holidays}"


def _step(route: Route, step: Step) -> list[str]:
    following = route.step_after(step.name)
    leads = [f"{outcome} → {name}" for outcome, name in step.after.items()]
    quiet = [outcome for outcome in QUIET_OUTCOMES if outcome not in step.after]
    leads.append(f"else → {following.name if following is not None else 'at last'}")
    over = f"{' or '.join(sorted(quiet))} → the call is over" if quiet else ""
    return [
        f"{step.name}: {_ring(step, step.ring, step.timeout)}",
        *_details(route, step),
        *leads,
        *([over] if over else []),
    ]


def _details(route: Route, step: Step) -> Iterator[str]:
    """Yield what differs from Plivo's defaults."""
    shown = [step.caller_id or route.caller_id, step.caller_name or route.caller_name]
    if any(shown):
        yield f"shown to them: {', '.join(filter(None, shown))}"
    if step.skip:
        yield f"without targets that were {' or '.join(step.skip)} in this call"
    if step.busy_targets == "skip":
        yield "not those who talk already"
    if (dead := step.dead_phones) is not None:
        yield f"dead after {dead.failures} failures in {dead.within} min: rung {dead.then} for {dead.rest} min"
    if step.time_limit != Step.model_fields["time_limit"].default:
        yield f"talk for at most {step.time_limit} s"
    if step.dial_music is not None:
        yield f"meanwhile the caller hears {_music(step.dial_music)}"
    yield from (f"! {sentence}" for sentence in uncertain_keys(step))


def _music(music: str | Phrases) -> str:
    if isinstance(music, tuple):
        return _prompt(music)
    return "the network of the callee" if music == "real" else f"the document {music}"


def _ring(step: Step, targets: tuple[Target, ...], timeout: int) -> str:
    together = " and ".join(_target(target) for target in targets)
    parts = [f"{together} for {timeout} s"]
    if step.order != "together" and len(targets) > 1:
        listed = ", ".join(_target(target) for target in targets)
        parts = [f"{listed} {_IN_TURN[step.order]}, each for {timeout} s"]
    if step.confirm_key is not None:
        parts.append(f"to be accepted with {step.confirm_key}")
    if step.record:
        parts.append("recorded")
    return ", ".join(parts)


def _target(target: Target) -> str:
    own = f" ({target.timeout} s)" if target.timeout is not None else ""
    if target.rota is not None:
        otherwise = f", else {target.otherwise}" if target.otherwise is not None else ""
        return f"who is on call by {feed_name(target.rota)}{otherwise}{own}"
    return f"{'the dialled number' if target.number == DIALLED else target.address}{own}"


def _prompt(prompt: Phrases) -> str:
    return ", then ".join(_phrase(phrase) for phrase in prompt)


def _phrase(phrase: Phrase) -> str:
    if phrase.pause is not None:
        return f"{phrase.pause} s of silence"
    return phrase.play if phrase.play is not None else f"“{phrase.say or phrase.ssml}”"


def _named_ending(plan: Plan, name: str) -> str:
    return f"{name}: {describe_ending(plan.ending_named(name))}"
