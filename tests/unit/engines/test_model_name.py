"""Sizes in models' names."""

from __future__ import annotations

import pytest

from ssr.engines.model_name import parameters_from_name


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Qwen/Qwen2.5-Coder-1.5B-Instruct", 1_500_000_000),
        ("Qwen/QwQ-32B", 32_000_000_000),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 1_500_000_000),
        ("/models/SmolLM2-135M-Instruct.Q4_1.gguf", 135_000_000),
        ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", 500_000_000),
        ("Qwen/Qwen3-30B-A3B", 3_000_000_000),
        ("/data/70B/small", None),
        ("mistralai/Mixtral-8x7B", None),
        ("openai-community/gpt2", None),
        ("", None),
        ("9" * 400 + "b", None),
    ],
)
def test_parameters_from_name(name: str, parameters: int | None) -> None:
    assert parameters_from_name(name) == parameters
