"""Print the result of a simulation: a trace of each call, a table of many calls, or JSON."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from urllib.parse import urldefrag, urlsplit

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from app.simulator.ground_truth import CallTruth, RequestKind, SentRequest
from app.simulator.verify import Difference
from app.simulator.xml.parser import DocumentError, XmlElement, read_document
from app.simulator.xml.verdicts import PlivoVerdict

_MOST_SHOWN = 20
_WIDTH_OF_COLUMNS = 130  # On a narrower terminal the parameters go below their request.
_SHOWN_PARAMS = {
    RequestKind.ANSWER: ("From", "To", "CallStatus"),
    RequestKind.ACTION: ("DialStatus", "DialRingStatus", "DialHangupCause", "DialBLegUUID"),
    RequestKind.CALLBACK: ("Event", "DialBLegTo", "DialBLegDuration", "DialBLegHangupCauseCode", "DialDigitsMatch"),
    RequestKind.RING: ("From", "To", "CallStatus"),
    RequestKind.HANGUP: ("CallStatus", "Duration", "HangupCause", "HangupCauseCode", "HangupSource"),
    RequestKind.RECORDING: ("RecordingID", "RecordingDuration"),
    RequestKind.RECORD: ("RecordingID", "RecordingDuration", "Digits"),
    RequestKind.PHLO: ("DialStatus", "DialRingStatus", "DialHangupCause", "DialBLegUUID"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationResult:
    """A whole run: its calls, the differences (None without --verify), and how long it took in seconds."""

    seed: int
    calls: Sequence[CallTruth]
    differences: Sequence[Difference] | None
    seconds: float

    @property
    def is_right(self) -> bool:
        """Return whether the server made no mistake that the faults do not excuse."""
        return not self.differences and all(call.is_right for call in self.calls)

    def outcomes(self) -> Counter[str]:
        """Return how many dials ended in each outcome."""
        return Counter(min(dial.outcomes) for call in self.calls for dial in call.dials)


def print_trace(console: Console, call: CallTruth) -> None:
    """Print one call: its requests with their replies, and what was wrong."""
    console.print(f"[bold]{escape(call.scenario)}[/bold]  {call.from_number} → {call.to_number}")
    console.print(f"[dim]call {call.call_uuid}[/dim]")
    console.print(_columns(call) if console.width >= _WIDTH_OF_COLUMNS else _lines(call))
    if call.end is not None:
        lasted = f"{call.seconds} s after being answered" if call.answered_at else "never answered"
        console.print(f"  ended: {call.end.code} {call.end.name} ({call.end.source}), {lasted}")
    _print_verdicts(console, call.verdicts)
    _print_remarks(console, call.remarks)
    console.print()


def _columns(call: CallTruth) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=3)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold", ratio=3)
    for request in call.requests:
        table.add_row(*_row(request))
    return table


def _lines(call: CallTruth) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for request in call.requests:
        at, target, params, status, reply = _row(request)
        table.add_row(at, f"{target}  {status}  {reply}".rstrip())
        if params:
            table.add_row("", f"[dim]{params}[/dim]")
    return table


def print_summary(console: Console, result: SimulationResult, *, with_faults: bool) -> None:
    """Print a table of scenarios, what was wrong (unless the traces show it), and how to repeat the run."""
    table = Table(Column("scenario", overflow="fold"), "calls", "how the dials ended", "how the calls ended", "wrong")
    for scenario in sorted({call.scenario for call in result.calls}):
        calls = [call for call in result.calls if call.scenario == scenario]
        table.add_row(
            escape(scenario),
            str(len(calls)),
            _counted(min(dial.outcomes) for call in calls for dial in call.dials),
            _counted(f"{call.end.code} {call.end.name}" for call in calls if call.end),
            str(sum(not call.is_right for call in calls) or "–"),
        )
    console.print(table)
    if with_faults:
        _print_verdicts(console, [verdict for call in result.calls for verdict in call.verdicts])
        _print_remarks(console, [remark for call in result.calls for remark in call.remarks])
    if result.differences is not None:
        print_differences(console, result.differences, len(result.calls))
    requests = sum(len(call.requests) for call in result.calls)
    console.print(
        f"{len(result.calls)} call{'s' * (len(result.calls) != 1)}, {requests} requests in {result.seconds:.1f} s. "
        f"Repeat them with --seed {result.seed}."
    )


def print_differences(console: Console, differences: Sequence[Difference], calls: int) -> None:
    """Print every difference between the server's records and what happened."""
    if not differences:
        which = "the call" if calls == 1 else f"all {calls} calls"
        console.print(f"[green]verified:[/green] the records of {which} are right")
        return
    table = Table("call", "scenario", "where", "field", "happened", "recorded", title="differences")
    for one in differences[:_MOST_SHOWN]:
        table.add_row(*(escape(text) for text in one.as_dict().values()))
    console.print(table)
    console.print(f"[red]{len(differences)} differences[/red] in {len({d.call_uuid for d in differences})} calls")


def as_json(result: SimulationResult, *, with_trace: bool) -> str:
    """Return the whole result as JSON."""
    return json.dumps(
        {
            "seed": result.seed,
            "right": result.is_right,
            "seconds": round(result.seconds, 3),
            "calls": [_call_as_dict(call, with_trace=with_trace) for call in result.calls],
            "outcomes": dict(result.outcomes()),
            "differences": None if result.differences is None else [one.as_dict() for one in result.differences],
        },
        ensure_ascii=False,
    )


def _call_as_dict(call: CallTruth, *, with_trace: bool) -> dict[str, object]:
    dials = [
        {
            "dial_status": dial.status,
            "dial_ring_status": dial.rang,
            "dial_hangup_cause": dial.cause,
            "b_leg_uuid": dial.b_leg_uuid or None,
            "outcome": min(dial.outcomes),
            "talk_seconds": dial.winner.seconds if dial.winner else 0,
        }
        for dial in call.dials
    ]
    shown: dict[str, object] = {
        "call_uuid": call.call_uuid,
        "scenario": call.scenario,
        "right": call.is_right,
        "begun_at": call.begun_at.isoformat(),
        "hangup_code": call.end.code if call.end else None,
        "hangup_name": call.end.name if call.end else None,
        "seconds": call.seconds,
        "dials": dials,
        "verdicts": [verdict.as_dict() for verdict in call.verdicts],
        "remarks": sorted(set(call.remarks)),
    }
    if with_trace:
        shown["requests"] = [_request_as_dict(request) for request in call.requests]
    return shown


def _request_as_dict(request: SentRequest) -> dict[str, object]:
    """Return a request for JSON; `answer` is the reply, cut after 2,000 characters."""
    shown = asdict(request)
    return {"answer": shown.pop("reply"), **shown}


def _row(request: SentRequest) -> tuple[str, ...]:
    path = urlsplit(request.url).path
    params = [
        f"{name}={request.params[name]}" for name in _SHOWN_PARAMS.get(request.kind, ()) if name in request.params
    ]
    status = "[red]–[/red]" if request.status is None else str(request.status)
    if request.status is not None and not 200 <= request.status < 300:
        status = f"[red]{status}[/red]"
    note = f"[yellow]({escape(request.note)})[/yellow] " if request.note else ""
    answer = "" if request.kind.is_notice and request.status == 200 else escape(_describe(request.reply))
    return (
        f"{request.at:.1f} s",
        f"{request.method} {escape(path)}",
        note + escape(" ".join(params)),
        status,
        answer,
    )


def _describe(reply: str) -> str:
    """Return a short description of what a reply tells Plivo to do."""
    try:
        root = read_document(reply.encode(), content_type="text/xml").root
    except DocumentError:
        return reply.strip()[:80]
    return ", then ".join(_describe_element(element) for element in root.children) or "nothing more"


def _describe_element(element: XmlElement) -> str:
    inside = [child.text.strip() for child in element.children] or [element.text.strip()[:60]]
    return f"{element.name} {' + '.join(filter(None, inside))}".strip()


def _print_verdicts(console: Console, verdicts: Sequence[PlivoVerdict]) -> None:
    """Print each different verdict once, with its count."""
    counts = Counter(replace(verdict, url=urldefrag(verdict.url).url.partition("?")[0]) for verdict in verdicts)
    for verdict, count in counts.most_common(_MOST_SHOWN):
        colour, mark = ("yellow", "!") if verdict.excused else ("red", "✗")
        times = f" ({count} times)" if count > 1 else ""
        byte = "" if verdict.byte is None else f", byte {verdict.byte}"
        code = f"{verdict.code} {verdict.name}: " if verdict.code else ""
        console.print(f"  [{colour}]{mark} {code}{escape(verdict.reason)}[/{colour}]{times}")
        console.print(f"    [dim]at {escape(verdict.url)}{byte}[/dim]")
        cause = "excused: the simulator broke the wire here" if verdict.excused else f"to do: {verdict.advice}"
        console.print(f"    {escape(cause)}")
    if len(counts) > _MOST_SHOWN:
        console.print(f"  … and {len(counts) - _MOST_SHOWN} more; --json shows all")


def _print_remarks(console: Console, remarks: Sequence[str]) -> None:
    for remark, count in Counter(remarks).most_common(_MOST_SHOWN):
        times = f" ({count} times)" if count > 1 else ""
        console.print(f"  [yellow]! {escape(remark)}[/yellow]{times}")


def _counted(words: Iterable[str]) -> str:
    """Return words with their counts, the most frequent first."""
    counts = Counter(words)
    return ", ".join(word if count == 1 else f"{word} × {count}" for word, count in counts.most_common())
