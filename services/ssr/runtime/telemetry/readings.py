"""Gauges that are read when somebody asks, at no cost before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

#: The values of the labels, and the value.
Reading = tuple[Sequence[str], float]


class Readings(Collector):
    """A metric whose values `read` gives; a counter where `counts` says so."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        read: Callable[[], Iterable[Reading]],
        registry: CollectorRegistry,
        *,
        counts: bool = False,
    ) -> None:
        self._name, self._documentation, self._labels, self._read = name, documentation, labels, read
        self._family = CounterMetricFamily if counts else GaugeMetricFamily
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """The metric without values: what the registry needs to know its name."""
        return [self._family(self._name, self._documentation, labels=self._labels)]

    def collect(self) -> Iterable[Metric]:
        family = self._family(self._name, self._documentation, labels=self._labels)
        for labels, value in self._read():
            family.add_metric(labels, value)
        return [family]
