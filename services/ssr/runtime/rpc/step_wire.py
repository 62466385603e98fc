"""Messages of proto/ssr/v1/step.proto and the core's types, in both directions: steps, strategies, calls, paths."""

from __future__ import annotations

from collections.abc import Iterable

from ssr.core.steps import CutText
from ssr.core.types import Call, CallKind, PathContext, Source, Step, Strategy, WorkedExample
from ssr.runtime.rpc.enum_wire import EnumWire
from ssr.v1 import step_pb2

_SOURCE = EnumWire(step_pb2.StepSource, "STEP_SOURCE")
_CALL_KIND = EnumWire(step_pb2.CallKind, "CALL_KIND")


def strategy_to_wire(strategy: Strategy) -> step_pb2.Strategy:
    examples = [step_pb2.WorkedExample(problem=one.problem, solution=one.solution) for one in strategy.examples]
    return step_pb2.Strategy(code=strategy.code, name=strategy.name, hint=strategy.hint, examples=examples)


def strategy_from_wire(message: step_pb2.Strategy) -> Strategy:
    examples = tuple(WorkedExample(one.problem, one.solution) for one in message.examples)
    return Strategy(message.code, message.name, message.hint, examples)


def step_to_wire(step: Step) -> step_pb2.Step:
    return step_pb2.Step(
        index=step.index,
        text=step.text,
        source=_SOURCE.number(step.source),
        score=step.score,
        tokens=step.tokens,
        ends_turn=step.ends_turn,
        draft_score=step.draft_score,
        cut=step.cut,
        logprob=step.logprob,
        draft_text=step.draft_text,
    )


def step_from_wire(message: step_pb2.Step) -> Step:
    return Step(
        index=message.index,
        text=CutText(message.text) if message.cut else message.text,
        source=_SOURCE.read(Source, message.source),
        tokens=message.tokens,
        score=message.score if message.HasField("score") else None,
        ends_turn=message.ends_turn,
        draft_score=message.draft_score if message.HasField("draft_score") else None,
        logprob=message.logprob if message.HasField("logprob") else None,
        draft_text=message.draft_text,
    )


def calls_to_wire(calls: Iterable[Call]) -> list[step_pb2.Call]:
    return [
        step_pb2.Call(
            kind=_CALL_KIND.number(call.kind),
            model=call.model,
            parameters=call.parameters,
            prompt_tokens=call.prompt_tokens,
            cached_tokens=call.cached_tokens,
            generated_tokens=call.generated_tokens,
            continued=call.continued,
            cache_unreported=call.cache_unreported,
            tail_tokens=call.tail_tokens,
            engine_s=call.engine_s,
        )
        for call in calls
    ]


def calls_from_wire(messages: Iterable[step_pb2.Call]) -> tuple[Call, ...]:
    return tuple(
        Call(
            kind=_CALL_KIND.read(CallKind, message.kind),
            model=message.model,
            parameters=message.parameters,
            prompt_tokens=message.prompt_tokens,
            cached_tokens=message.cached_tokens,
            generated_tokens=message.generated_tokens,
            continued=message.continued,
            cache_unreported=message.cache_unreported,
            tail_tokens=message.tail_tokens,
            engine_s=message.engine_s if message.HasField("engine_s") else None,
        )
        for message in messages
    )


def context_to_wire(context: PathContext, *, batch: bool = False, cache_salt: str = "") -> step_pb2.PathContext:
    return step_pb2.PathContext(
        job_id=context.job_id,
        path=context.path,
        problem=context.problem,
        strategy=strategy_to_wire(context.strategy),
        steps=context.steps,
        seed=context.seed,
        batch=batch,
        cache_salt=cache_salt,
        domain=context.domain,
        cut=[index for index, step in enumerate(context.steps) if isinstance(step, CutText)],
    )


def context_from_wire(message: step_pb2.PathContext) -> PathContext:
    cut = frozenset(message.cut)
    return PathContext(
        job_id=message.job_id,
        path=message.path,
        problem=message.problem,
        strategy=strategy_from_wire(message.strategy),
        steps=tuple(CutText(step) if index in cut else step for index, step in enumerate(message.steps)),
        seed=message.seed,
        domain=message.domain,
    )
