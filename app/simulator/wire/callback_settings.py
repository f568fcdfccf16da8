"""The settings that Plivo reads from a URL's fragment: time limits and retries."""

from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urldefrag


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackSettings:
    """How long Plivo waits for a URL and when it asks again; times in seconds.

    `retried` holds `ct`, `rt`, `4xx`, `5xx`. Source of names, ranges and defaults: Plivo, "Callback
    configurations".
    """

    connect_timeout: float = 2.0
    read_timeout: float = 40.0
    total_time: float = 55.0
    retries: int = 1
    retried: frozenset[str] = frozenset({"ct", "rt"})

    def stretched(self, patience: float) -> "CallbackSettings":
        """Return the same settings with every time limit multiplied."""
        return replace(
            self,
            connect_timeout=self.connect_timeout * patience,
            read_timeout=self.read_timeout * patience,
            total_time=self.total_time * patience,
        )


_KINDS = frozenset({"ct", "rt", "4xx", "5xx"})


def split_url(url: str) -> tuple[str, CallbackSettings, tuple[str, ...]]:
    """Return a URL without its fragment, the settings in the fragment, and a remark on each wrong one.

    A value that cannot be read or is out of its range leaves the default (assumed: Plivo does not say).
    """
    bare, fragment = urldefrag(url)
    given = dict(parse_qsl(fragment, keep_blank_values=True))
    remarks = [f"#{name} is not a callback setting" for name in given if name not in {*_LIMITS, "rp", "er"}]
    read: dict[str, float] = {}
    for name, (least, most, standard) in _LIMITS.items():
        value = given.get(name, str(standard))
        in_range = value.isascii() and value.isdigit() and least <= int(value) <= most
        read[name] = int(value) if in_range else standard
        if not in_range:
            remarks.append(f"#{name}={value} is not a whole number from {least} to {most}")
    retried, unknown = _read_retried(given.get("rp", "ct,rt"))
    remarks += [f"#rp={word} is none of ct, rt, 4xx, 5xx, all" for word in unknown]
    settings = CallbackSettings(
        connect_timeout=read["ct"] / 1000,
        read_timeout=read["rt"] / 1000,
        total_time=read["tt"] / 1000,
        retries=int(read["rc"]),
        retried=retried,
    )
    return bare, settings, tuple(remarks)


def _read_retried(value: str) -> tuple[frozenset[str], list[str]]:
    words = [word.strip() for word in value.split(",")]
    unknown = [word for word in words if word not in {*_KINDS, "all"}]
    return (_KINDS if "all" in words else frozenset(words) & _KINDS), unknown


_LIMITS = {"ct": (100, 10000, 2000), "rt": (100, 40000, 40000), "tt": (100, 55000, 55000), "rc": (0, 5, 1)}
