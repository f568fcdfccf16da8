"""What all elements share: an element checks its fields, and builds the plivo SDK's element from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from plivo import plivoxml

from app.voice.xml_values import Check


def optional(check: Check) -> Any:
    """Declare an optional attribute."""
    return field(default=None, metadata={"check": check})


def required(check: Check) -> Any:
    """Declare a required body or attribute."""
    return field(metadata={"check": check})


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _written(value: Any) -> Any:
    """Turn tuples into Plivo's comma lists: `k=v,k2=v2` or `1,2`; the SDK writes everything else."""
    if isinstance(value, tuple):
        return ",".join(item if isinstance(item, str) else "=".join(item) for item in value) or None
    return value


class _MoreAttributes(plivoxml.PlivoXMLElement):  # type: ignore[misc]  # The SDK carries no types.
    """An SDK element that also writes attributes its own class lacks."""

    more: dict[str, str]

    def to_dict(self) -> dict[str, str]:
        return {**super().to_dict(), **self.more}


class DialElement(_MoreAttributes, plivoxml.DialElement):  # type: ignore[misc]
    """The SDK's Dial, with more attributes."""


class NumberElement(_MoreAttributes, plivoxml.NumberElement):  # type: ignore[misc]
    """The SDK's Number, with more attributes."""


class UserElement(_MoreAttributes, plivoxml.UserElement):  # type: ignore[misc]
    """The SDK's User, with more attributes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    """One element of a document. Its fields are checked when it is made; those that are None are not written.

    `beyond_sdk` names the attributes that the Python SDK lacks; `beyond_reference` maps those that Plivo's XML
    reference lacks to the source that has them.
    """

    sdk: ClassVar[Any]
    body: ClassVar[str | None] = None
    nested: ClassVar[str | None] = None
    markup: ClassVar[str | None] = None
    beyond_sdk: ClassVar[frozenset[str]] = frozenset()
    beyond_reference: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        for spec in fields(self):
            if spec.default is not None or getattr(self, spec.name) is not None:
                label = f"{type(self).__name__} {_camel_case(spec.name)}"
                object.__setattr__(self, spec.name, spec.metadata["check"](label, getattr(self, spec.name)))
        self.check_together()

    def check_together(self) -> None:
        """Raise `XmlError` where fields contradict or need each other."""

    def to_sdk(self) -> Any:
        """Return the SDK's element, its nested ones included."""
        given = {
            spec.name: value
            for spec in fields(self)
            if spec.name not in (self.body, self.nested, self.markup)
            and (value := _written(getattr(self, spec.name))) is not None
        }
        content = () if self.body is None else (getattr(self, self.body),)
        known = {name: value for name, value in given.items() if name not in self.beyond_sdk}
        element = self.sdk(*content, **known)
        if self.beyond_sdk:
            more = {name: given[name] for name in given if name in self.beyond_sdk}
            element.more = {_camel_case(name): plivoxml.map_type(value) for name, value in more.items()}
        for child in () if self.nested is None else getattr(self, self.nested):
            element.add(child.to_sdk())
        return element
