"""Replayed decode: a vLLM that writes recorded tokens, whatever its weights are.

So wall-clock times of a large model can be measured without its weights (--load-format dummy). A request brings its
tokens (`vllm_xargs`: {"ssr_replay": [ids]}), and before sampling all other logits of its rows become minus infinity,
at each position of a draft too: a draft is accepted as far as it equals the recording. vLLM takes no custom logits
processors together with speculation, so this is done where its model runner samples: a plug-in, on only where
SSR_REPLAY is 1. Nothing of vLLM or torch is imported before that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

#: The name in `vllm_xargs`.
ARGUMENT = "ssr_replay"
#: What a server's environment must have. The second model runner samples elsewhere, so the first one is taken.
ENVIRONMENT = {"SSR_REPLAY": "1", "VLLM_USE_V2_MODEL_RUNNER": "0"}

#: Of a row that is sampled freely.
_FREE = -1
_MINUS_INFINITY = float("-inf")


def forced_tokens(recorded: Sequence[int], written: int, drafted: int) -> list[int]:
    """For each of the `drafted` + 1 positions behind the `written` tokens, the recorded one; -1 beyond the end."""
    ahead = list(recorded[written : written + drafted + 1])
    return ahead + [_FREE] * (drafted + 1 - len(ahead))


def force(logits: Any, tokens: Sequence[int]) -> None:
    """Leave of each row only its token; rows of -1 stay. `logits` are a table as of torch or NumPy."""
    rows = [row for row, token in enumerate(tokens) if token != _FREE]
    if rows:
        logits[rows] = _MINUS_INFINITY
        logits[rows, [tokens[row] for row in rows]] = 0.0


def replaying(runner: type) -> type:
    """The class of a model runner, whose `_sample` forces what its requests bring; once is enough.

    It reads `input_batch.req_ids`, the rows' requests in order, and of `requests` what each has written and was given.
    """
    sample = runner._sample  # type: ignore[attr-defined]
    if getattr(sample, "forces", False):
        return runner

    def _sample(self: Any, logits: Any, spec_decode_metadata: Any) -> Any:
        if logits is not None:
            ids = self.input_batch.req_ids
            drafted = [0] * len(ids) if spec_decode_metadata is None else spec_decode_metadata.num_draft_tokens
            tokens: list[int] = []
            for name, count in zip(ids, drafted, strict=True):
                request = self.requests[name]
                given = (request.sampling_params.extra_args or {}).get(ARGUMENT, ())
                tokens += forced_tokens(given, len(request.output_token_ids), count)
            force(logits, tokens)
        return sample(self, logits, spec_decode_metadata)

    _sample.forces = True  # type: ignore[attr-defined]
    runner._sample = _sample  # type: ignore[attr-defined]
    return runner


def register(environment: Mapping[str, str] = os.environ) -> None:
    """vLLM's plug-in; it does nothing unless SSR_REPLAY is 1."""
    if environment.get("SSR_REPLAY") == "1":
        replaying(import_module("vllm.v1.worker.gpu_model_runner").GPUModelRunner)
