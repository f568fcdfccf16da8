"""What Plivo says when it cannot go on with a call: a code, a name, and here also why and what to change."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Asked(StrEnum):
    """Which kind of URL was asked for XML; Plivo numbers its verdicts by it."""

    ANSWER = "answer"
    ACTION = "action"
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One thing that was wrong with a reply or a URL, as Plivo would judge it.

    `byte` is the offset in the reply (or, for a URL, in the document that named it); None where no byte is
    to blame. `excused` says that the simulator broke the wire itself. Code 0 is Plivo's "Unknown": Plivo
    documents no code for this case.
    """

    code: int
    name: str
    reason: str
    advice: str
    url: str
    byte: int | None = None
    excused: bool = False

    def as_dict(self) -> dict[str, object]:
        """Return the fields for JSON."""
        return asdict(self)


# Plivo, "Hangup causes": the last digit names the URL, the hundreds name the fault.
_LAST_DIGIT = {Asked.ANSWER: 1, Asked.ACTION: 2, Asked.REDIRECT: 4}


# Who runs the simulator against a server of his own seldom thinks of this first.
_IF_REFUSED = "if the server checks signatures, give its PLIVO_AUTH_TOKEN as --token; else "


def advise(status: int | None, advice: str) -> str:
    """Return the advice for a reply of this status; None where no reply came."""
    return _IF_REFUSED + advice if status in {401, 403} else advice


def unreachable(asked: Asked, url: str, reason: str, *, status: int | None = None, excused: bool = False) -> Verdict:
    """Return 7011, 7012 or 7014: no reply, or one whose status is not 2xx."""
    return Verdict(
        code=7010 + _LAST_DIGIT[asked],
        name=f"Error Reaching {asked.title()} URL",
        reason=reason,
        advice=advise(status, "answer every request here with status 200 and a Plivo XML document, within two seconds"),
        url=url,
        excused=excused,
    )


def invalid_url(asked: Asked, url: str, byte: int | None) -> Verdict:
    """Return 7021, 7022 or 7024: the URL is not an absolute http or https URL."""
    return Verdict(
        code=7020 + _LAST_DIGIT[asked],
        name=f"Invalid {asked.title()} URL",
        reason=f"{url!r} is not an absolute URL",
        advice="write the whole URL, beginning with http:// or https://",
        url=url,
        byte=byte,
    )


def invalid_method(asked: Asked, url: str, method: str, byte: int | None) -> Verdict:
    """Return 7031, 7032 or 7034: the method is neither GET nor POST."""
    return Verdict(
        code=7030 + _LAST_DIGIT[asked],
        name=f"Invalid Method For {asked.title()} URL",
        reason=f"the method is {method!r}",
        advice="write GET or POST, in capitals",
        url=url,
        byte=byte,
    )


def invalid_xml(asked: Asked, url: str, reason: str, advice: str, byte: int | None) -> Verdict:
    """Return 8011, 8012 or 8014: the reply is not a document that Plivo can carry out."""
    return Verdict(
        code=8010 + _LAST_DIGIT[asked],
        name=f"Invalid {asked.title()} XML",
        reason=reason,
        advice=advice,
        url=url,
        byte=byte,
    )


def undocumented(url: str, reason: str, advice: str, *, byte: int | None = None, excused: bool = False) -> Verdict:
    """Return code 0 for a fault that costs the call nothing, or for which Plivo names no code."""
    return Verdict(code=0, name="Unknown", reason=reason, advice=advice, url=url, byte=byte, excused=excused)
