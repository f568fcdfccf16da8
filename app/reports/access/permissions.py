"""Which endpoints a viewer may open. What is not listed here is for admins, so a new page is closed until it is."""

from flask import g, request

from app.context import Viewer
from app.records.writing.access_tokens import Role

# Open to everybody, so that they can become a viewer or learn how.
OPEN = frozenset(
    {"reports.login", "reports.logout", "reports.static", "reports.open_share", "api.openapi", "recordings.play"}
)

# What shows one call, with the files that belong to it; each checks that the call is within the viewer's bounds.
OF_ONE_CALL = frozenset({"reports.call", "reports.theme"})
# What shows calls; each applies the viewer's bounds.
OF_CALLS = OF_ONE_CALL | {
    "reports.dashboard",
    "reports.calls_csv",
    "reports.docs",
    "reports.show_glossary",
}
# For the owners of tokens alone.
READ = OF_CALLS | {
    "followup.followups",
    "followup.messages",
    "api.call",
    "api.calls",
    "api.calls_csv",
    "api.calls_jsonl",
    "api.dial",
    "api.dials",
    "api.dials_csv",
    "api.dials_jsonl",
    "api.followup",
    "api.followups",
    "api.summary",
}
WORK = frozenset({"followup.change_followup", "followup.change_message", "api.change_followup"})


def may_open(viewer: Viewer, endpoint: str | None) -> bool:
    """Return whether a viewer may open an endpoint at all; the view bounds what it shows."""
    if viewer.may(Role.ADMIN) and viewer.scope.is_everything:
        return True
    if viewer.is_guest:
        return endpoint in (OF_ONE_CALL if viewer.scope.call_uuid is not None else OF_CALLS)
    return endpoint in READ or (viewer.may(Role.WORK) and endpoint in WORK)


def admit(viewer: Viewer) -> bool:
    """Note who looks, for the views, and return whether they may open what they asked for."""
    g.viewer = viewer
    return may_open(viewer, request.endpoint)
