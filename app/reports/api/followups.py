"""Follow-ups in the API: who must be called back, how soon people are, and what is done about each."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from flask import Response, current_app, request
from pydantic import Field
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, NotFound, Unauthorized

from app.context import bearer_of, services, viewer
from app.records.model.state import FollowupState
from app.records.reading.followups import (
    FollowupFilters,
    Happening,
    ListedFollowup,
    find_followup,
    find_followups,
    history_of,
    read_figures,
)
from app.records.reading.read_session import read_session
from app.records.writing.followups import ANONYMOUS, Action
from app.records.writing.mark_followup import LONGEST_NOTE
from app.reports.api.models import RecordingView, Time, View
from app.reports.api.queries import LARGEST_PAGE, NoQuery, Text, make_cursor, read_cursor, read_query
from app.reports.api.views import recording_view, to_datetime


class FollowupEventData(View):
    """A caller who reached nobody, from their first call until they were reached or marked done."""

    followup_id: str = Field(description="The id that `take` and `done` need.")
    caller: str = Field(description="The number to call back; `anonymous` for a hidden caller with a message.")
    caller_name: str | None
    route: str | None
    state: Literal["open", "reached", "done"] = Field(
        description="`open`, `reached` by an answered call, or `done`: marked by somebody."
    )
    opened_at: Time
    last_call_at: Time
    calls: int = Field(description="How often the caller reached nobody.")
    first_call_uuid: str
    last_call_uuid: str
    closed_at: Time | None
    closed_by: str | None = Field(description="Who marked it done.")
    closing_call_uuid: str | None = Field(description="The call that reached the caller.")
    taken_by: str | None


class FollowupView(FollowupEventData):
    """The same, with what people noted and what the caller heard last."""

    last_outcome: str | None = Field(description="How the last of these calls ended.")
    messages: list[RecordingView] = Field(description="The newest messages that the caller left.")
    taken_at: Time | None
    note: str | None


class HappeningView(View):
    """Something that happened to a follow-up."""

    at: Time
    what: str = Field(description="A call's outcome, `reached`, or an action: `take`, `done`, `reopen`, `note`.")
    who: str | None
    note: str | None
    call_uuid: str | None


class WholeFollowupView(View):
    """A follow-up and its history."""

    followup: FollowupView
    history: list[HappeningView]


class FollowupFiguresView(View):
    """How many callers wait, and how soon those of the last 30 days were reached."""

    open: int
    reached: int
    median_seconds: int | None
    p90_seconds: int | None
    within_hour: float | None = Field(description="Share reached so soon, from 0 to 1, without those marked done.")
    within_day: float | None


class FollowupsView(View):
    """A page of follow-ups, the longest waiting first, and the figures."""

    followups: list[FollowupView]
    figures: FollowupFiguresView
    next_cursor: str | None


class FollowupsQuery(NoQuery):
    """The parameters of a list of follow-ups."""

    state: Literal["open", "reached", "done"] | None = Field(None, description="Open ones begin with the oldest.")
    route: Text | None = Field(None, description="The route of the dial plan.")
    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = Field(50, description="Follow-ups per page, at most.")
    cursor: str | None = Field(None, pattern="^[A-Za-z0-9_-]{11}$", description="`next_cursor` of the previous page.")


class FollowupNoteView(NoQuery):
    """What a change of a follow-up may carry."""

    note: Annotated[str, Field(max_length=LONGEST_NOTE)] | None = Field(
        None, description="Replaces the note; empty removes it."
    )


def followups() -> Response:
    """Return a page of follow-ups and the figures."""
    query = read_query(FollowupsQuery, request.args)
    filters = FollowupFilters(state=query.state, route=query.route, scope=viewer().scope)
    with read_session(services().store) as connection:
        found, following = find_followups(connection, filters, limit=query.limit, beyond=read_cursor(query.cursor))
        figures = read_figures(connection, filters)
    return _json(followups_view(found, figures, following))


def followup(followup_id: int) -> Response:
    """Return one follow-up with its history."""
    read_query(NoQuery, request.args)
    with read_session(services().store) as connection:
        found = find_followup(connection, followup_id)
        history = history_of(connection, found.followup) if found else []
    if found is None or not viewer().scope.sees_route(found.followup.route):
        raise NotFound("No follow-up has this id.")
    return _json(whole_followup_view(found, history))


def change_followup(followup_id: int, action: str) -> Response:
    """Take a follow-up, mark it done, open it again, or note something; return it. Needs the token."""
    if bearer_of(request) is None:
        raise Unauthorized("Send the header Authorization: Bearer and a token that may work.")
    given: Any = request.get_json(silent=True) if request.is_json and request.get_data() else request.form
    if not isinstance(given, dict):
        raise BadRequest("Send a JSON object.")
    query = read_query(FollowupNoteView, MultiDict(given))
    shared = services()
    with read_session(shared.store) as connection:
        known = find_followup(connection, followup_id)
    if known is None or not viewer().scope.sees_route(known.followup.route):
        raise NotFound("No follow-up has this id.")
    changed = shared.mark_followup(followup_id, Action(action), actor=viewer().name, note=query.note)
    if changed is None:
        raise NotFound("No follow-up has this id.")
    with read_session(shared.store) as connection:
        found = find_followup(connection, changed.followup_key)
    if found is None:
        raise NotFound("This follow-up has just been erased.")
    return _json(followup_view(found))


def followups_view(found: list[ListedFollowup], figures: object, following: int | None) -> FollowupsView:
    """Return a page of follow-ups as the API shows it."""
    return FollowupsView(
        followups=[followup_view(one) for one in found],
        figures=FollowupFiguresView.model_validate(figures, from_attributes=True),
        next_cursor=make_cursor(following),
    )


def followup_view(found: ListedFollowup) -> FollowupView:
    """Return a follow-up as the API shows it."""
    one: FollowupState = found.followup
    fields: dict[str, Any] = {name: to_datetime(getattr(one, name)) for name in ("opened_at", "taken_at", "closed_at")}
    same = ("caller_name", "route", "state", "first_call_uuid", "last_call_uuid", "taken_by", "note", "closed_by")
    fields |= {name: getattr(one, name) for name in (*same, "closing_call_uuid")}
    return FollowupView(
        **fields,
        followup_id=str(one.followup_key),
        caller=caller_shown(one),
        last_call_at=datetime.fromtimestamp(one.last_at / 1000, UTC),
        calls=one.call_count,
        last_outcome=found.last_call.outcome if found.last_call else None,
        messages=[recording_view(message.recording) for message in found.messages],
    )


def whole_followup_view(found: ListedFollowup, history: list[Happening]) -> WholeFollowupView:
    """Return a follow-up with its history as the API shows it."""
    happened = [HappeningView(**one._replace(at=to_datetime(one.at))._asdict()) for one in history]  # type: ignore[arg-type]
    return WholeFollowupView(followup=followup_view(found), history=happened)


def caller_shown(followup: FollowupState) -> str:
    """Return the caller's number, or `anonymous`."""
    return ANONYMOUS.rstrip(":") if followup.caller.startswith(ANONYMOUS) else followup.caller


def _json(view: View) -> Response:
    return current_app.response_class(view.model_dump_json(), mimetype="application/json")
