"""Counts of several processes in one directory."""

import json
import multiprocessing
from pathlib import Path

from app.ops.counts import Counts
from app.ops.exposition import Metric, format_metrics

HITS = ("hits", "a")


def count_elsewhere(directory: Path, times: int) -> None:
    """Count in another process, which then stops."""
    counts = Counts(directory)
    for _ in range(times):
        counts.add(*HITS)
    counts.stop()


def in_a_process(directory: Path, times: int) -> None:
    """Count in another process and wait for it."""
    process = multiprocessing.get_context("spawn").Process(target=count_elsewhere, args=(directory, times))
    process.start()
    process.join()
    assert process.exitcode == 0


def test_counts_of_processes_add_up(tmp_path: Path) -> None:
    mine = Counts(tmp_path)
    mine.add(*HITS)
    in_a_process(tmp_path, 5)
    mine.add(*HITS)
    assert mine.total()[HITS] == 7
    mine.stop()


def test_a_process_continues_the_counts_of_an_ended_one(tmp_path: Path) -> None:
    in_a_process(tmp_path, 5)
    in_a_process(tmp_path, 3)
    assert [path.name for path in tmp_path.glob("*.json")] == ["0.json"]
    assert Counts(tmp_path).total()[HITS] == 8


def test_a_damaged_file_is_ignored_and_replaced(tmp_path: Path) -> None:
    (tmp_path / "0.json").write_text('[["hits", "a"')
    in_a_process(tmp_path, 2)
    assert json.loads((tmp_path / "0.json").read_text()) == [[["hits", "a"], 2]]


def test_counting_continues_without_a_writable_directory(tmp_path: Path) -> None:
    blocked = tmp_path / "metrics"
    blocked.write_text("no directory")
    counts = Counts(blocked)
    counts.add(*HITS)
    counts.flush()
    assert counts.total()[HITS] == 1


def test_durations_fall_into_their_buckets(tmp_path: Path) -> None:
    counts = Counts(tmp_path)
    for seconds in (0.0005, 0.001, 0.003, 99):
        counts.count_reply(kind="answer", signature="valid", status=200, seconds=seconds)
    metric = Metric(name="reply_seconds", kind="histogram", help="A wait.", labels=("kind",))
    lines = format_metrics([metric], counts.total()).splitlines()
    counts.stop()
    assert counts.total()["receipts_total", "answer", "valid", "200"] == 4
    assert 'dialstatus_reply_seconds_bucket{kind="answer",le="0.001"} 2' in lines
    assert 'dialstatus_reply_seconds_bucket{kind="answer",le="0.005"} 3' in lines
    assert 'dialstatus_reply_seconds_bucket{kind="answer",le="5"} 3' in lines
    assert 'dialstatus_reply_seconds_bucket{kind="answer",le="+Inf"} 4' in lines
    assert 'dialstatus_reply_seconds_count{kind="answer"} 4' in lines
    assert 'dialstatus_reply_seconds_sum{kind="answer"} 99.0045' in lines


def test_label_values_cannot_leave_their_quotes() -> None:
    metric = Metric(name="hits", kind="counter", help="Hits.", labels=("name",))
    assert format_metrics([metric], {("hits", 'a"\\\n'): 1}).splitlines()[2] == r'dialstatus_hits{name="a\"\\\n"} 1'


def test_values_of_another_version_are_left_out() -> None:
    metric = Metric(name="hits", kind="counter", help="Hits.", labels=("name",))
    assert format_metrics([metric], {("hits",): 1, ("hits", "a", "b"): 1, ("gone",): 1}) == ""
