"""The selector, drafter and verifier as gRPC services: they implement the core's Protocols, retries included."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from grpc import aio

from ssr.core.answers import Equivalence
from ssr.core.errors import Retryable, TimedOut
from ssr.core.solve import Crew
from ssr.core.types import Options, PathContext, Selection, Step, Verdict, Written
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.rpc.channel import open_channel
from ssr.rpc.errors import remote_errors
from ssr.rpc.wire import (
    calls_from_wire,
    context_to_wire,
    sampling_to_wire,
    step_from_wire,
    step_to_wire,
    strategy_from_wire,
)
from ssr.v1 import (
    drafting_pb2,
    drafting_pb2_grpc,
    selection_pb2,
    selection_pb2_grpc,
    step_pb2,
    verification_pb2,
    verification_pb2_grpc,
)

Request = TypeVar("Request")
Reply = TypeVar("Reply")

_FIRST_BACKOFF_S = 0.1
_MAX_BACKOFF_S = 5.0


class RemoteSelector:
    """Implements `core.solve.Selector` with a SelectionService."""

    def __init__(self, stub: selection_pb2_grpc.SelectionServiceAsyncStub, timeout_s: float) -> None:
        self._stub, self._timeout_s = stub, timeout_s

    async def select(self, job_id: str, problem: str, pool: str, count: int) -> Selection:
        request = selection_pb2.SelectRequest(job_id=job_id, problem=problem, pool=pool, count=count)
        reply = await _retrying("selector", self._timeout_s, self._stub.Select, request)
        return Selection(tuple(map(strategy_from_wire, reply.strategies)), calls_from_wire(reply.calls))

    async def pools(self) -> list[str]:
        """The names of the strategy pools."""
        request = selection_pb2.ListPoolsRequest()
        reply = await _retrying("selector", self._timeout_s, self._stub.ListPools, request)
        return [pool.name for pool in reply.pools]


class RemoteDrafter:
    """Implements `core.solve.StepWriter` with a DraftingService."""

    def __init__(self, stub: drafting_pb2_grpc.DraftingServiceAsyncStub, timeout_s: float) -> None:
        self._stub, self._timeout_s = stub, timeout_s

    async def write(self, context: PathContext, options: Options) -> Written:
        request = drafting_pb2.DraftRequest(
            context=context_to_wire(context), sampling=sampling_to_wire(options), max_tokens=options.max_step_tokens
        )
        reply = await _retrying("drafter", self._timeout_s, self._stub.Draft, request)
        return Written(step_from_wire(reply.step), calls_from_wire(reply.calls))

    async def measure(self, text: str) -> step_pb2.MeasureResponse:
        request = step_pb2.MeasureRequest(text=text)
        return await _retrying("drafter", self._timeout_s, self._stub.Measure, request)


class RemoteVerifier:
    """Implements `core.solve.Verifier`, and StepWriter for the target alone, with a VerificationService."""

    def __init__(self, stub: verification_pb2_grpc.VerificationServiceAsyncStub, timeout_s: float) -> None:
        self._stub, self._timeout_s = stub, timeout_s

    async def verify(self, context: PathContext, step: Step, options: Options) -> Verdict:
        request = verification_pb2.VerifyRequest(
            context=context_to_wire(context),
            step=step_to_wire(step),
            threshold=options.threshold,
            scorer=options.scorer,
            sampling=sampling_to_wire(options),
            max_tokens=options.max_step_tokens,
        )
        reply = await _retrying("verifier", self._timeout_s, self._stub.Verify, request)
        return Verdict(step_from_wire(reply.step), reply.accepted, calls_from_wire(reply.calls))

    async def write(self, context: PathContext, options: Options) -> Written:
        request = verification_pb2.WriteRequest(
            context=context_to_wire(context), sampling=sampling_to_wire(options), max_tokens=options.max_step_tokens
        )
        reply = await _retrying("verifier", self._timeout_s, self._stub.Write, request)
        return Written(step_from_wire(reply.step), calls_from_wire(reply.calls))

    async def measure(self, text: str) -> step_pb2.MeasureResponse:
        request = step_pb2.MeasureRequest(text=text)
        return await _retrying("verifier", self._timeout_s, self._stub.Measure, request)


@dataclass(frozen=True, slots=True)
class RemoteCrew:
    """The three services of the orchestrator, connected."""

    selector: RemoteSelector
    drafter: RemoteDrafter
    verifier: RemoteVerifier
    equivalence: Equivalence

    @property
    def solving(self) -> Crew:
        """What `solve` needs."""
        return Crew(self.selector, self.drafter, self.verifier, self.verifier, self.equivalence)


@asynccontextmanager
async def open_crew(settings: OrchestratorSettings, equivalence: Equivalence) -> AsyncIterator[RemoteCrew]:
    """The services of these settings, connected until the block ends. They need not be up."""
    async with (
        open_channel(settings.selector) as selection,
        open_channel(settings.drafter) as drafting,
        open_channel(settings.verifier) as verification,
    ):
        yield RemoteCrew(
            RemoteSelector(selection_pb2_grpc.SelectionServiceStub(selection), settings.select_timeout_s),
            RemoteDrafter(drafting_pb2_grpc.DraftingServiceStub(drafting), settings.step_timeout_s),
            RemoteVerifier(verification_pb2_grpc.VerificationServiceStub(verification), settings.step_timeout_s),
            equivalence,
        )


async def _retrying(
    peer: str, timeout_s: float, method: aio.UnaryUnaryMultiCallable[Request, Reply], request: Request
) -> Reply:
    """The reply of a service's method, tried again while that may help and time is left.

    Raises: TimedOut, or the service's own last error when the time for another try has run out.
    """
    deadline = time.monotonic() + timeout_s
    backoff_s = _FIRST_BACKOFF_S
    while True:
        left_s = deadline - time.monotonic()
        try:
            async with remote_errors(peer):
                return await method(request, timeout=left_s)
        except Retryable as error:  # a call that timed out, too: an engine that hangs may be one of several
            delay_s = max(error.delay_s if backoff_s > _FIRST_BACKOFF_S else 0.0, backoff_s) * random.uniform(0.5, 1.0)
            if time.monotonic() + delay_s >= deadline:
                if isinstance(error, TimedOut):
                    raise TimedOut(f"{peer}: no answer within {timeout_s:g} s") from error
                raise
        await asyncio.sleep(delay_s)
        backoff_s = min(2 * backoff_s, _MAX_BACKOFF_S)
