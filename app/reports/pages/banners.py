"""What the dashboard says when something is off, and what to do about it."""

from dataclasses import dataclass

from app.records.reading.anomalies import MOST_COUNTED, Anomalies
from config import Config, SignatureMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """One warning. `kind` is Bootstrap's word for its colour."""

    kind: str
    title: str
    said: str


def find_banners(config: Config, signs: Anomalies, *, waiting: int) -> list[Banner]:
    """Find what is off, the worst first. `waiting` is how many receipts the spool holds."""
    banners = []
    if waiting:
        banners.append(
            Banner(
                kind="danger",
                title="1 report waits on disk" if waiting == 1 else f"{waiting:,} reports wait on disk",
                said="The database did not take what is kept there in time. It is brought in as soon as the database "
                "answers; the figures lack it until then. Look after the database.",
            )
        )
    if signs.unreported:
        none = "The last dial was not" if signs.unreported == 1 else f"None of the last {signs.unreported} dials was"
        banners.append(
            Banner(
                kind="danger",
                title="Calls come in, but no reports",
                said=f"{none} reported. Plivo must be able to reach this server "
                "under PUBLIC_URL: check it with flask doctor, and look for errors in Plivo's debug logs.",
            )
        )
    if signs.open_too_long:
        many = f"{signs.open_too_long}{' or more' if signs.open_too_long == MOST_COUNTED else ''}"
        dials = "dial" if signs.open_too_long == 1 else "dials"
        banners.append(
            Banner(
                kind="warning",
                title=f"{many} {dials} never ended",
                said="No dial may last that long, so the last report was lost on its way. "
                "Set the hangup URL of the number in Plivo to /dialstatus/hangup/; flask plivo reconcile fills gaps.",
            )
        )
    if config.verify_signatures is not SignatureMode.ENFORCE:
        banners.append(
            Banner(
                kind="warning",
                title="Signatures are not enforced",
                said="Anybody who knows the address can send made-up reports. "
                "Set PLIVO_AUTH_TOKEN, and VERIFY_SIGNATURES to enforce.",
            )
        )
    return banners
