"""How what Plivo really sends differs from the reference. Nothing that identifies a person or an account is kept.

Of a value only its form is counted; a word only where it stands for one of a closed list of Plivo's and looks like it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from app.voice.events import Kind
from app.voice.expected import ANYWHERE, CUSTOM_HEADERS, FORMS, PARAMETERS, Form

_MOST_ENTRIES = 500  # Of one kind of deviation, or of orders; so that memory is bounded whatever is received.
_LONGEST_ORDER = 16
_NAME = re.compile(r"[A-Za-z][A-Za-z_-]{0,39}", re.ASCII)
# A status, a cause in capitals, an event: words without digits. An auth id has 20 capitals or digits, so it is none.
_WORD = re.compile(
    r"[a-z]{1,20}([-_][a-z]{1,20}){0,3}|[A-Z]{1,19}(_[A-Z]{1,19}){0,5}|([A-Z][a-z]{1,19}){1,4}", re.ASCII
)
_CODE = re.compile(r"[0-9]{1,5}", re.ASCII)
_NAME_OF_CODE = re.compile(r"[A-Z][a-z]{0,19}( [A-Za-z()]{1,16}){0,6}", re.ASCII)
_TITLES = frozenset({"HangupCauseName", "DialBLegHangupCauseName", "hangup_cause_name", "HangupSource"})
_OTHERS = "others"


class Category(StrEnum):
    """In which way a parameter differs."""

    UNKNOWN_NAME = "parameters that the reference does not know"
    OTHER_URL = "parameters that the reference knows at other URLs only"
    NO_TEXT = "words and codes without a text"
    OTHER_FORM = "values of an unexpected form"


class Deviation(NamedTuple):
    """One difference: at which kind of URL, of which parameter, and the value as far as it may be shown."""

    category: Category
    kind: str
    parameter: str
    value: str


class Drift:
    """Counts the differences of many calls in bounded memory."""

    def __init__(self) -> None:
        self.calls = 0
        self.kinds: Counter[str] = Counter()
        self.deviations: Counter[Deviation] = Counter()
        self.orders: Counter[tuple[str, ...]] = Counter()

    def add_call(self, receipts: Iterable[tuple[Kind, Mapping[str, str]]]) -> None:
        """Count one call: the kind and the parameters of each of its receipts, in the order received."""
        order: list[str] = []
        for kind, params in receipts:
            self.kinds[kind.value] += 1
            if kind in PARAMETERS:
                for name, value in params.items():
                    self._add_parameter(kind, name, value)
            step = _step(kind, params)
            if kind is not Kind.CDR and order[-1:] != [step] and len(order) <= _LONGEST_ORDER:
                order.append(step)
        if order:
            self.calls += 1
            self._count_order(order)

    def _add_parameter(self, kind: Kind, name: str, value: str) -> None:
        if name.startswith(CUSTOM_HEADERS) and name not in ANYWHERE:
            return
        form = PARAMETERS[kind].get(name) or ANYWHERE.get(name)
        if form is None:
            self._count(Deviation(Category.UNKNOWN_NAME, kind.value, _shown_name(name), _form_of(value)))
            return
        if name not in PARAMETERS[kind]:
            self._count(Deviation(Category.OTHER_URL, kind.value, name, _form_of(value)))
        if value and not form.accepts(value):
            category = Category.NO_TEXT if form.is_closed else Category.OTHER_FORM
            self._count(Deviation(category, kind.value, name, _shown_value(name, value, form)))

    def _count(self, deviation: Deviation) -> None:
        if deviation not in self.deviations and len(self.deviations) >= _MOST_ENTRIES:
            deviation = Deviation(deviation.category, _OTHERS, _OTHERS, _OTHERS)
        self.deviations[deviation] += 1

    def _count_order(self, order: list[str]) -> None:
        key = (*order[:_LONGEST_ORDER], "…") if len(order) > _LONGEST_ORDER else tuple(order)
        if key not in self.orders and len(self.orders) >= _MOST_ENTRIES:
            key = (_OTHERS,)
        self.orders[key] += 1


def _step(kind: Kind, params: Mapping[str, str]) -> str:
    """Return what an order is made of: the kind, and of a callback what happened to the leg."""
    action = params.get("DialAction") or params.get("DialBLegStatus") or ""
    is_known = kind is Kind.CALLBACK and ANYWHERE["DialAction"].accepts(action)
    return f"{kind.value} ({action})" if is_known else kind.value


def _shown_name(name: str) -> str:
    return name if _NAME.fullmatch(name) else "(a name of another form)"


def _shown_value(name: str, value: str, form: Form) -> str:
    """Return a word or code as it came if it looks like Plivo's, else its form."""
    if not form.is_closed:
        return f"{_form_of(value)}, not a {form.name}"
    pattern = _CODE if "Code" in name or "_code" in name else _NAME_OF_CODE if name in _TITLES else _WORD
    return value if pattern.fullmatch(value) else _form_of(value)


def _form_of(value: str) -> str:
    if not value:
        return "empty"
    if re.fullmatch(r"\+?[0-9]{7,20}", value, re.ASCII):
        return "long number"
    return next((form.name for form in FORMS if form.accepts(value)), "text").replace(
        "documented word", "true or false"
    )
