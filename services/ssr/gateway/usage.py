"""A job's ledger in OpenAI's words."""

from __future__ import annotations

from typing import Any

from ssr.core.ledger import Usage


def usage_of(usage: Usage, content_tokens: int) -> dict[str, Any]:
    """Tokens of all models together. What is not of the steps that make the content is reasoning.

    Accepted prediction tokens are those of drafts that stand; rejected ones those of all others.
    """
    prompt = sum(model.prompt_tokens for model in usage.models)
    cached = sum(model.cached_tokens for model in usage.models)
    completion = sum(model.generated_tokens for model in usage.models)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {
            "reasoning_tokens": max(0, completion - content_tokens),
            "accepted_prediction_tokens": usage.accepted_tokens,
            "rejected_prediction_tokens": usage.rejected_tokens + usage.wasted_tokens,
        },
    }
