"""Collect the metrics of a server with Prometheus' own parser."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from tests.support.server import REPORTS_TOKEN, Server


def collect(server: Server) -> dict[tuple[str, ...], float]:
    """Return every sample: by its name and its sorted labels as `name=value`, its value."""
    reply = server.request("GET", "/metrics", headers={"Authorization": f"Bearer {REPORTS_TOKEN}"})
    assert reply.status == 200, reply
    samples = [sample for family in text_string_to_metric_families(reply.body) for sample in family.samples]
    found = {(sample.name, *_labels(sample.labels)): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def total(server: Server, name: str, **labels: str) -> float:
    """Return the sum of the samples of a name that have these labels."""
    expected = set(_labels(labels))
    return sum(value for key, value in collect(server).items() if key[0] == name and expected <= set(key[1:]))


def _labels(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(labels.items())]
