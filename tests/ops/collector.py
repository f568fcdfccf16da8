"""A collector's part: ask for the metrics and read them with Prometheus' own parser."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from tests.support.server import REPORTS_TOKEN, Server


def collect(server: Server) -> dict[tuple[str, ...], float]:
    """Give every sample: its name and its labels as `name=value` in the order of the names, and its value."""
    reply = server.request("GET", "/metrics", headers={"Authorization": f"Bearer {REPORTS_TOKEN}"})
    assert reply.status == 200, reply
    samples = [sample for family in text_string_to_metric_families(reply.body) for sample in family.samples]
    found = {(sample.name, *_labels(sample.labels)): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def total(server: Server, name: str, **labels: str) -> float:
    """Add up the samples of a name that have these labels."""
    wanted = set(_labels(labels))
    return sum(value for key, value in collect(server).items() if key[0] == name and wanted <= set(key[1:]))


def _labels(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(labels.items())]
