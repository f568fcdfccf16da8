"""Requests as they were seen on the wire in public code, with numbers, accounts and ids made up."""

from urllib.parse import parse_qsl

_STANDARD = "ParentAuthID=MAXXXXXXXXXXXXXXXXXX&STIRAttestation=Not+Applicable&STIRVerification=Not+Applicable"

RING = (
    "CallStatus=ringing&CallUUID=38cb006a-1&CallerName=&Direction=outbound&Event=Ring&From=%2B919812345678"
    "&ParentAuthID=MAXXXXXXXXXXXXXXXXXX&RequestUUID=38cb006a-1&SessionStart=2024-10-25+14%3A13%3A35.846244"
    "&To=919887654321"
)
START = (
    "ALegRequestUUID=38cb006a-1&ALegUUID=38cb006a-1&BillRate=0.005&CallStatus=in-progress&CallUUID=38cb006a-1"
    "&CountryCode=IN&Direction=outbound&Event=StartApp&From=919812345678&RequestUUID=38cb006a-1"
    f"&RouteType=Domestic_Anchored&{_STANDARD}&SessionStart=2024-10-25+14%3A13%3A37.779297&To=919887654321"
)
HANGUP_ANSWERED = (
    "ALegRequestUUID=64d3290a-3&ALegUUID=64d3290a-3&AnswerTime=2024-09-26+14%3A05%3A18&BillDuration=120"
    "&BillRate=0.005&CallStatus=completed&CallUUID=64d3290a-3&Direction=outbound&Duration=66"
    "&EndTime=2024-09-26+14%3A06%3A23&Event=Hangup&From=919812345678&HangupCause=NORMAL_CLEARING"
    "&HangupCauseCode=4000&HangupCauseName=Normal+Hangup&HangupSource=Callee&RequestUUID=64d3290a-3"
    f"&{_STANDARD}&SessionStart=2024-09-26+08%3A35%3A10.910772&StartTime=2024-09-26+14%3A05%3A08"
    "&To=919887654321&TotalCost=0.01000"
)
HANGUP_BUSY = (
    "AnswerTime=&BillDuration=0&BillRate=0.005&CallStatus=busy&CallUUID=672b0b3f-4&Direction=outbound&Duration=0"
    "&EndTime=2024-10-22+16%3A41%3A21&Event=Hangup&From=%2B919812345678&HangupCause=USER_BUSY"
    "&HangupCauseCode=3010&HangupCauseName=Busy+Line&HangupSource=Carrier&RequestUUID=672b0b3f-4"
    f"&{_STANDARD}&SessionStart=2024-10-22+11%3A10%3A48.129660&StartTime=2024-10-22+16%3A40%3A48"
    "&To=919887654321&TotalCost=0.00000"
)
HANGUP_END_OF_XML = (
    "BillDuration=60&CallStatus=completed&CallUUID=64d3290a-5&Duration=8&HangupCause=NORMAL_CLEARING"
    "&HangupCauseCode=4010&HangupCauseName=End+Of+XML+Instructions&HangupSource=Plivo&TotalCost=0.00500"
)
HANGUP_INBOUND_2016 = (
    "TotalCost=0.00500&Direction=inbound&BillDuration=60&CallerName=14155550100&HangupCause=NORMAL_CLEARING"
    "&BillRate=0.00500&AnswerTime=2016-03-01+10%3A00%3A02&StartTime=2016-03-01+10%3A00%3A00"
    "&EndTime=2016-03-01+10%3A00%3A30&Duration=28&CallStatus=completed&Event=Hangup&From=14155550100"
    "&To=14155550199&CallUUID=a-7"
)
HANGUP_SIP_2016 = (
    "Direction=inbound&Duration=5&CallStatus=completed&Event=Hangup&From=sip%3Aalice@phone.plivo.com"
    "&To=sip%3Abob@phone.plivo.com&SIP-H-To=%3Csip%3Abob@phone.plivo.com%3E%3Btag%3D1&CallUUID=a-9"
    "&HangupCause=NORMAL_CLEARING"
)
ANSWER_INDIA_2026 = (
    "BillRate=0&CallStatus=ringing&CallUUID=a-6&ComplianceApplicationId=1&ComplianceStatus=accepted&CountryCode=IN"
    "&Direction=inbound&Event=StartApp&From=919812345678&RouteType=Domestic_Anchored&To=919887654321"
)
ANSWER_2012 = (
    "Direction=inbound&From=14155550100&CallerName=14155550100&BillRate=0.00500&To=14155550199&CallUUID=a-10"
    "&Event=StartApp"
)
ANSWER_SIP_2015 = (
    "Direction=outbound&From=1111111111&ALegUUID=5260e820-958c-11e4-b6bf-498d468c930b&BillRate=0.00300"
    "&To=sip%3Aabcd150105094929%40phone.plivo.com&X-PH-Test=Sample&CallUUID=5260e820-958c-11e4-b6bf-498d468c930b"
    "&ALegRequestUUID=2202d0ab-a890-4199-8582-e7a2615cb23b&RequestUUID=2202d0ab-a890-4199-8582-e7a2615cb23b"
    "&SIP-H-To=%3Csip%3Aabcd150105094929%40phone.plivo.com%3E%3Btag%3D6U9J4.uVHI7KyEKSgD8vrPnAKQoR2QXc"
    "&CallStatus=in-progress&Event=StartApp"
)
CALLBACK_ANSWER_2016 = (
    "DialBLegUUID=b-8&DialBLegBillRate=0.01781&DialAction=answer&Event=DialAnswer&DialBLegFrom=%2B447700900123"
    "&DialALegUUID=a-8&DialBLegPosition=1&CallUUID=a-8&DialBLegStatus=answer&DialBLegTo=447700900456"
)
CALLBACK_HANGUP = (
    "DialAction=hangup&Event=DialHangup&DialALegUUID=a-8&DialBLegUUID=b-8&CallUUID=a-8&DialBLegStatus=hangup"
    "&DialBLegTo=447700900456&DialBLegDuration=11&DialBLegBillDuration=60&DialBLegTotalCost=0.01781"
    "&DialBLegHangupCause=NORMAL_CLEARING&DialBLegHangupCauseCode=4000&DialBLegHangupCauseName=Normal+Hangup"
    "&DialBLegHangupSource=Callee"
)
CALLBACK_LOST_RACE = (
    "DialAction=hangup&DialALegUUID=a-8&DialBLegUUID=b-9&CallUUID=a-8&DialBLegHangupCause=LOSE_RACE"
    "&DialBLegHangupCauseCode=9000&DialBLegHangupCauseName=Lost+Race&DialBLegHangupSource=Plivo"
)
CALLBACK_DIGITS = (
    "DialDigitsMatch=55&DialAction=digits&Event=DialDigitsMatch&DialALegUUID=a-8&DialBLegUUID=b-8"
    "&DialDigitsPressedBy=BLeg"
)
ACTION_COMPLETED = (
    "Event=DialAction&DialStatus=completed&DialRingStatus=true&DialHangupCause=NORMAL_CLEARING"
    "&DialALegUUID=52bb0058-902d-11e4-9681-2d7d49a323a0&DialBLegUUID=54f84290-902d-11e4-96df-2d7d49a323a0"
)
ACTION_NO_ANSWER = (
    "CallStatus=in-progress&CallUUID=A&CallerName=&DialALegUUID=A&DialBLegUUID=&DialHangupCause=NO_ANSWER"
    "&DialRingStatus=true&DialStatus=no-answer&Direction=inbound&From=14155550100&To=14155550199"
)
RECORD_ACTION = (
    "CallUUID=a-15&RecordUrl=https%3A%2F%2Fmedia.plivo.com%2Fa.mp3&RecordingID=daddbf04-9585-11e4-a4c8-782bcb5bb8af"
    "&RecordingDuration=-1&RecordingDurationMs=-1&Digits=%23"
)
RECORD_API = (
    "record_url=https%3A%2F%2Fmedia.plivo.com%2Fb.mp3&recording_duration=22"
    "&recording_id=693e61fd-8150-4091-a0f8-561d4a434288"
)
MACHINE = "From=2222222222&To=1111111111&Machine=true&CallUUID=45704ba2-959f&Event=MachineDetection"


def fields(body: str) -> dict[str, str]:
    """Decode a body as the server does."""
    return dict(parse_qsl(body, keep_blank_values=True))
