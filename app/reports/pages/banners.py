"""The dashboard's warnings: what is wrong and what to do about it."""

from dataclasses import dataclass

from app.records.reading.anomalies import MOST_COUNTED, Anomalies
from app.voice.times import offset_text
from config import Config, SignatureMode


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


def find_banners(config: Config, anomalies: Anomalies, *, spooled: int) -> list[Banner]:
    """Return the warnings, the worst first. `spooled` is the number of receipts that wait on the spool."""
    banners = []
    if spooled:
        banners.append(_spool_banner(spooled))
    if anomalies.unreported:
        banners.append(_unreported_banner(anomalies.unreported))
    if anomalies.open_too_long:
        banners.append(_open_banner(anomalies.open_too_long))
    if anomalies.derived_offset is not None:
        banners.append(_time_zone_banner(anomalies.derived_offset, str(config.plivo_timezone)))
    # SIMULATED_TIME is refused unless this machine alone reaches the server.
    if config.verify_signatures is not SignatureMode.ENFORCE and not config.simulated_time:
        banners.append(_UNSIGNED)
    return banners


def _spool_banner(spooled: int) -> Banner:
    return Banner(
        kind="danger",
        title="1 report waits on disk" if spooled == 1 else f"{spooled:,} reports wait on disk",
        text="The database did not take them in time. They are stored as soon as it answers; until then the figures "
        "lack them. Check the database.",
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
