"""Prometheus' text format, version 0.0.4."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from app.ops.counts import BUCKET_NAMES, Key

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "dialstatus_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. `kind` is counter, gauge or histogram; a histogram has one label besides its bounds."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


def format_metrics(metrics: Iterable[Metric], values: Mapping[Key, float]) -> str:
    """Return the text of every metric that has values. A key is a metric's name and the values of its labels."""
    lines: list[str] = []
    for metric in metrics:
        of_metric = sorted((key[1:], value) for key, value in values.items() if key[0] == metric.name)
        is_histogram = metric.kind == "histogram"
        samples = list(_histogram(metric, dict(of_metric), values) if is_histogram else _plain(metric, of_metric))
        if samples:
            lines += [f"# HELP {_PREFIX}{metric.name} {metric.help}", f"# TYPE {_PREFIX}{metric.name} {metric.kind}"]
            lines += samples
    return "\n".join([*lines, ""])


def _plain(metric: Metric, values: Iterable[tuple[Key, float]]) -> Iterator[str]:
    for labels, value in values:
        # A key of another shape comes from the file of an older version.
        if len(labels) == len(metric.labels):
            yield _sample(metric.name, zip(metric.labels, labels, strict=True), value)


def _histogram(metric: Metric, counts: Mapping[Key, float], values: Mapping[Key, float]) -> Iterator[str]:
    (label,) = metric.labels
    for name in sorted({key[0] for key in counts}):
        cumulative = 0.0
        for bound in BUCKET_NAMES:
            cumulative += counts.get((name, bound), 0)
            yield _sample(f"{metric.name}_bucket", [(label, name), ("le", bound)], cumulative)
        yield _sample(f"{metric.name}_sum", [(label, name)], values.get((f"{metric.name}_sum", name), 0))
        yield _sample(f"{metric.name}_count", [(label, name)], cumulative)


def _sample(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    listed = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{_PREFIX}{name}{f'{{{listed}}}' if listed else ''} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
