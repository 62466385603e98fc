"""How samples are asked for, and what a server's counters come to."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ssr.core.errors import BadReply, InvalidRequest, Unavailable
from ssr.core.prompts import solving
from ssr.core.types import NO_STRATEGY
from ssr_bench.consensus.end_to_end.client import Answer
from ssr_bench.consensus.end_to_end.counters import Counts, counted_since, read_counts
from ssr_bench.consensus.end_to_end.figures import DraftingFigures, Sampled, compared
from ssr_bench.consensus.end_to_end.method import DraftingMethod, definitions, methods_of
from ssr_bench.consensus.end_to_end.plan import EndToEndPlan
from ssr_bench.consensus.end_to_end.replayed import Replay
from ssr_bench.consensus.end_to_end.sampler import ServedSample, sampled, warmed_up
from ssr_bench.consensus.end_to_end.table import end_to_end_table
from ssr_bench.evaluation.dataset import Problem
from ssr_bench.statistics import Summary
from ssr_bench.virtual_time import run_virtually

PROBLEMS = tuple(Problem(f"p{n}", f"What is {n}?", str(n)) for n in range(4))
PROMPTS = {solving(one.prompt, NO_STRATEGY): one.id for one in PROBLEMS}


class FakeClient:
    """Takes the seconds that `takes_s` has for a problem, or 1; notes when each request came."""

    def __init__(self, takes_s: dict[str, float] | None = None) -> None:
        self.takes_s = takes_s or {}
        self.came: list[tuple[float, str, int | None]] = []
        self.cancelled = 0
        self.recorded: list[tuple[int, tuple[int, ...]]] = []

    async def sample(
        self, model: str, messages: Any, plan: EndToEndPlan, max_tokens: int, seed: int | None, recorded: Any = ()
    ) -> Answer:
        self.recorded.append((max_tokens, tuple(recorded)))
        name = PROMPTS[messages]
        self.came.append((asyncio.get_running_loop().time(), name, seed))
        takes_s = self.takes_s.get(name, 1.0)
        try:
            await asyncio.sleep(abs(takes_s))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if takes_s < 0:
            raise Unavailable("gone")
        return Answer("words", (1, 2), (3,), 2, takes_s)


def run(client: FakeClient, **plan: Any) -> tuple[Sampled, list[ServedSample]]:
    kept: list[ServedSample] = []
    asked = EndToEndPlan("d", "f", **plan)
    return run_virtually(sampled(client, "m", asked, PROBLEMS, kept.append)), kept  # type: ignore[arg-type]


def test_a_problem_begins_when_one_has_ended_and_its_samples_together() -> None:
    client = FakeClient({"p0": 5.0})
    seen, kept = run(client, samples=3, at_a_time=2)
    assert [(at_s, name) for at_s, name, _ in client.came[::3]] == [(0, "p0"), (0, "p1"), (1, "p2"), (2, "p3")]
    assert client.came[:3] == [(0, "p0", None)] * 3
    assert (seen.samples, seen.tokens, seen.latency_s.max) == (12, 24, 5.0)
    assert [one.problem.id for one in kept[-3:]] == ["p0"] * 3  # kept as they end


def test_siblings_may_begin_after_each_other() -> None:
    client = FakeClient()
    run(client, samples=3, at_a_time=1, stagger_s=0.25)
    assert [at_s for at_s, _, _ in client.came[:6]] == [0, 0.25, 0.5, 1.5, 1.75, 2.0]


def test_each_sample_is_asked_to_be_what_was_recorded_of_it(tmp_path: Path) -> None:
    file = tmp_path / "recorded.jsonl"
    lines = [{"problem": f"p{n}", "sample": m, "tokens": [n, m, 7][: m + 2]} for n in range(4) for m in range(2)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    replay = Replay.read(file, PROBLEMS, 2)
    client = FakeClient()
    plan = EndToEndPlan("d", "f", samples=2, at_a_time=1, replay=replay.fingerprint)
    run_virtually(sampled(client, "m", plan, PROBLEMS, lambda _: None, replay))  # type: ignore[arg-type]
    assert client.recorded == [(len(one), one) for n in range(4) for one in ((n, 0), (n, 1, 7))]
    with pytest.raises(InvalidRequest, match="no tokens of problem p0, sample 2"):
        Replay.read(file, PROBLEMS, 3)
    file.write_text('{"problem": "p0", "sample": 0, "text": "words"}\n')
    with pytest.raises(InvalidRequest, match="has texts"):
        Replay.read(file, PROBLEMS, 1)
    assert replay.fingerprint != sha256(file.read_bytes()).hexdigest()[:16]


def test_without_recordings_nothing_is_forced() -> None:
    client = FakeClient()
    run(client, samples=1, at_a_time=4, max_tokens=33)
    assert set(client.recorded) == {(33, ())}


def test_every_sample_has_a_seed_of_its_own() -> None:
    client = FakeClient()
    run(client, samples=3, at_a_time=4, seed=100)
    assert sorted(seed for _, _, seed in client.came if seed) == list(range(100, 112))


def test_the_first_error_ends_all_and_is_the_one_reported() -> None:
    client = FakeClient({"p1": -0.5, "p0": 9.0})
    with pytest.raises(Unavailable, match="gone"):
        run(client, samples=3, at_a_time=2)
    assert client.cancelled == 3


class Lagging(FakeClient):
    """Counts an answer at the second look after it."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    async def sample(self, *_: Any) -> Answer:
        return Answer("4", None, None, 8, 1.0)

    async def counts_after(self, before: Counts, tokens: int) -> Counts:
        assert (before["tokens", ""], tokens) == (3, 8)
        return Counter({("tokens", ""): 11})

    async def counts(self) -> Counts:
        return Counter({("tokens", ""): 3})


def test_the_warm_up_is_counted_before_the_measurement_begins() -> None:
    counts = run_virtually(warmed_up(Lagging(), "m", EndToEndPlan("d", "f")))  # type: ignore[arg-type]
    assert counts["tokens", ""] == 11


EXPOSITION = """# TYPE vllm:generation_tokens counter
vllm:generation_tokens_total{engine="0"} 30.0
vllm:generation_tokens_total{engine="1"} 12.0
# TYPE vllm:inter_token_latency_seconds histogram
vllm:inter_token_latency_seconds_bucket{engine="0",le="0.1"} 99.0
vllm:inter_token_latency_seconds_count{engine="0"} 20.0
vllm:spec_decode_num_drafts_total{engine="0"} 10.0
vllm:spec_decode_num_draft_tokens_total{engine="0"} 40.0
vllm:spec_decode_num_accepted_tokens_total{engine="0"} 14.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",position="10"} 1.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",position="2"} 5.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="1",position="2"} 3.0
ssr_consensus_drafted_tokens_total{position="0",source="own"} 6.0
ssr_consensus_drafted_tokens_total{position="1",source="own"} 4.0
ssr_consensus_drafted_tokens_total{position="0",source="history"} 0.0
ssr_consensus_accepted_tokens_total{position="0",source="own"} 3.0
ssr_consensus_failures_total 2.0
"""


def figures(name: str, counts: Counts, tokens: int, wall_s: float = 4.0) -> DraftingFigures:
    seen = Sampled(samples=1, tokens=tokens, wall_s=wall_s, latency_s=Summary.of([1.0]))
    return DraftingFigures.of(DraftingMethod(name=name), "command", seen, counts)


def test_counters_are_summed_over_engines_and_reported_apart_by_position_and_source() -> None:
    found = figures("consensus", counted_since(read_counts(EXPOSITION), Counter()), 42)
    assert (found.tokens, found.drafts, found.drafted, found.accepted) == (42, 10, 40, 14)
    assert found.passes == 20
    assert found.accepted_at == (8, 1)  # in the order of positions, which are numbers
    assert found.sources.keys() == {"own"}
    assert (found.sources["own"].drafted, found.sources["own"].accepted) == (10, 3)
    assert found.doubts == ("drafting failed in 2 steps; the server's log says why",)
    assert DraftingFigures.model_validate(found.model_dump(mode="json")) == found


def test_passes_of_a_server_that_does_not_count_them() -> None:
    counts = read_counts("\n".join(line for line in EXPOSITION.splitlines() if "inter_token" not in line) + "\n")
    assert figures("ngram", counts, 42).passes == 42 - 14


@pytest.mark.parametrize("wrong", ["<html>", "ssr_consensus_failures_total 2.0\n"])
def test_what_is_not_of_a_vllm(wrong: str) -> None:
    with pytest.raises(BadReply, match="/metrics"):
        read_counts(wrong)


def test_doubts_and_the_methods_beside_none() -> None:
    counts = read_counts(EXPOSITION)
    busy = figures("none", counts, 21)
    assert busy.doubts[0].startswith("the server counted 42 tokens, and its answers have 21")
    assert "the server drafts, and was to draft nothing" in busy.doubts
    beside = compared([busy, figures("ngram", counts, 42, 2.0)])
    assert (beside["ngram"].speed, beside["ngram"].wall) == (4.0, 0.5)
    assert compared([figures("ngram", counts, 42)]) == {}


_STEPS = 'vllm:iteration_tokens_total_count{engine="0"} '


def test_a_pass_is_split_and_speeds_are_predicted_where_drafting_reports_its_time() -> None:
    plain = 'vllm:generation_tokens_total{engine="0"} 1000.0\n' + _STEPS + "100.0\n"
    drafting = f"{plain}ssr_consensus_draft_seconds_total 0.05\nvllm:spec_decode_num_accepted_tokens_total 500.0\n"
    none = figures("none", read_counts(plain), 1000, 0.4)
    ours = figures("consensus", read_counts(drafting), 1000, 0.7)
    assert none.step_ms == pytest.approx(4.0)
    assert none.draft_ms is None
    assert ours.draft_ms == pytest.approx(0.5)
    beside = compared([none, ours])
    assert (beside["none"].pass_ms, beside["none"].predicted) == (None, {})
    split = beside["consensus"].pass_ms
    assert split is not None
    assert (split.model, split.verification, split.drafting) == pytest.approx((4.0, 2.5, 0.5))
    assert beside["consensus"].predicted == pytest.approx(
        {5: 2 * 5 / 5.5, 10: 2 * 10 / 10.5, 20: 40 / 20.5, 40: 80 / 40.5}
    )
    shown = StringIO()
    Console(file=shown, width=160).print(end_to_end_table("title", [none, ours]))
    assert "predicted, not measured" in shown.getvalue()
    assert "model 4.00, verification 2.50, drafting 0.50" in shown.getvalue()


def test_methods_as_vllm_is_reported_them() -> None:
    others = definitions(['tree={"method": "suffix", "num_speculative_tokens": 24}', 'ngram={"method": "ngram_gpu"}'])
    none, ngram, ours, tree = methods_of(["none", "ngram", "consensus"], 5, others, {"SSR_CONSENSUS_POOL": "8"})
    assert none.flags() == ()
    assert ngram.speculation == {"method": "ngram_gpu"}
    assert tree.flags() == ("--speculative-config", '{"method": "suffix", "num_speculative_tokens": 24}')
    assert ours.speculation == {
        "method": "custom_class",
        "model": "ssr.consensus.vllm.ConsensusProposer",
        "num_speculative_tokens": 5,
    }
    assert ours.settings == {"SSR_CONSENSUS_POOL": "8"}
    old = definitions(['old={"method": "ngram", "model": "ssr.consensus.vllm.ConsensusProposer"}'])  # vLLM 0.20's way
    (*_, in_place_of_ngram) = methods_of(["none"], 5, old, {"SSR_CONSENSUS_POOL": "8"})
    assert in_place_of_ngram.settings == ours.settings
    assert ngram.settings == {}
    with pytest.raises(InvalidRequest, match="SSR_CONSENSUS_POOLS"):
        methods_of([], 5, {}, {"SSR_CONSENSUS_POOLS": "8"})


def test_what_is_lossless_saves_passes_and_no_positions_of_the_model() -> None:
    counts: Counts = Counter(
        {
            ("vllm:generation_tokens_total", ""): 100,
            ("vllm:spec_decode_num_draft_tokens_total", ""): 200,
            ("vllm:spec_decode_num_accepted_tokens_total", ""): 60,
        }
    )
    taken = Sampled(samples=1, tokens=100, wall_s=1.0, latency_s=Summary.of([1.0]))
    draft = DraftingFigures.of(DraftingMethod(name="draft", speculation={"method": "draft_model"}), "", taken, counts)
    assert (draft.passes, draft.tokens_per_pass) == (40, 2.5)
    assert draft.positions_per_token == pytest.approx((40 + 200) / 100)
    none = DraftingFigures.of(
        DraftingMethod(name="none"), "", taken, Counter({("vllm:generation_tokens_total", ""): 100})
    )
    assert none.positions_per_token == 1.0
