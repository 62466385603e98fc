"""The counts as Prometheus gets them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from ssr.consensus.counts import DraftCounts
from ssr.consensus.draft import Draft, DraftSource
from ssr.consensus.metrics import ProposerMetrics, exposed

DRAFT = Draft((5, 6, 7), (0.9, 0.8, 0.7), (DraftSource.SIBLING, DraftSource.SIBLING, DraftSource.OWN))


def test_counters_follow_the_counts() -> None:
    registry, counts = CollectorRegistry(), DraftCounts()
    metrics = ProposerMetrics(registry)
    for _ in range(2):
        counts.note(DRAFT, [5, 6, 1])
        metrics.report(counts)
        metrics.report(counts)  # nothing new

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"ssr_consensus_{name}_total", labels)

    assert (value("passes"), value("tokens"), value("failures")) == (2, 6, 0)
    assert value("drafted_tokens", position="2", source="own") == 2
    assert value("accepted_tokens", position="2", source="own") is None
    assert value("accepted_tokens", position="1", source="sibling") == 2


def test_one_worker_of_a_model_reports_them_and_only_where_processes_share_a_folder() -> None:
    def reported(rank: int, **environment: str) -> bool:
        return exposed(environment, rank, workers=2)

    assert not reported(0)
    assert reported(0, PROMETHEUS_MULTIPROC_DIR="/metrics")
    assert not reported(1, PROMETHEUS_MULTIPROC_DIR="/metrics")
    assert reported(2, PROMETHEUS_MULTIPROC_DIR="/metrics")  # the drafting ones of a pipeline are its last


_WORKER = """
from types import SimpleNamespace as N
from ssr.consensus.vllm import ConsensusProposer
from array import array
config = N(
    speculative_config=N(num_speculative_tokens=5),
    model_config=N(max_model_len=99),
    parallel_config=N(rank=0, tensor_parallel_size=1),
)
row = array("i", [1, 2, 3, 4] * 8)
proposer = ConsensusProposer(config)
for length in range(20, 30):
    proposer.propose([[row[length - 1]]], [length], [row])
"""
_SERVER = """
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def test_another_process_finds_them_in_the_folder(tmp_path: Path) -> None:
    reported = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for program in (_WORKER, _SERVER)
    ]
    assert "ssr_consensus_passes_total 9.0" in reported[1]
    assert 'ssr_consensus_drafted_tokens_total{position="0",source="own"}' in reported[1]
