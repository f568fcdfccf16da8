"""What the address of the list of calls asks for: a range of days, filters, an order, a time zone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import lru_cache
from urllib.parse import quote_plus
from zoneinfo import ZoneInfo

from app.records.reading.call_filters import CallFilters
from app.reports.pages.formatting import CALL_OUTCOMES, FOLLOWUPS
from app.reports.pages.ranges import COMPARISONS, WEEKDAYS, DateRange, hours_of_week, read_range
from app.voice.numbers import normalise

SORTS = {"newest": "Newest first", "waited": "Longest wait first", "talked": "Longest talk first"}
DIRECTIONS = {"inbound": "Incoming", "outbound": "Outgoing"}
HAS_MESSAGE = {"true": "With a message", "false": "Without a message"}
# The filters and how each is named on the page.
FILTERS = {
    "outcome": "Outcome",
    "from": "From",
    "to": "Called number",
    "route": "Route",
    "target": "Rang",
    "reason": "Reason",
    "cause": "Plivo's cause",
    "status": "Plivo's status",
    "direction": "Direction",
    "has_message": "Message",
    "followup": "Follow-up",
    "weekday": "Weekday",
    "hour": "Hour",
    "q": "Search",
}
_OTHERS = ("sort", "compare", "tz")
_RANGE = ("range", "first", "last")
_OLD_NAMES = {"number": "to"}  # Before calls had more than one number to filter by.
_HOURS = tuple(map(str, range(24)))
_ALLOWED: dict[str, tuple[str, ...]] = {
    "direction": tuple(DIRECTIONS),
    "has_message": tuple(HAS_MESSAGE),
    "followup": tuple(FOLLOWUPS),
    "weekday": WEEKDAYS,
    "hour": _HOURS,
    "sort": tuple(SORTS),
    "compare": tuple(COMPARISONS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardQuery:
    """The parameters of an address. `shown` holds the filters and choices as entered; `problems` what was refused."""

    range: DateRange
    filters: CallFilters
    shown: Mapping[str, str]
    problems: Mapping[str, str]

    @property
    def is_search(self) -> bool:
        """Return whether a search was entered, which ignores the range: the day of a call is seldom known."""
        return self.filters.search is not None

    @property
    def is_filtered(self) -> bool:
        """Return whether any filter is set."""
        return any(name in FILTERS for name in self.shown)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Return the outcomes to filter by; empty for all."""
        return self.filters.outcomes

    def without(self, name: str) -> CallFilters:
        """Return the filters but one, to count what each of its values would find."""
        field = {"outcome": "outcomes", "to": "to_number"}.get(name, name)
        return replace(self.filters, **{field: () if field == "outcomes" else None})  # type: ignore[arg-type]

    def parameters(self, **changes: object) -> dict[str, str]:
        """Return the parameters of this page with some changed; an empty value removes one.

        A Python keyword takes a trailing underscore.
        """
        found = {"range": self.range.name, **self.shown}
        if self.range.name == "dates":
            found.update(first=self.range.first.isoformat(), last=self.range.last.isoformat())
        found.update({name.rstrip("_"): str(value) for name, value in changes.items()})
        if found["range"] != "dates":
            found.pop("first", None)
            found.pop("last", None)
        return {name: value for name, value in found.items() if value}

    def address(self, **changes: object) -> str:
        """Return the query string of this page with some parameters changed, as `parameters` does."""
        return "?" + "&".join(f"{name}={_quoted(value)}" for name, value in self.parameters(**changes).items())

    @property
    def kept(self) -> str:
        """Return the query string that other pages carry along; empty where nothing was chosen."""
        return "" if self.parameters() == {"range": "today"} else self.address()


def read_dashboard_query(given: Mapping[str, str], *, zone: tzinfo, now: int) -> DashboardQuery:
    """Return the query of an address. What cannot be read counts as absent and is named in `problems`."""
    problems = {
        name: "there is no such filter"
        for name in given
        if name not in {*FILTERS, *_OTHERS, *_RANGE, *_OLD_NAMES, "cursor"}
    }
    entered = {_OLD_NAMES.get(name, name): _clean(text) for name, text in given.items()}
    shown = {name: entered[name] for name in (*FILTERS, *_OTHERS) if entered.get(name)}
    for name, refuse in _CHECKS.items():
        if name in shown and (reason := refuse(shown[name])):
            problems[name] = f"{reason}; got “{shown.pop(name)}”"
    days, wrong = read_range(
        entered.get("range") or "today",
        entered.get("first", ""),
        entered.get("last", ""),
        compare=shown.get("compare", "before"),
        zone=zone,
        now=now,
    )
    problems.update(wrong)
    return DashboardQuery(range=days, filters=_filters(days, shown, zone), shown=shown, problems=problems)


def read_zone(name: str | None) -> ZoneInfo | None:
    """Return the time zone of this name; None without one and for a name that no zone has."""
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError.
        return None
    except KeyError:
        return None


def _filters(days: DateRange, shown: Mapping[str, str], zone: tzinfo) -> CallFilters:
    weekday, hour = shown.get("weekday"), shown.get("hour")
    has_message = shown.get("has_message")
    filters = CallFilters(
        since=days.since,
        until=None if days.is_current else days.until,
        spans=hours_of_week(days, weekday, int(hour) if hour else None, zone) if weekday or hour else None,
        outcomes=tuple(dict.fromkeys(shown["outcome"].split(","))) if "outcome" in shown else (),
        from_number=normalise(shown.get("from")),
        to_number=normalise(shown.get("to")),
        route=shown.get("route"),
        target=normalise(shown.get("target")),
        reason=shown.get("reason"),
        cause=shown.get("cause"),
        status=shown.get("status"),
        direction=shown.get("direction"),
        has_message=has_message == "true" if has_message else None,
        followup=shown.get("followup"),
        search=normalise(shown.get("q")),
    )
    return replace(filters, since=None, until=None) if filters.search is not None else filters


@lru_cache(maxsize=4096)  # A page has hundreds of links, which differ in one parameter or two.
def _quoted(value: str) -> str:
    return quote_plus(value)


def _refuse_outcome(text: str) -> str:
    words = text.split(",")
    return "" if set(words) <= set(CALL_OUTCOMES) else f"use {', '.join(CALL_OUTCOMES)}, several with commas"


def _refuse_zone(text: str) -> str:
    return "" if read_zone(text) else "use a time zone such as Europe/Berlin"


def _refuse_others(name: str) -> Callable[[str], str]:
    allowed = _ALLOWED[name]
    words = "0 to 23" if name == "hour" else ", ".join(allowed)
    return lambda text: "" if text in allowed else f"use {words}"


_CHECKS: dict[str, Callable[[str], str]] = {
    "outcome": _refuse_outcome,
    "tz": _refuse_zone,
    **{name: _refuse_others(name) for name in _ALLOWED},
}


def _clean(text: str) -> str:
    return "".join(character for character in text.strip() if character.isprintable())[:255]
