"""Show what happened: a trace of each call for people, a table for many, JSON for machines."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from urllib.parse import urldefrag, urlsplit

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from app.simulator.ground_truth import CallTruth, Exchange, Kind
from app.simulator.verify import Difference
from app.simulator.xml.findings import Verdict
from app.simulator.xml.parser import DocumentError, Element, read_document

_MOST_SHOWN = 20
_WIDTH_OF_COLUMNS = 130  # On a narrower terminal what was told goes below its request.
_TOLD = {
    Kind.ANSWER: ("From", "To", "CallStatus"),
    Kind.ACTION: ("DialStatus", "DialRingStatus", "DialHangupCause", "DialBLegUUID"),
    Kind.CALLBACK: ("Event", "DialBLegTo", "DialBLegDuration", "DialBLegHangupCauseCode", "DialDigitsMatch"),
    Kind.RING: ("From", "To", "CallStatus"),
    Kind.HANGUP: ("CallStatus", "Duration", "HangupCause", "HangupCauseCode", "HangupSource"),
    Kind.RECORDING: ("RecordingID", "RecordingDuration"),
    Kind.RECORD: ("RecordingID", "RecordingDuration", "Digits"),
    Kind.PHLO: ("DialStatus", "DialRingStatus", "DialHangupCause", "DialBLegUUID"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A whole run: its calls, what verifying found (None: not asked), and how long it took in seconds."""

    seed: int
    calls: Sequence[CallTruth]
    differences: Sequence[Difference] | None
    seconds: float

    @property
    def is_right(self) -> bool:
        """Tell whether nothing was wrong that the faults do not excuse."""
        return not self.differences and all(call.is_right for call in self.calls)

    def outcomes(self) -> Counter[str]:
        """Count the dials by how they really ended."""
        return Counter(min(dial.outcomes) for call in self.calls for dial in call.dials)


def print_trace(console: Console, call: CallTruth) -> None:
    """Print one call: what was asked and answered, and what was wrong."""
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
    for exchange in call.trace:
        table.add_row(*_row(exchange))
    return table


def _lines(call: CallTruth) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for exchange in call.trace:
        at, asked, told, status, answer = _row(exchange)
        table.add_row(at, f"{asked}  {status}  {answer}".rstrip())
        if told:
            table.add_row("", f"[dim]{told}[/dim]")
    return table


def print_summary(console: Console, result: Result, *, with_faults: bool) -> None:
    """Print a table of scenarios, what was wrong (unless the traces said it), and how to repeat the run."""
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
    requests = sum(len(call.trace) for call in result.calls)
    console.print(
        f"{len(result.calls)} call{'s' * (len(result.calls) != 1)}, {requests} requests in {result.seconds:.1f} s. "
        f"Repeat them with --seed {result.seed}."
    )


def print_differences(console: Console, differences: Sequence[Difference], calls: int) -> None:
    """Print what the server keeps and what happened, where they differ."""
    if not differences:
        told = "the call" if calls == 1 else f"all {calls} calls"
        console.print(f"[green]verified:[/green] the server keeps what happened in {told}")
        return
    table = Table("call", "scenario", "where", "field", "happened", "recorded", title="differences")
    for one in differences[:_MOST_SHOWN]:
        table.add_row(*(escape(text) for text in one.as_dict().values()))
    console.print(table)
    console.print(f"[red]{len(differences)} differences[/red] in {len({d.call_uuid for d in differences})} calls")


def as_json(result: Result, *, with_trace: bool) -> str:
    """Return the whole result for machines."""
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
        shown["requests"] = [asdict(exchange) for exchange in call.trace]
    return shown


def _row(exchange: Exchange) -> tuple[str, ...]:
    path = urlsplit(exchange.url).path
    told = [f"{name}={exchange.params[name]}" for name in _TOLD.get(exchange.kind, ()) if name in exchange.params]
    status = "[red]–[/red]" if exchange.status is None else str(exchange.status)
    if exchange.status is not None and not 200 <= exchange.status < 300:
        status = f"[red]{status}[/red]"
    note = f"[yellow]({escape(exchange.note)})[/yellow] " if exchange.note else ""
    answer = "" if exchange.kind.is_notice and exchange.status == 200 else escape(_describe(exchange.answer))
    return (
        f"{exchange.at:.1f} s",
        f"{exchange.method} {escape(path)}",
        note + escape(" ".join(told)),
        status,
        answer,
    )


def _describe(answer: str) -> str:
    """Say in a few words what a reply tells Plivo to do."""
    try:
        root = read_document(answer.encode(), content_type="text/xml").root
    except DocumentError:
        return answer.strip()[:80]
    return ", then ".join(_describe_element(element) for element in root.children) or "nothing more"


def _describe_element(element: Element) -> str:
    inside = [child.text.strip() for child in element.children] or [element.text.strip()[:60]]
    return f"{element.name} {' + '.join(filter(None, inside))}".strip()


def _print_verdicts(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Print each different verdict once, with how often it was given."""
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
    """Join words with their counts, the most frequent first."""
    counts = Counter(words)
    return ", ".join(word if count == 1 else f"{word} × {count}" for word, count in counts.most_common())
