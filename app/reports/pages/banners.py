"""The dashboard's warnings: what is wrong and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from app.context import services
from app.plan.snapshot import FeedState
from app.records.model.ids import now
from app.records.reading.anomalies import MOST_COUNTED, Anomalies, find_anomalies
from app.voice.numbers import mask
from app.voice.times import offset_text
from config import Config, SignatureMode

_MOST_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """One warning. `kind` is Bootstrap's name for its colour: danger or warning."""

    kind: str
    title: str
    text: str


_UNSIGNED = Banner(
    kind="warning",
    title="Signatures are not enforced",
    text="Anybody who knows the address can send made-up reports. "
    "Set PLIVO_AUTH_TOKEN, and VERIFY_SIGNATURES to enforce.",
)


def current_banners(connection: Connection) -> list[Banner]:
    """Return the warnings of this server now, the worst first."""
    config, live = services().config, services().live
    return find_banners(
        config,
        find_anomalies(connection, now=now(), longest=config.dial_time_limit, zone=config.plivo_timezone),
        spooled=services().spool.size(),
        down=sorted(live.health),
        out=sorted(live.out),
        feeds=live.feeds,
    )


def find_banners(
    config: Config,
    anomalies: Anomalies,
    *,
    spooled: int,
    down: Sequence[str] = (),
    out: Sequence[str] = (),
    feeds: Sequence[FeedState] = (),
) -> list[Banner]:
    """Return the warnings, the worst first. `spooled` is the number of receipts that wait on the spool.

    `down` are the dead phones, `out` the targets taken out by hand; at most the last digits of a number are shown.
    """
    banners = []
    if spooled:
        banners.append(_spool_banner(spooled))
    if anomalies.unreported:
        banners.append(_unreported_banner(anomalies.unreported))
    if anomalies.open_too_long:
        banners.append(_open_banner(anomalies.open_too_long))
    if anomalies.derived_offset is not None:
        banners.append(_time_zone_banner(anomalies.derived_offset, str(config.plivo_timezone)))
    if down:
        banners.append(_down_banner(down))
    if out:
        banners.append(_out_banner(out))
    banners += [_feed_banner(feed) for feed in feeds if feed.is_stale]
    # SIMULATED_TIME is refused unless this machine alone reaches the server.
    if config.verify_signatures is not SignatureMode.ENFORCE and not config.simulated_time:
        banners.append(_UNSIGNED)
    return banners


def _down_banner(down: Sequence[str]) -> Banner:
    return Banner(
        kind="warning",
        title="1 phone is dead" if len(down) == 1 else f"{len(down)} phones are dead",
        text=f"Calls to {_listed(down)} failed several times in a row, so the plan rings them last or not at all. "
        "Check whether they are switched on and registered; flask plan targets says since when.",
    )


def _out_banner(out: Sequence[str]) -> Banner:
    return Banner(
        kind="warning",
        title="1 phone is taken out" if len(out) == 1 else f"{len(out)} phones are taken out",
        text=f"{_listed(out)} {'does' if len(out) == 1 else 'do'} not ring. Put a phone back in under Phones above.",
    )


def _listed(targets: Sequence[str]) -> str:
    shown = [mask(target) or "" for target in targets[:_MOST_LISTED]]
    more = len(targets) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _spool_banner(spooled: int) -> Banner:
    return Banner(
        kind="danger",
        title="1 report waits on disk" if spooled == 1 else f"{spooled:,} reports wait on disk",
        text="The database did not take them in time. They are stored as soon as it answers; until then the figures "
        "lack them. Check the database.",
    )


def _feed_banner(feed: FeedState) -> Banner:
    return Banner(
        kind="warning",
        title="A calendar of the plan cannot be read",
        text=f"{feed}. The last good copy stays in use. Check the address in the plan, and run flask plan status.",
    )


def _unreported_banner(unreported: int) -> Banner:
    first = "The last dial was not reported" if unreported == 1 else f"The last {unreported} dials were not reported"
    return Banner(
        kind="danger",
        title="Calls arrive, but no reports",
        text=f"{first}. Plivo must be able to reach this server under PUBLIC_URL: run flask doctor, and look for "
        "errors in Plivo's debug logs.",
    )


def _time_zone_banner(derived_offset: int, configured: str) -> Banner:
    return Banner(
        kind="warning",
        title="PLIVO_TIMEZONE is not the time zone of the account",
        text=f"It says {configured}, but the times in Plivo's hangup notices are at UTC{offset_text(derived_offset)}, "
        "and that is how they are read. Set PLIVO_TIMEZONE to the time zone of the account in Plivo's console.",
    )


def _open_banner(open_too_long: int) -> Banner:
    many = f"{open_too_long}{' or more' if open_too_long == MOST_COUNTED else ''}"
    return Banner(
        kind="warning",
        title=f"{many} {'dial' if open_too_long == 1 else 'dials'} never ended",
        text="No dial may last that long, so its last report was lost. Set the number's hangup URL in Plivo to "
        "/dialstatus/hangup/, and run flask plivo reconcile to fill the gaps.",
    )
