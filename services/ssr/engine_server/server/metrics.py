"""What /metrics reports, under TGI's names.

TGI's counters have no `_total` suffix, which prometheus-client insists on: they are written here by hand.
"""

from __future__ import annotations

from collections import Counter

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from ssr.engine_server.server.backend import BackendMetrics, GenerationEnd
from ssr.engine_server.server.generation import ServedGeneration, Timings

SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
TOKENS = (1, 4, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)


class ServerMetrics:
    """Counts and histograms of one server; nothing is shared between servers of a process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = 0
        self._succeeded = 0
        self._failed: Counter[str] = Counter()
        self._duration = self._seconds("duration", "Time from receiving a request to its last token")
        self._validation = self._seconds("validation_duration", "Time spent validating a request")
        self._queue = self._seconds("queue_duration", "Time a request waited for a place in the batch")
        self._inference = self._seconds("inference_duration", "Time spent generating")
        self._per_token = self._seconds("mean_time_per_token_duration", "Generating time by generated tokens")
        self._input_length = self._tokens("input_length", "Tokens of a prompt")
        self._max_new_tokens = self._tokens("max_new_tokens", "Tokens a request may generate")
        self._generated = self._tokens("generated_tokens", "Tokens a request did generate")
        self._cached = self._tokens("cached_tokens", "Tokens of a prompt served from the prefix cache (not in TGI)")

    def request(self) -> None:
        self._requests += 1

    def success(self, generation: ServedGeneration, end: GenerationEnd, timings: Timings) -> None:
        self._succeeded += 1
        generated = len(generation.events)
        self._duration.observe(timings.total)
        self._validation.observe(timings.validation)
        self._queue.observe(timings.queue)
        self._inference.observe(timings.inference)
        self._per_token.observe(timings.inference / generated)
        self._input_length.observe(end.prompt_tokens)
        self._max_new_tokens.observe(generation.request.max_new_tokens)
        self._generated.observe(generated)
        if end.cached_tokens is not None:
            self._cached.observe(end.cached_tokens)

    def failure(self, error_type: str) -> None:
        self._failed[error_type] += 1

    def exposition(self, load: BackendMetrics) -> str:
        """The page in Prometheus' text format."""
        lines = [
            *_family("tgi_request_count", "counter", "Requests received", {"": self._requests}),
            *_family("tgi_request_success", "counter", "Requests answered", {"": self._succeeded}),
            *_family("tgi_request_failure", "counter", "Requests refused or failed", _by_error(self._failed)),
            *_family("tgi_queue_size", "gauge", "Requests that wait for a place in the batch", {"": load.queued}),
            *_family("tgi_batch_current_size", "gauge", "Requests in the batch", {"": load.running}),
        ]
        return "\n".join(lines) + "\n" + generate_latest(self._registry).decode()

    def _seconds(self, name: str, text: str) -> Histogram:
        return Histogram(f"tgi_request_{name}", text, buckets=SECONDS, registry=self._registry)

    def _tokens(self, name: str, text: str) -> Histogram:
        return Histogram(f"tgi_request_{name}", text, buckets=TOKENS, registry=self._registry)


def _by_error(counts: Counter[str]) -> dict[str, int]:
    return {f'{{err="{error}"}}': count for error, count in sorted(counts.items())}


def _family(name: str, kind: str, text: str, samples: dict[str, int]) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *(f"{name}{k} {v}" for k, v in samples.items())]
