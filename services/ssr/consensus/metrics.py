"""What became of the drafts, for Prometheus.

The proposer lives in another process than vLLM's /metrics. With PROMETHEUS_MULTIPROC_DIR in the environment, all
processes of a vLLM write their values to files in that folder, and /metrics adds them up: ours too.
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter

from ssr.consensus.counts import DraftCounts

_WHERE = ("position", "source")


def exposed(environment: Mapping[str, str], rank: int, workers: int) -> bool:
    """Whether this process is to expose metrics: of the workers of one model, which all count the same, the first."""
    return bool(environment.get("PROMETHEUS_MULTIPROC_DIR")) and rank % workers == 0


class ProposerMetrics:
    """The counts, as counters of a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._passes = Counter("ssr_consensus_passes", "Verified, with and without a draft.", registry=registry)
        self._tokens = Counter("ssr_consensus_tokens", "That the passes yielded.", registry=registry)
        self._failures = Counter("ssr_consensus_failures", "Steps in which drafting failed.", registry=registry)
        self._rested = Counter(
            "ssr_consensus_rested_steps",
            "Steps without drafts, which would not pay.",
            registry=registry,
        )
        self._seconds = Counter("ssr_consensus_draft_seconds", "That drafting took.", registry=registry)
        self._drafted = Counter("ssr_consensus_drafted_tokens", "Draft tokens.", _WHERE, registry=registry)
        self._accepted = Counter("ssr_consensus_accepted_tokens", "Of those, accepted.", _WHERE, registry=registry)
        self._reported: dict[object, float] = {}

    def report(self, counts: DraftCounts) -> None:
        """Raise the counters to `counts`."""
        for counter, count in (
            (self._passes, counts.passes),
            (self._tokens, counts.tokens),
            (self._failures, counts.failures),
            (self._rested, counts.rested),
            (self._seconds, counts.seconds),
        ):
            self._raise(counter, counter, count)
        for counter, table in ((self._drafted, counts.drafted), (self._accepted, counts.accepted)):
            for (position, source), tokens in table.items():
                if tokens != self._reported.get((counter, position, source)):
                    labelled = counter.labels(str(position), source.value)
                    self._raise(labelled, (counter, position, source), tokens)

    def _raise(self, counter: Counter, key: object, count: float) -> None:
        before = self._reported.get(key, 0)
        if count != before:
            counter.inc(count - before)
            self._reported[key] = count
