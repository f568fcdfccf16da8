"""Turn decisions into Plivo's XML."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from app.plan.endings import BUILT_IN_ENDINGS, Announcement, Announcements, Ending, Hangup, Redirect, Voicemail
from app.plan.model import Plan, Step, Target
from app.plan.next import Decision, End, Ring, Why
from app.plan.prompts import Phrase, Phrases
from app.plan.values import DIALLED
from app.voice import xml
from app.voice.xml_values import is_sound

_SPOKEN_KEYS = {"*": "star", "#": "hash"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Urls:
    """The absolute URLs Plivo is given, with their query and retry fragment; `method` is for all of them.

    `sounds_url` is what the name of an audio file is appended to.
    Plivo fetches `confirm_url` and `music_url` by POST whatever the method (Dial XML reference: confirmSound).
    """

    action_url: str
    callback_url: str
    confirm_url: str
    music_url: str
    recording_url: str
    voicemail_url: str
    sounds_url: str = ""
    method: str = "POST"


def document(decision: Decision, urls: Urls) -> str:
    """Return the document of a decision; a loaded plan never makes this raise."""
    return xml.render(*elements(decision, urls))


def elements(decision: Decision, urls: Urls) -> tuple[xml.Element, ...]:
    """Return the elements of a decision's document; none when there is nothing to say."""
    if isinstance(decision, Ring):
        return _ring(decision, urls)
    if isinstance(decision, End):
        return _ending(decision.ending, urls)
    return ()


def confirm_document(step: Step | None, sounds_url: str = "") -> str:
    """Return what a callee hears before talking; without a step (a newer plan) or prompt, a plain sentence."""
    if step is not None and step.confirm_prompt is not None:
        return xml.render_prompt(*_prompt(step.confirm_prompt, sounds_url))
    key = step.confirm_key if step is not None else None
    asked = f" Press {_SPOKEN_KEYS.get(key, key)} to take it." if key is not None else ""
    return xml.render_prompt(xml.Speak(text=f"You have a call.{asked}"))


def music_document(step: Step | None, sounds_url: str = "") -> str:
    """Return what the caller hears while a step rings; nothing without a step (a newer plan) or prompt."""
    music = step.dial_music if step is not None else None
    return xml.render_prompt(*_prompt(music, sounds_url)) if isinstance(music, tuple) else xml.EMPTY


def voicemail_taken_document(ending: Ending, sounds_url: str = "") -> str:
    """Return what the caller gets once the message is recorded: the thanks if there are any, and the end."""
    thanks = ending.thanks if isinstance(ending, Voicemail) else None
    return xml.render(*_prompt(thanks or (), sounds_url), xml.Hangup())


def samples(plan: Plan) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield every table that makes documents, with a function that writes them with long URLs."""
    long = "https://example.com/" + "a" * 2000
    urls = Urls(
        action_url=long,
        callback_url=long,
        confirm_url=long,
        music_url=long,
        recording_url=long,
        voicemail_url=long,
        sounds_url=f"{long}/",
    )
    for name, ending in {**BUILT_IN_ENDINGS, **plan.endings}.items():
        end = End(name=name, ending=ending, why=Why.NO_STEP_LEFT)
        yield f"endings.{name}", partial(document, end, urls)
        yield f"endings.{name}", partial(voicemail_taken_document, ending, urls.sounds_url)
    for route in plan.routes.values():
        for step in route.steps.values():
            ring = Ring(
                route=route,
                step=step,
                targets=tuple(_with_number(target) for target in step.ring),
                round=1,
                timeout=step.timeout,
                greeting=route.greeting,
            )
            yield f"routes.{route.name}.steps.{step.name}", partial(document, ring, urls)
            yield f"routes.{route.name}.steps.{step.name}", partial(confirm_document, step, urls.sounds_url)
            yield f"routes.{route.name}.steps.{step.name}", partial(music_document, step, urls.sounds_url)


def _with_number(target: Target) -> Target:
    """Return the target with the longest number in place of `dialled`, or of who is on call."""
    return target.at(f"+{'9' * 15}") if target.number == DIALLED or target.rota is not None else target


def _prompt(prompt: Phrases, sounds_url: str) -> tuple[xml.Speak | xml.Play | xml.Wait, ...]:
    return tuple(_phrase(phrase, sounds_url) for phrase in prompt)


def _phrase(phrase: Phrase, sounds_url: str) -> xml.Speak | xml.Play | xml.Wait:
    if phrase.pause is not None:
        return xml.Wait(length=phrase.pause)
    if phrase.play is not None:
        play = sounds_url + phrase.play if is_sound(phrase.play) else phrase.play
        return xml.Play(url=play, loop=phrase.times)
    return xml.Speak(text=phrase.say, ssml=phrase.ssml, voice=phrase.voice, language=phrase.language, loop=phrase.times)


def _ring(ring: Ring, urls: Urls) -> tuple[xml.Element, ...]:
    greeting = _prompt(ring.greeting or (), urls.sounds_url)
    before: list[xml.Element] = [*greeting]
    if greeting and ring.route.pre_answer:
        before = [xml.PreAnswer(prompts=greeting)]
    if ring.step.record:
        before.append(_recording(ring.step, urls))
    return (*before, _dial(ring, urls))


def _recording(step: Step, urls: Urls) -> xml.Record:
    """Record the conversation: Dial itself has no such attribute (Plivo, Record XML reference)."""
    return xml.Record(
        start_on_dial_answer=True,
        redirect=False,
        max_length=step.time_limit,
        file_format=step.record_format,
        record_channel_type=step.record_channels,
        callback_url=urls.recording_url,
        callback_method=urls.method,
    )


def _dial(ring: Ring, urls: Urls) -> xml.Dial:
    step = ring.step
    asks = step.confirm_key is not None or step.confirm_prompt is not None
    return xml.Dial(
        targets=tuple(_target(target) for target in ring.targets),
        action=urls.action_url,
        method=urls.method,
        redirect=True,
        callback_url=urls.callback_url,
        callback_method=urls.method,
        timeout=ring.timeout,
        time_limit=step.time_limit,
        caller_id=step.caller_id or ring.route.caller_id,
        caller_name=step.caller_name or ring.route.caller_name,
        confirm_sound=step.confirm_sound or (urls.confirm_url if asks else None),
        confirm_key=step.confirm_key,
        confirm_timeout=step.confirm_timeout,
        dial_music=urls.music_url if isinstance(step.dial_music, tuple) else step.dial_music,
        hangup_on_star=step.hangup_on_star,
        digits_match=step.digits_match,
        digits_match_b_leg=step.digits_match_b_leg,
        sip_headers=step.sip_headers,
        call_type=step.call_type,
        machine_detection=step.machine_detection,
    )


def _target(target: Target) -> xml.Number | xml.User:
    if target.number is not None:
        return xml.Number(
            number=target.number,
            send_digits=target.send_digits,
            send_digits_mode=target.send_digits_mode,
            send_on_preanswer=target.send_on_preanswer,
            sip_headers=target.sip_headers,
            caller_id=target.caller_id,
            caller_name=target.caller_name,
        )
    return xml.User(
        address=target.user or "",
        send_digits=target.send_digits,
        send_on_preanswer=target.send_on_preanswer,
        sip_headers=target.sip_headers,
        sip_auth_username=target.sip_auth_username,
        sip_auth_password=target.sip_auth_password,
        caller_id=target.caller_id,
        caller_name=target.caller_name,
    )


def _ending(ending: Ending, urls: Urls) -> tuple[xml.Element, ...]:
    match ending:
        case Announcement():
            return (_phrase(ending, urls.sounds_url), xml.Hangup())
        case Announcements():
            return (*_prompt(ending.prompt, urls.sounds_url), xml.Hangup())
        case Hangup():
            return (xml.Hangup(reason=None if ending.hangup == "normal" else ending.hangup),)
        case Redirect():
            return (xml.Redirect(url=ending.redirect, method=ending.method),)
        case Voicemail():
            return (*_prompt(ending.voicemail, urls.sounds_url), _message(ending, urls))


def _message(ending: Voicemail, urls: Urls) -> xml.Record:
    return xml.Record(
        action=urls.voicemail_url,
        method=urls.method,
        redirect=True,
        callback_url=urls.recording_url,
        callback_method=urls.method,
        file_format=ending.format,
        timeout=ending.silence,
        max_length=ending.max_length,
        play_beep=ending.beep,
        finish_on_key=ending.finish_on_key,
        transcription_type="auto" if ending.transcription else None,
        transcription_url=urls.recording_url if ending.transcription else None,
        transcription_method=urls.method if ending.transcription else None,
    )
