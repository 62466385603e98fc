"""What a vLLM has counted, read from its /metrics: sums over its engines."""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType

from prometheus_client.parser import text_string_to_metric_families

from ssr.core.errors import BadReply

TOKENS = "vllm:generation_tokens_total"
#: One observation for each request's first pass that yielded a token, and one for each later pass.
FIRST_PASSES = "vllm:time_to_first_token_seconds_count"
LATER_PASSES = "vllm:inter_token_latency_seconds_count"
#: One observation for each step of an engine: a pass of all requests in the batch.
STEPS = "vllm:iteration_tokens_total_count"
DRAFTS = "vllm:spec_decode_num_drafts_total"
DRAFTED = "vllm:spec_decode_num_draft_tokens_total"
ACCEPTED = "vllm:spec_decode_num_accepted_tokens_total"
ACCEPTED_AT = "vllm:spec_decode_num_accepted_tokens_per_pos_total"
OURS_DRAFTED = "ssr_consensus_drafted_tokens_total"
OURS_ACCEPTED = "ssr_consensus_accepted_tokens_total"
OURS_FAILURES = "ssr_consensus_failures_total"
#: Counted in microseconds here.
OURS_SECONDS = "ssr_consensus_draft_seconds_total"

#: The label that sums are distinguished by, if any.
_LABELS = MappingProxyType(
    {
        **dict.fromkeys(
            (TOKENS, FIRST_PASSES, LATER_PASSES, STEPS, DRAFTS, DRAFTED, ACCEPTED, OURS_FAILURES, OURS_SECONDS), ""
        ),
        ACCEPTED_AT: "position",
        OURS_DRAFTED: "source",
        OURS_ACCEPTED: "source",
    }
)

#: Counts by name and by the value of their label, "" where they have none.
Counts = Counter[tuple[str, str]]


def read_counts(exposition: str) -> Counts:
    """Raises: BadReply for what is no exposition, or not one of a vLLM."""
    counts: Counts = Counter()
    try:
        for family in text_string_to_metric_families(exposition):
            for name, labels, value, *_ in family.samples:
                if name in _LABELS:
                    counts[name, labels.get(_LABELS[name], "")] += (
                        round(1e6 * value) if name == OURS_SECONDS else int(value)
                    )
    except ValueError as error:
        raise BadReply(f"/metrics is no Prometheus exposition: {error}") from error
    if (TOKENS, "") not in counts:
        raise BadReply(
            f"/metrics has no {TOKENS}: the server is no vLLM, or is reported not to count (--disable-log-stats)"
        )
    return counts


def counted_since(now: Counts, before: Counts) -> Counts:
    """The difference, which may be 0."""
    return Counter({key: count - before[key] for key, count in now.items()})


def by_label(counts: Counts, name: str) -> dict[str, int]:
    """The counts of one name by the value of its label."""
    return {label: count for (one, label), count in counts.items() if one == name}
