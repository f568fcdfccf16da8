"""The events that we post to others, for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel, Field

from app.reports.api.followups import FollowupEventData
from app.reports.api.models import CallView, DialView, Time, View
from settings.notify import EVENT_TYPES

_REF = "#/components/schemas/{model}"


class EventView(View):
    """Something that happened, posted as a Standard Webhook."""

    type: str
    timestamp: Time = Field(description="When it happened.")
    subject: str = Field(description="The id of what it is about: the UUID of a call, the id of a dial or a follow-up.")
    revision: int = Field(description="Of two events of one subject and type, the one with the higher revision holds.")


class CallEventView(EventView):
    """The end of a call, a correction of it, or the message of its caller."""

    data: CallView


class DialEventView(EventView):
    """The end of a dial, or a correction of it."""

    data: DialView


class FollowupEventView(EventView):
    """A caller must be called back, or no longer."""

    data: FollowupEventData


class TargetEventData(View):
    """A watched phone."""

    target: str
    failures: int = Field(description="Failures in a row since it was last reached, ten at most.")
    down_since: Time | None = Field(description="Null once it can be reached again.")


class TargetEventView(EventView):
    """A phone cannot be reached, or can be again."""

    data: TargetEventData


class QuietEventData(View):
    """How silent Plivo is."""

    unreported_dials: int = Field(description="The newest dials, fifty at most, when no report came for any of them.")


class QuietEventView(EventView):
    """Calls are answered, but no reports come."""

    data: QuietEventData


MODELS: dict[str, type[EventView]] = {
    **dict.fromkeys(("call.ended", "call.corrected", "message.left"), CallEventView),
    "dial.ended": DialEventView,
    **dict.fromkeys(("followup.opened", "followup.closed"), FollowupEventView),
    **dict.fromkeys(("target.down", "target.up"), TargetEventView),
    "webhooks.quiet": QuietEventView,
}
EVENTS: list[type[BaseModel]] = list(dict.fromkeys(MODELS.values()))
_SUMMARIES = {
    "call.ended": "A call is over",
    "call.corrected": "A later report changed the outcome of a call",
    "dial.ended": "A dial ended",
    "message.left": "A caller who reached nobody has left a message",
    "followup.opened": "A caller must be called back",
    "followup.closed": "A caller has been reached, or somebody marked the follow-up done",
    "target.down": "A phone cannot be reached",
    "target.up": "A phone can be reached again",
    "webhooks.quiet": "Calls are answered, but Plivo sends no reports",
}


def webhooks() -> dict[str, Any]:
    """Return the `webhooks` of the document: one request for each type of event."""
    return {type_: _webhook(type_, MODELS[type_]) for type_ in EVENT_TYPES}


def _webhook(type_: str, model: type[EventView]) -> dict[str, Any]:
    schema = {
        "allOf": [{"$ref": _REF.format(model=model.__name__)}, {"properties": {"type": {"const": type_}}}],
    }
    headers = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {
        "post": {
            "operationId": type_.replace(".", "_"),
            "summary": _SUMMARIES[type_],
            "parameters": [
                {"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in headers
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": {"2XX": {"description": "The event was accepted; anything else sends it again."}},
        }
    }
