"""The selector, drafter and verifier as gRPC services: they implement the core's Protocols, retries included."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from pydantic import SecretStr

from ssr.core.answers import Equivalence
from ssr.core.job import Priority
from ssr.core.stages import OnRejected, Selection, Stages, Verdict, unheard
from ssr.core.types import Options, PathContext, Step
from ssr.engines.load import Pool
from ssr.orchestrator.metrics.job_records import JobRecords
from ssr.orchestrator.metrics.stages import Stage
from ssr.orchestrator.run.parking import Parking
from ssr.orchestrator.run.peer import Peer
from ssr.orchestrator.run.remote_steps import CannotStream, RemoteSteps, Streaming, VerdictInParts
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.runtime.rpc.channel import open_channel
from ssr.runtime.rpc.options_wire import sampling_to_wire
from ssr.runtime.rpc.step_wire import calls_from_wire, context_to_wire, step_from_wire, step_to_wire, strategy_from_wire
from ssr.runtime.rpc.tls import client_end
from ssr.runtime.telemetry.log_context import about_next_step
from ssr.runtime.telemetry.tracing import Span
from ssr.v1 import (
    drafting_pb2,
    drafting_pb2_grpc,
    selection_pb2,
    selection_pb2_grpc,
    step_pb2,
    verification_pb2,
    verification_pb2_grpc,
)


@dataclass(frozen=True, slots=True)
class OnBehalf:
    """Whose calls to engines these are: those of priority batch wait behind the rest; see `Origin.cache_salt`."""

    batch: bool = False
    cache_salt: str = ""


ANYBODY = OnBehalf()


def behalf_of(tenant: str, priority: Priority, salt_key: SecretStr | None) -> OnBehalf:
    """With a key, each tenant has a salt of its own that nobody guesses."""
    key = salt_key.get_secret_value().encode() if salt_key else b""
    salt = hmac.digest(key, tenant.encode(), "sha256").hex() if key else ""
    return OnBehalf(priority is Priority.BATCH, salt)


class RemoteSelector:
    """Implements `core.stages.Selector` with a SelectionService."""

    def __init__(
        self, stub: selection_pb2_grpc.SelectionServiceAsyncStub, peer: Peer, behalf: OnBehalf = ANYBODY
    ) -> None:
        self._stub, self._peer, self._behalf = stub, peer, asdict(behalf)

    def on_behalf(self, behalf: OnBehalf) -> RemoteSelector:
        return RemoteSelector(self._stub, self._peer, behalf)

    async def select(self, job_id: str, problem: str, options: Options) -> Selection:
        request = selection_pb2.SelectRequest(
            job_id=job_id,
            problem=problem,
            strategy_set=options.strategy_set,
            count=options.paths,
            selection=options.selection,
            domain=options.domain,
            **self._behalf,
        )
        with self._peer.span(Stage.SELECT, job_id):
            reply = await self._peer.call(Stage.SELECT, self._stub.Select, request, job_id)
        return Selection(tuple(map(strategy_from_wire, reply.strategies)), calls_from_wire(reply.calls))

    async def strategy_sets(self) -> list[str]:
        """The names of the strategy sets."""
        request = selection_pb2.ListStrategySetsRequest()
        reply = await self._peer.call(Stage.STRATEGY_SETS, self._stub.ListStrategySets, request)
        return [strategy_set.name for strategy_set in reply.strategy_sets]


class RemoteDrafter(RemoteSteps[drafting_pb2.DraftRequest, drafting_pb2.DraftResponse]):
    """Implements `core.stages.StepWriter` with a DraftingService."""

    def __init__(
        self,
        stub: drafting_pb2_grpc.DraftingServiceAsyncStub,
        peer: Peer,
        behalf: OnBehalf = ANYBODY,
        streaming: Streaming | None = None,
    ) -> None:
        streams = streaming or Streaming()
        super().__init__(
            peer, Stage.DRAFT, stub.Draft, stub.DraftSteps, drafting_pb2.DraftRequest, asdict(behalf), streams
        )
        self._stub = stub

    def on_behalf(self, behalf: OnBehalf) -> RemoteDrafter:
        return RemoteDrafter(self._stub, self._peer, behalf, self._streaming)

    async def measure(self, text: str) -> step_pb2.MeasureResponse:
        request = step_pb2.MeasureRequest(text=text)
        return await self._peer.call(Stage.MEASURE, self._stub.Measure, request)


class RemoteVerifier(RemoteSteps[verification_pb2.WriteRequest, verification_pb2.WriteResponse]):
    """Implements `core.stages.Verifier`, and StepWriter for the target alone, with a VerificationService."""

    def __init__(
        self,
        stub: verification_pb2_grpc.VerificationServiceAsyncStub,
        peer: Peer,
        behalf: OnBehalf = ANYBODY,
        streaming: Streaming | None = None,
    ) -> None:
        streams = streaming or Streaming()
        super().__init__(
            peer, Stage.WRITE, stub.Write, stub.WriteSteps, verification_pb2.WriteRequest, asdict(behalf), streams
        )
        self._stub = stub

    def on_behalf(self, behalf: OnBehalf) -> RemoteVerifier:
        return RemoteVerifier(self._stub, self._peer, behalf, self._streaming)

    async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
        request = verification_pb2.VerifyRequest(
            context=context_to_wire(context, **self._behalf),
            step=step_to_wire(step),
            threshold=options.threshold,
            scorer=options.scorer,
            repeat_rule=options.repeat_rule,
            sampling=sampling_to_wire(options),
            max_tokens=options.max_step_tokens,
        )
        in_parts = rejected is not unheard and self._streaming.believed
        with self._peer.step_span(Stage.VERIFY, context) as span, about_next_step(context, step.text):
            reply = await self._verified(request, context.job_id, rejected, in_parts=in_parts)
            verdict = Verdict(step_from_wire(reply.step), reply.accepted, calls_from_wire(reply.calls))
            _report(span, verdict)
            return verdict

    async def _verified(
        self, request: verification_pb2.VerifyRequest, job_id: str, rejected: OnRejected, *, in_parts: bool
    ) -> verification_pb2.VerifyResponse:
        if in_parts:
            try:
                return await self._peer.call(
                    Stage.VERIFY, VerdictInParts(self._stub.VerifyInParts, rejected), request, job_id
                )
            except CannotStream:
                self._streaming.refused()
        return await self._peer.call(Stage.VERIFY, self._stub.Verify, request, job_id)

    async def measure(self, text: str) -> step_pb2.MeasureResponse:
        request = step_pb2.MeasureRequest(text=text)
        return await self._peer.call(Stage.MEASURE, self._stub.Measure, request)


@dataclass(frozen=True, slots=True)
class RemoteStages:
    """The three services of the orchestrator, connected."""

    selector: RemoteSelector
    drafter: RemoteDrafter
    verifier: RemoteVerifier
    equivalence: Equivalence

    @property
    def solving(self) -> Stages:
        """What `solve` needs."""
        return Stages(self.selector, self.drafter, self.verifier, self.verifier, self.equivalence)

    def solving_for(self, behalf: OnBehalf) -> Stages:
        """The same with calls on somebody's behalf."""
        selector, drafter = self.selector.on_behalf(behalf), self.drafter.on_behalf(behalf)
        verifier = self.verifier.on_behalf(behalf)
        return Stages(selector, drafter, verifier, verifier, self.equivalence)


@asynccontextmanager
async def open_stages(
    settings: OrchestratorSettings, equivalence: Equivalence, watch: JobRecords, parking: Parking
) -> AsyncIterator[RemoteStages]:
    """The services of these settings, connected until the block ends. They need not be up."""
    tls = client_end(settings.tls)

    selector = Peer("selector", Pool.TARGET, settings.select_timeout_s, watch.stages, watch.tracing, parking)
    drafter = Peer("drafter", Pool.DRAFT, settings.step_timeout_s, watch.stages, watch.tracing, parking)
    verifier = Peer("verifier", Pool.TARGET, settings.step_timeout_s, watch.stages, watch.tracing, parking)
    async with (
        open_channel(settings.selector, tls=tls) as selection,
        open_channel(settings.drafter, tls=tls) as drafting,
        open_channel(settings.verifier, tls=tls) as verification,
    ):
        yield RemoteStages(
            RemoteSelector(selection_pb2_grpc.SelectionServiceStub(selection), selector),
            RemoteDrafter(drafting_pb2_grpc.DraftingServiceStub(drafting), drafter),
            RemoteVerifier(verification_pb2_grpc.VerificationServiceStub(verification), verifier),
            equivalence,
        )


def _report(span: Span, verdict: Verdict) -> None:
    step = verdict.step
    score = step.score if verdict.accepted else step.draft_score
    span.set(accepted=verdict.accepted, tokens=step.tokens, **({} if score is None else {"score": score}))
