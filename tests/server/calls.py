"""The parameters Plivo sends, as its documentation and samples have them."""

import uuid


def inbound(call_uuid: str, **more: str) -> dict[str, str]:
    """Return the standard parameters of an inbound call."""
    return {
        "CallStatus": "ringing",
        "CallUUID": call_uuid,
        "CallerName": "",
        "Direction": "inbound",
        "From": "14155550100",
        "To": "14155550199",
        **more,
    }


def dial_report(call_uuid: str, status: str = "no-answer", b_leg_uuid: str = "", **more: str) -> dict[str, str]:
    """Return the parameters of a Dial's action request."""
    return inbound(
        call_uuid,
        DialALegUUID=call_uuid,
        DialBLegUUID=b_leg_uuid,
        DialHangupCause="NORMAL_CLEARING" if status == "completed" else "NO_ANSWER",
        DialRingStatus="true",
        DialStatus=status,
        **more,
    )


def new_uuid() -> str:
    """Make a UUID as Plivo writes them."""
    return str(uuid.uuid4())
