"""Consensus drafting: the proposer gets into vLLM's container, and is reported what the values say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from chart_manifests import Manifests, all_of, helm, preset, render, values_of

from ssr.consensus.environment import settings_from
from ssr.consensus.vllm import ConsensusProposer
from ssr.core.prompts import APPROACH_HEAD

ON = all_of(preset("qwen3"), values_of(**{"engines.target.consensus.enabled": True}))
MEASURED = values_of(**{"metrics.enabled": True})

_START = """
from types import SimpleNamespace as N
import ssr.consensus.vllm as module
config = N(
    speculative_config=N(num_speculative_tokens=8), model_config=N(max_model_len=99),
    parallel_config=N(rank=0, tensor_parallel_size=1),
)
module.ConsensusProposer(config, tokenize=lambda model, text: [1])
print(module.__file__)
"""


def _speculation(manifests: Manifests, component: str = "engine-target") -> dict[str, Any] | None:
    flag = "--speculative-config="
    reported = [arg for arg in manifests.container(component)["args"] if arg.startswith(flag)]
    return json.loads(reported[0].removeprefix(flag)) if reported else None


@pytest.mark.parametrize("values", [{}, preset("qwen3"), all_of(preset("qwen3"), MEASURED)])
def test_it_is_off_by_default(values: dict[str, Any]) -> None:
    for component, pod in render(values).pods():
        assert "consensus" not in json.dumps(pod["spec"]), component
        assert "initContainers" not in pod["spec"]


def test_the_target_can_have_it_without_the_draft() -> None:
    manifests = render(ON)
    speculation = _speculation(manifests)
    assert speculation is not None
    module, _, name = speculation.pop("model").rpartition(".")
    assert getattr(import_module(module), name) is ConsensusProposer
    assert speculation == {"method": "custom_class", "num_speculative_tokens": 8}
    assert _speculation(manifests, "engine-draft") is None
    both = render(all_of(ON, values_of(**{"engines.draft.consensus": {"enabled": True, "draftTokens": 3}})))
    drafting = _speculation(both, "engine-draft")
    assert drafting is not None
    assert drafting["num_speculative_tokens"] == 3


def test_settings_arrive_as_they_were_given() -> None:
    given = {"orders": [6, 3, 1], "min_confidence": 0.25, "group_tokens": 1_000_000, "total_tokens": 4_000_000}
    values = values_of(**{"engines.target.consensus": {"draftTokens": 12, "settings": {**given, "log_s": 0}}})
    drafting, proposing = settings_from(render(all_of(ON, values)).environment("engine-target"))
    assert drafting.orders == (6, 3, 1)
    assert (drafting.min_confidence, drafting.group_tokens, drafting.max_draft) == (0.25, 1_000_000, 12)
    assert proposing.log_s == 0


def test_the_paths_of_a_problem_are_reported_by_ssrs_own_prompts() -> None:
    _, proposing = settings_from(render(ON).environment("engine-target"))
    assert proposing.group_until == APPROACH_HEAD.strip()


def test_the_files_come_from_ssrs_image_and_vllm_may_only_read_them() -> None:
    manifests = render(ON)
    pod = manifests.pod("engine-target")
    (copying,) = pod["initContainers"]
    assert copying["image"] == manifests.container("orchestrator")["image"]
    assert copying["securityContext"] == manifests.container("orchestrator")["securityContext"]
    assert {"cpu", "memory"} <= set(copying["resources"]["requests"])
    assert "memory" in copying["resources"]["limits"]
    mounts = {mount["name"]: mount for mount in manifests.container("engine-target")["volumeMounts"]}
    assert mounts["consensus"] == {"name": "consensus", "mountPath": "/consensus", "readOnly": True}
    assert "emptyDir" in next(volume for volume in pod["volumes"] if volume["name"] == "consensus")


@pytest.mark.parametrize("more", [{}, MEASURED])
def test_what_is_copied_starts_with_what_it_is_reported(more: dict[str, Any], tmp_path: Path) -> None:
    """The commands and variables of the pod, run here, with a folder for each volume."""
    manifests = render(all_of(ON, more))

    def here(text: str) -> str:
        for folder in ("/consensus", "/metrics"):
            text = text.replace(folder, f"{tmp_path}{folder}")
        return text

    mounted = {mount["mountPath"] for mount in manifests.container("engine-target")["volumeMounts"]}
    for folder in mounted & {"/consensus", "/metrics"}:
        Path(here(folder)).mkdir()
    _, *arguments = manifests.pod("engine-target")["initContainers"][0]["command"]
    subprocess.run([sys.executable, *map(here, arguments)], check=True)
    environment = {name: here(value) for name, value in manifests.environment("engine-target").items()}
    ran = subprocess.run(
        [sys.executable, "-c", _START], env=os.environ | environment, check=True, capture_output=True, text=True
    )
    assert ran.stdout.startswith(f"{tmp_path}/consensus/ssr/")
    assert list((tmp_path / "metrics").glob("*.db")) if more else not (tmp_path / "metrics").exists()


def test_a_path_of_ones_own_is_kept() -> None:
    manifests = render(all_of(ON, values_of(**{"engines.target.env": {"PYTHONPATH": "/mine"}})))
    assert manifests.environment("engine-target")["PYTHONPATH"] == "/consensus:/mine"
    assert "PYTHONPATH" not in manifests.environment("engine-draft")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"engines.target.kind": "tgi"}, "engines.target.kind is tgi: only vLLM takes drafts of this kind"),
        (
            {"engines.selector": {"kind": "vllm", "model": "m", "consensus": {"enabled": True}}},
            "the selector asks for one token a call",
        ),
        (
            {"engines.target.args": ["--speculative-config={}"]},
            "engines.target.args has --speculative-config: vLLM speculates in one way at a time",
        ),
        ({"engines.target.args": ["--spec-method=ngram"]}, "engines.target.args has --spec-method"),
    ],
)
def test_combinations_that_make_no_sense(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(helm().HelmRenderError) as refused:
        render(all_of(ON, values_of(**values)))
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "consensus", [{"draftTokens": 0}, {"settings": {"pol": 3}}, {"settings": {"max_draft": 3}}, {"on": True}]
)
def test_values_that_the_schema_does_not_know(consensus: dict[str, Any]) -> None:
    with pytest.raises(helm().HelmValuesError) as refused:
        render(all_of(ON, values_of(**{"engines.target.consensus": consensus})))
    assert "/engines/target/consensus" in str(refused.value)
