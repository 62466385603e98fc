"""The proposer with the vLLM that is installed, or that SSR_TEST_VLLM_PYTHON (a Python with vLLM) imports.

Its own factory makes the proposer, and its own model runner calls it; there is no model, and no weights.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ssr.consensus.bundle import bundle

_FIND_LIMIT_S = 30
#: vLLM's runner imports for a minute on a busy machine.
_IMPORT_LIMIT_S = 600

_DRIVE = """
import json
from types import SimpleNamespace as N
import numpy as np
from vllm.plugins import load_general_plugins
load_general_plugins()
import vllm.v1.worker.gpu_model_runner as runner
from vllm.config import SpeculativeConfig
from ssr.consensus.vllm import ConsensusProposer, adapter_for, installed_version

name = "ssr.consensus.vllm.ConsensusProposer"
custom = hasattr(runner, "create_custom_proposer")
speculative = object.__new__(SpeculativeConfig)  # without a model's configuration, which its constructor asks for
speculative.method, speculative.model = "custom_class" if custom else "ngram", name
speculative.num_speculative_tokens = 5
config = N(
    speculative_config=speculative, model_config=N(max_model_len=64),
    parallel_config=N(rank=0, tensor_parallel_size=1),
)
if custom:
    proposer = runner.create_custom_proposer(config)
else:
    from vllm.v1.spec_decode.ngram_proposer import NgramProposer
    proposer = NgramProposer(config)
proposer.load_model(None)
table = np.tile(np.array([1, 2, 3, 4], dtype=np.int32), (3, 16))
lengths = np.zeros(3, dtype=np.int32)
self = N(
    speculative_config=speculative, drafter=proposer,
    input_batch=N(num_tokens_no_spec=lengths, token_ids_cpu=table),
)
scheduled = N(total_num_scheduled_tokens=1, num_spec_tokens_to_schedule=5)
drafts = []
for length in (15, 16, 17):
    lengths[0] = length
    sampled = [[int(table[0, length - 1])], []]
    drafts.append(runner.GPUModelRunner.propose_draft_token_ids(
        self, scheduled, sampled, None, None, None, None, None, None, {"layer": None}
    ))
ours = proposer.propose.__self__
print("RESULT", json.dumps({
    "version": installed_version(), "adapter": type(adapter_for(installed_version())).__name__,
    "drafts": drafts, "failures": ours.counts.failures, "class": type(ours) is ConsensusProposer,
}))
"""


@pytest.fixture(scope="module")
def python() -> str:
    """One that imports vLLM."""
    found = os.environ.get("SSR_TEST_VLLM_PYTHON", sys.executable)
    finds = "import sys, importlib.util as util; sys.exit(util.find_spec('vllm') is None)"
    if subprocess.run([found, "-c", finds], timeout=_FIND_LIMIT_S, check=False).returncode:
        pytest.skip(f"{found} cannot import vllm; name a Python that can: SSR_TEST_VLLM_PYTHON")
    return found


@pytest.mark.timeout(_IMPORT_LIMIT_S + 30)
def test_vllms_own_runner_gets_drafts_from_it(python: str, tmp_path: Path) -> None:
    bundle(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SSR_CONSENSUS_")}
    settings = {"SSR_CONSENSUS_MIN_CONFIDENCE": "0", "SSR_CONSENSUS_REST_BELOW": "0"}
    ran = subprocess.run(
        [python, "-c", _DRIVE],
        env=environment | settings | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=_IMPORT_LIMIT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    (line,) = [line for line in ran.stdout.splitlines() if line.startswith("RESULT ")]
    report = json.loads(line.removeprefix("RESULT "))
    assert report["failures"] == 0
    assert report["class"]
    assert report["drafts"][0] == [[], []]  # it is not known yet whether more is wanted
    assert report["drafts"][1:] == [[[1, 2, 3, 4, 1], []], [[2, 3, 4, 1, 2], []]]
