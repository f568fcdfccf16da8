"""What must hold between the keys of a plan, checked on the raw tables so that every mistake shows at once."""

from collections import Counter
from collections.abc import Iterator
from itertools import product

from app.plan.circles import circles
from app.plan.endings import BUILT_IN_ENDINGS
from app.plan.hours import WEEKDAYS
from app.plan.prompt_rules import phrase_mistakes, prompt_mistakes
from app.plan.raw import Mistake, Raw, addresses, list_in, table_in, tables_in
from app.plan.values import ANY_NUMBER, DIALLED, OUTCOME_WORDS, QUIET_OUTCOMES, VIP
from app.voice.xml_values import MIN_RECORDED_SECONDS

_ANNOUNCED = ("say", "ssml", "play")


def mistakes(tables: Raw) -> Iterator[Mistake]:
    """Yield the mistakes between several keys; the models report those of one key."""
    endings = set(BUILT_IN_ENDINGS) | set(table_in(tables, "endings"))
    yield from _called_twice(tables)
    if "contacts" not in tables:
        for name, route in tables_in(tables, "routes"):
            if VIP in _callers(route):
                yield (
                    f"routes.{name}",
                    'callers is "vip", and there is no address book; write contacts = "contacts.csv" at the top',
                )
    yield from circles(tables)
    for name, ending in tables_in(tables, "endings"):
        yield from _ending(f"endings.{name}", ending)
    for name, route in tables_in(tables, "routes"):
        place = f"routes.{name}"
        yield from _route(place, route)
        yield from _names(place, route, endings)
        yield from _unreachable(place, route)
        for step_name, step in tables_in(route, "steps"):
            yield from _step(f"{place}.steps.{step_name}", step)


def _called_twice(tables: Raw) -> Iterator[Mistake]:
    serves: dict[tuple[str, ...], str] = {}
    for name, route in tables_in(tables, "routes"):
        called = route.get("called", [ANY_NUMBER])
        numbers = [*addresses(called), *([ANY_NUMBER] if isinstance(called, list) and ANY_NUMBER in called else [])]
        # A route for some callers may serve what another serves for the rest.
        conditions = [_callers(route) or [None], list_in(route, "stir") or [None]]
        for number, caller, stir in product(numbers, *conditions):
            other = serves.setdefault((number, str(caller), str(stir)), name)
            if other != name:
                yield f"routes.{name}", f"called has {number}, which route {other} serves; remove one of them"


def _callers(route: Raw) -> list[object]:
    return [VIP] if route.get("callers") == VIP else list_in(route, "callers")


def _ending(place: str, ending: Raw) -> Iterator[Mistake]:
    if ending.keys() & set(_ANNOUNCED):
        yield from ((place, sentence) for sentence in phrase_mistakes(ending, contents=_ANNOUNCED))
    yield from prompt_mistakes(f"{place}.prompt", ending.get("prompt"))
    yield from prompt_mistakes(
        f"{place}.voicemail", ending.get("voicemail"), endless="nothing would be recorded; write 1 to 100"
    )
    yield from prompt_mistakes(f"{place}.thanks", ending.get("thanks"))


def _route(place: str, route: Raw) -> Iterator[Mistake]:
    yield from prompt_mistakes(
        f"{place}.greeting", route.get("greeting"), endless="nobody would ever ring; write 1 to 100"
    )
    yield from _dialling(place, route)
    if route.get("pre_answer") is True and "greeting" not in route:
        yield place, "pre_answer is for a greeting; write one, or remove pre_answer"
    if isinstance(blocked := route.get("blocked"), dict) and not blocked.keys() & {"callers", "stir"}:
        yield f"{place}.blocked", "there are neither callers nor stir; write one of them"
    if not route.get("steps") and "ending" not in route:
        yield place, "there are neither steps nor an ending; write one of them"
    hours = route.get("hours")
    if isinstance(hours, dict) and not any(hours.get(key) for key in (*WEEKDAYS, "open", "calendar")):
        yield (
            f"{place}.hours",
            'no day has hours, so it would never be open; write one such as monday = ["09:00-17:00"], or remove hours',
        )


def _dialling(place: str, route: Raw) -> Iterator[Mistake]:
    """Yield what would let anybody but listed SIP endpoints, or to other prefixes, dial out at the owner's cost."""
    dialling = [name for name, step in tables_in(route, "steps") if DIALLED in addresses(step.get("ring"))]
    for name in dialling:
        if not route.keys() >= {"callers", "may_dial"} or VIP in _callers(route):
            yield (
                f"{place}.steps.{name}",
                "ring has dialled, which needs callers and may_dial in its route; "
                "write which SIP endpoints of yours may dial which prefixes",
            )
    if "may_dial" in route and not dialling:
        yield place, 'may_dial is for a step with ring = ["dialled"]; write one, or remove may_dial'


def _names(place: str, route: Raw, endings: set[str]) -> Iterator[Mistake]:
    """Yield every name that leads neither to a step of this route nor to an ending."""
    steps = set(table_in(route, "steps"))
    for name in sorted(steps & endings):
        yield f"{place}.steps.{name}", f"an ending is called {name} too; rename one of them"
    wanted = [
        (place, "ending", route.get("ending"), endings),
        (f"{place}.blocked", "ending", table_in(route, "blocked").get("ending"), endings),
        (f"{place}.hours", "otherwise", table_in(route, "hours").get("otherwise"), endings | steps),
    ]
    for name, step in tables_in(route, "steps"):
        leads = table_in(step, "after").items()
        wanted += [(f"{place}.steps.{name}.after", key, value, endings | steps) for key, value in leads]
    for where, key, value, known in wanted:
        if isinstance(value, str) and value not in known:
            yield where, f"{key} is {value!r}, which does not exist; write one of {', '.join(sorted(known))}"


def _unreachable(place: str, route: Raw) -> Iterator[Mistake]:
    """Yield every step that no outcome of a step before leads to."""
    steps = list(table_in(route, "steps"))
    waiting = [*steps[:1], table_in(route, "hours").get("otherwise")]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if isinstance(name, str) and name in steps and name not in reached:
            reached.add(name)
            following = steps[steps.index(name) + 1 : steps.index(name) + 2]
            waiting += _leads(table_in(table_in(route, "steps"), name), following)
    for name in steps:
        if name not in reached:
            yield f"{place}.steps.{name}", "no step leads here; name it in the after of another, or remove it"


def _leads(step: Raw, following: list[str]) -> Iterator[object]:
    after = table_in(step, "after")
    for outcome in OUTCOME_WORDS:
        if outcome in after:
            yield after[outcome]
        elif outcome not in QUIET_OUTCOMES:
            yield from following


def _step(place: str, step: Raw) -> Iterator[Mistake]:
    never = None if "confirm_key" in step else "the call would never be connected; write 1 to 100, or a confirm_key"
    yield from prompt_mistakes(f"{place}.confirm_prompt", step.get("confirm_prompt"), endless=never)
    yield from prompt_mistakes(f"{place}.dial_music", step.get("dial_music"))
    if "confirm_prompt" in step and "confirm_sound" in step:
        yield place, "confirm_prompt and confirm_sound exclude each other; write one of them"
    if "confirm_timeout" in step and not step.keys() & {"confirm_key", "confirm_prompt", "confirm_sound"}:
        yield place, "confirm_timeout waits for a key that is not asked for; write confirm_key too"
    for key in ("record_format", "record_channels"):
        if key in step and step.get("record") is not True:
            yield place, f"{key} needs a recording; write record = true"
    if step.get("record") is True and step.get("time_limit") in range(1, MIN_RECORDED_SECONDS):
        yield place, f"time_limit is 1, and a recording lasts at least {MIN_RECORDED_SECONDS} seconds; write more"
    yield from _ring(place, step)


def _ring(place: str, step: Raw) -> Iterator[Mistake]:
    in_turn = step.get("order", "together") != "together"
    if not in_turn and any("timeout" in target for target in list_in(step, "ring") if isinstance(target, dict)):
        yield place, 'timeout of a target needs an order in which each rings alone; write order = "in_turn"'
    for address, count in Counter(addresses(step.get("ring"))).items():
        if count > 1:
            yield place, f"ring has {address} {count} times; write it once"
    for index, target in enumerate(list_in(step, "ring"), start=1):
        if isinstance(target, dict):
            yield from ((place, f"ring entry {index}: {sentence}") for sentence in _target(target))


def _target(target: Raw) -> Iterator[str]:
    if len(target.keys() & {"number", "user", "rota"}) != 1:
        yield "there is not exactly one of number, user and rota; write one of them"
    elif "rota" not in target and target.keys() & {"otherwise", "time_zone"}:
        yield "otherwise and time_zone are for a rota; remove them"
    elif "rota" in target and target.keys() - {"rota", "otherwise", "time_zone", "timeout"}:
        yield "a rota takes otherwise, time_zone and timeout alone; remove the other keys"
    elif "user" in target and "send_digits_mode" in target:
        yield "send_digits_mode is for a number; remove it"
    elif "number" in target and target.keys() & {"sip_auth_username", "sip_auth_password"}:
        yield "sip_auth_username and sip_auth_password are for a SIP user; remove them"
    if ("sip_auth_username" in target) != ("sip_auth_password" in target):
        yield "sip_auth_username and sip_auth_password need each other; write both"
