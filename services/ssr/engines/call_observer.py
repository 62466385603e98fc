"""What can be seen of a pool's calls: each as its caller has it, and every attempt at it on a replica."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Protocol

from ssr.runtime.telemetry.tracing import NO_SPAN, Span


class EngineCallKind(StrEnum):
    """What an engine is asked for."""

    GENERATE = "generate"
    STREAM = "stream"
    NEXT_TOKEN = "next_token"
    LIKELIHOOD = "likelihood"


class CallObserver(Protocol):
    """Is entered around what it sees; an error that leaves the block is what came of it."""

    def call(self, kind: EngineCallKind) -> AbstractContextManager[Span]:
        """A call with its wait for a place and all attempts."""

    def attempt(self, kind: EngineCallKind | None) -> AbstractContextManager[None]:
        """One attempt on one replica; `kind` None: of what costs no tokens."""


class Unobserved:
    """Sees nothing."""

    def call(self, kind: EngineCallKind) -> AbstractContextManager[Span]:
        return nullcontext(NO_SPAN)

    def attempt(self, kind: EngineCallKind | None) -> AbstractContextManager[None]:
        return nullcontext()
