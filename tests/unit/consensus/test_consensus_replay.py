"""A model runner writes what its requests bring, with and without drafts, whatever its logits are."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from ssr.consensus.replay import force, forced_tokens, register, replaying

VOCABULARY = 50


class Logits:
    """A table that can be set as torch's and NumPy's can: whole rows, or single cells of them."""

    def __init__(self, rows: int, dice: Random) -> None:
        self.rows = [[dice.gauss(0, 5) for _ in range(VOCABULARY)] for _ in range(rows)]

    def __setitem__(self, where: list[int] | tuple[list[int], list[int]], value: float) -> None:
        if isinstance(where, tuple):
            for row, column in zip(*where, strict=True):
                self.rows[row][column] = value
        else:
            for row in where:
                self.rows[row] = [value] * VOCABULARY

    def best(self) -> list[int]:
        return [max(range(VOCABULARY), key=row.__getitem__) for row in self.rows]


@dataclass
class Written:
    """A request as the runner keeps it."""

    sampling_params: Any
    output_token_ids: list[int] = field(default_factory=list)


class Runner:
    """Verifies drafts greedily, and keeps what was accepted and one token more, as vLLM's does."""

    def __init__(self, given: list[list[int] | None]) -> None:
        extra = [None if one is None else {"ssr_replay": one} for one in given]
        self.requests = {str(n): Written(SimpleNamespace(extra_args=one)) for n, one in enumerate(extra)}
        self.input_batch = SimpleNamespace(req_ids=list(self.requests))

    def _sample(self, logits: Any, spec_decode_metadata: Any) -> list[list[int]]:
        return [] if logits is None else [[token] for token in logits.best()]

    def step(self, drafts: list[list[int]], dice: Random, drafting: bool = True) -> None:
        logits = Logits(sum(len(one) + 1 for one in drafts), dice)
        metadata = SimpleNamespace(num_draft_tokens=[len(one) for one in drafts]) if drafting else None
        best = [tokens[0] for tokens in self._sample(logits, metadata)]
        for name, draft in zip(self.input_batch.req_ids, drafts, strict=True):
            mine, best = best[: len(draft) + 1], best[len(draft) + 1 :]
            accepted = 0
            while accepted < len(draft) and draft[accepted] == mine[accepted]:
                accepted += 1
            self.requests[name].output_token_ids += mine[: accepted + 1]


def test_the_positions_of_a_draft_have_the_tokens_in_turn() -> None:
    assert forced_tokens([5, 6, 7], 0, 0) == [5]
    assert forced_tokens([5, 6, 7], 1, 3) == [6, 7, -1, -1]
    assert forced_tokens([5, 6, 7], 9, 1) == [-1, -1]
    assert forced_tokens((), 0, 2) == [-1, -1, -1]


def test_only_rows_with_a_token_change() -> None:
    logits = Logits(3, Random(1))
    free = list(logits.rows[1])
    force(logits, [4, -1, 9])
    assert (logits.best()[0], logits.rows[1], logits.best()[2]) == (4, free, 9)
    assert sorted(logits.rows[0])[-2:] == [float("-inf"), 0.0]
    before = list(map(list, logits.rows))
    force(logits, [-1, -1, -1])
    assert logits.rows == before


@pytest.mark.parametrize("drafting", [False, True])
def test_recordings_are_written_exactly_whatever_is_drafted(drafting: bool) -> None:
    dice = Random(7)
    recorded = [[dice.randrange(VOCABULARY) for _ in range(40)] for _ in range(6)]

    class Own(Runner):
        """A class of this test's, since it is changed."""

    assert replaying(replaying(Own)) is Own
    runner = Own([*recorded])
    steps = 0
    while min(len(one.output_token_ids) for one in runner.requests.values()) < 40:
        dice.shuffle(runner.input_batch.req_ids)
        drafts: list[list[int]] = []
        for name in runner.input_batch.req_ids:
            written = len(runner.requests[name].output_token_ids)
            draft = recorded[int(name)][written : written + dice.randrange(6)] if drafting else []
            drafts.append([one if dice.random() < 0.8 else dice.randrange(VOCABULARY) for one in draft])
        runner.step(drafts, dice, drafting)
        steps += 1
    for name, one in runner.requests.items():
        assert one.output_token_ids[:40] == recorded[int(name)]
    assert (steps < 40) == drafting


def test_requests_without_a_recording_are_sampled() -> None:
    class Own(Runner):
        """A class of this test's, since it is changed."""

    replaying(Own)
    free = Runner([None, None])
    mixed = Own([None, [1] * 9])
    for _ in range(5):
        free.step([[], []], Random(3), drafting=False)
        mixed.step([[], []], Random(3), drafting=False)
    assert mixed.requests["0"].output_token_ids == free.requests["0"].output_token_ids
    assert mixed.requests["1"].output_token_ids == [1] * 5
    assert mixed._sample(None, None) == []  # a rank without logits


def test_a_server_replays_only_where_it_was_started_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Runner):
        """A class of this test's, since it is changed."""

    before = Own._sample
    modules = {"vllm.v1.worker.gpu_model_runner": SimpleNamespace(GPUModelRunner=Own)}
    monkeypatch.setattr("ssr.consensus.replay.import_module", modules.__getitem__)
    register({})
    assert Own._sample is before
    register({"SSR_REPLAY": "1"})
    assert Own._sample is not before
