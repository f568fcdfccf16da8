"""One thing that must be true, and what was found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`ok` is None where it could not be looked at. `advice` says what to do, where something is to be done."""

    name: str
    ok: bool | None
    said: str
    advice: str = ""

    def __str__(self) -> str:
        """Give one line for people."""
        mark = {True: "✓", False: "✗", None: "–"}[self.ok]
        return f"{mark} {self.name}: {self.said}" + (f"\n    {self.advice}" if self.advice else "")


def passed(name: str, said: str) -> Check:
    """Say that it is as it must be."""
    return Check(name=name, ok=True, said=said)


def failed(name: str, said: str, advice: str = "") -> Check:
    """Say that it is not, and what to do."""
    return Check(name=name, ok=False, said=said, advice=advice)


def skipped(name: str, said: str) -> Check:
    """Say why it was not looked at."""
    return Check(name=name, ok=None, said=said)
