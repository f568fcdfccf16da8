"""What Plivo reports when it cannot go on with a call: its code and name, the reason, and what to change."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class XmlSource(StrEnum):
    """Which URL was asked for XML; the last digit of Plivo's code names it."""

    ANSWER = "answer"
    ACTION = "action"
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlivoVerdict:
    """One fault in a reply or a URL.

    `code` is 0, Plivo's "Unknown", where Plivo documents no code. `byte` is the offset in the reply or, for a
    URL, in the document that named it. `excused` marks a fault that the simulator caused itself.
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
_LAST_DIGIT = {XmlSource.ANSWER: 1, XmlSource.ACTION: 2, XmlSource.REDIRECT: 4}
_TOKEN_ADVICE = "if the server checks signatures, set PLIVO_AUTH_TOKEN to its token; else "  # noqa: S105


def advice_for(status: int | None, advice: str) -> str:
    """Return the advice for a reply of this status: 401 and 403 usually mean a missing signature."""
    return _TOKEN_ADVICE + advice if status in {401, 403} else advice


def unreachable(
    source: XmlSource, url: str, reason: str, *, status: int | None = None, excused: bool = False
) -> PlivoVerdict:
    """Return 7011, 7012 or 7014: no reply, or one whose status is not 2xx."""
    advice = "answer every request here with status 200 and a Plivo XML document, within two seconds"
    return PlivoVerdict(
        code=7010 + _LAST_DIGIT[source],
        name=f"Error Reaching {source.title()} URL",
        reason=reason,
        advice=advice_for(status, advice),
        url=url,
        excused=excused,
    )


def invalid_url(source: XmlSource, url: str, byte: int | None) -> PlivoVerdict:
    """Return 7021, 7022 or 7024: the URL is not an absolute http or https URL."""
    return PlivoVerdict(
        code=7020 + _LAST_DIGIT[source],
        name=f"Invalid {source.title()} URL",
        reason=f"{url!r} is not an absolute URL",
        advice="write the whole URL, beginning with http:// or https://",
        url=url,
        byte=byte,
    )


def invalid_method(source: XmlSource, url: str, method: str, byte: int | None) -> PlivoVerdict:
    """Return 7031, 7032 or 7034: the method is neither GET nor POST."""
    return PlivoVerdict(
        code=7030 + _LAST_DIGIT[source],
        name=f"Invalid Method For {source.title()} URL",
        reason=f"the method is {method!r}",
        advice="write GET or POST, in capitals",
        url=url,
        byte=byte,
    )


def invalid_xml(source: XmlSource, url: str, reason: str, advice: str, byte: int | None) -> PlivoVerdict:
    """Return 8011, 8012 or 8014: the reply is not a document that Plivo can carry out."""
    return PlivoVerdict(
        code=8010 + _LAST_DIGIT[source],
        name=f"Invalid {source.title()} XML",
        reason=reason,
        advice=advice,
        url=url,
        byte=byte,
    )


def without_code(url: str, reason: str, advice: str, *, byte: int | None = None, excused: bool = False) -> PlivoVerdict:
    """Return a fault that does not end the call, or for which Plivo documents no code."""
    return PlivoVerdict(code=0, name="Unknown", reason=reason, advice=advice, url=url, byte=byte, excused=excused)
