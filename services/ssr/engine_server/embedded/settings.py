"""What the embedded engine needs to know."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class EmbeddedSettings(BaseModel):
    """One model in this process. The defaults suit a laptop and models of up to 2 billion parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_path: Path
    """A GGUF file."""
    model_id: str
    """The name that /info reports."""
    context_tokens: int = Field(default=16384, ge=256)
    """Tokens that fit the key-value cache: of all running requests together, prompts and generated."""
    slots: int = Field(default=8, ge=1, le=64)
    """Requests decoded together; more wait."""
    threads: int | None = Field(default=None, ge=1)
    """Threads that compute; None is one a physical core, because hyperthreads only slow the arithmetic down."""
    max_concurrent_requests: int = Field(default=128, ge=1)
    """Requests running and waiting; one more is refused with 429."""
    max_top_n_tokens: int = Field(default=20, ge=0)
    """As TGI's --max-top-n-tokens, whose own default of 5 does not hold the ten digits."""
    max_total_tokens: int = Field(default=4096, ge=2)
    """Prompt and generated tokens of one request."""
    cache_ram_mib: int = Field(default=1024, ge=0)
    """Memory in MiB for prompts whose place in the key-value cache was taken by others; 0 keeps none."""

    @model_validator(mode="after")
    def _one_request_fits(self) -> Self:
        if self.max_total_tokens > self.context_tokens:
            raise ValueError(
                f"max_total_tokens ({self.max_total_tokens}) must not exceed context_tokens ({self.context_tokens})"
            )
        return self
