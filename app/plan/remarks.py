"""What works in a plan and still deserves a second look: `flask plan check` and the start of the server show it."""

from collections.abc import Iterator
from typing import Any

from app.plan.endings import Announcement, Announcements, Redirect, Voicemail
from app.plan.model import Plan, Route, Step, Target
from app.plan.prompts import Phrase, Phrases
from app.plan.values import DIALLED
from app.voice.speech import DOUBTFUL_FOR_WOMAN, MAN, is_polly
from app.voice.xml import Dial, Number, User

Remark = tuple[str, str]
"""A table of the plan, and a sentence about it."""


def remarks(plan: Plan) -> Iterator[Remark]:
    """Yield every remark, in the order of the plan."""
    for route in plan.routes.values():
        yield from _prompts(f"routes.{route.name}", greeting=route.greeting)
        for step in route.steps.values():
            yield from _step(f"routes.{route.name}.steps.{step.name}", route, step)
    for name, ending in plan.endings.items():
        place = f"endings.{name}"
        match ending:
            case Announcement():
                yield from ((place, sentence) for sentence in _phrase(ending))
            case Announcements():
                yield from _prompts(place, prompt=ending.prompt)
            case Voicemail():
                yield from _prompts(place, voicemail=ending.voicemail, thanks=ending.thanks)
            case Redirect():
                yield from ((place, sentence) for sentence in _url("redirect", ending.redirect))


def uncertain_keys(step: Step) -> Iterator[str]:
    """Yield the keys of a step and its targets that Plivo's XML reference lacks, each with the source that has it."""
    yield from (f"{key} is documented by {source} alone" for key, source in _beyond_reference(step))
    for target in step.ring:
        for key, source in _beyond_reference(target):
            yield f"{key} of {target.address} is documented by {source} alone"


def _beyond_reference(table: Step | Target) -> Iterator[tuple[str, str]]:
    element: Any = Dial if isinstance(table, Step) else Number if table.number is not None else User
    yield from (
        (key, source) for key, source in element.beyond_reference.items() if getattr(table, key, None) is not None
    )


def _step(place: str, route: Route, step: Step) -> Iterator[Remark]:
    music = step.dial_music
    yield from _prompts(
        place, confirm_prompt=step.confirm_prompt, dial_music=music if isinstance(music, tuple) else None
    )
    for key, url in (("confirm_sound", step.confirm_sound), ("dial_music", music)):
        if isinstance(url, str):
            yield from ((place, sentence) for sentence in _url(key, url))
    if step.order != "together" and len(step.ring) > route.max_rounds:
        yield place, f"{len(step.ring)} targets ring in turn, and max_rounds ends the call after {route.max_rounds}"
    for target in step.ring:
        if target.number == DIALLED and not (target.caller_id or step.caller_id or route.caller_id):
            yield place, "dialled shows the SIP address of the caller, which carriers may refuse; write caller_id"
    yield from ((place, f"{sentence}; try it before you rely on it") for sentence in uncertain_keys(step))


def _prompts(place: str, **prompts: Phrases | None) -> Iterator[Remark]:
    for key, prompt in prompts.items():
        for phrase in prompt or ():
            yield from ((f"{place}.{key}", sentence) for sentence in _phrase(phrase))


def _phrase(phrase: Phrase) -> Iterator[str]:
    if phrase.play is not None:
        yield from _url("play", phrase.play)
    if phrase.language in DOUBTFUL_FOR_WOMAN and phrase.voice != MAN and not is_polly(phrase.voice):
        yield f'one of Plivo\'s lists has {phrase.language} for MAN alone; write voice = "MAN" or a Polly voice'


def _url(key: str, url: str) -> Iterator[str]:
    if url.casefold().startswith("http:"):
        yield f"{key} is {url!r}, which Plivo fetches unencrypted; write https"
