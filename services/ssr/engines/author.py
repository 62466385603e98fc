"""A model writes the next step of a path: the one act that drafting, rewriting and the baseline share."""

from __future__ import annotations

from ssr.core.answers import boxed
from ssr.core.errors import ContextFull
from ssr.core.prompts import CLOSING, solving
from ssr.core.seeds import call_seed
from ssr.core.steps import BOUNDARY, join_path, normalise_step
from ssr.core.types import Call, CallKind, Options, PathContext, Source, Step, Written
from ssr.engines.base import Engine, EngineInfo, Finish, Generation, Likelihood, NextToken, Sampling
from ssr.engines.rendering import PromptRenderer

#: An answer is short.
_CLOSING_TOKENS = 48


class Author:
    """Writes steps with one engine. `kind` and `source` say on whose behalf."""

    def __init__(self, engine: Engine, kind: CallKind, source: Source) -> None:
        self._engine, self._kind, self._source = engine, kind, source
        self._renderer = PromptRenderer(engine)

    async def write(self, context: PathContext, options: Options) -> Written:
        """The step that follows the context's steps.

        An empty text is a legal outcome: the model had nothing to add.
        Raises: ContextFull when the model's context has no room for another token; the engine's errors.
        """
        info = await self._engine.info()
        opening = await self._renderer.render(solving(context.problem, context.strategy))
        prompt = opening + join_path(context.steps)
        index = len(context.steps)
        sampling = Sampling(
            options.temperature, options.top_p, call_seed(context.seed, context.path, index, self._kind)
        )
        generation = await self._generated(prompt, options.max_step_tokens, info, sampling, affinity(context))
        generations = [generation]
        text = normalise_step(generation.text)
        if text and generation.finish is Finish.EOS and boxed(text) is None:
            closing = await self._close(prompt + text, sampling, affinity(context))
            generations.append(closing)
            if boxed(closed := f"{text}\n{CLOSING}{closing.text}") is not None:
                text = normalise_step(closed)
        step = Step(
            index=index,
            text=text,
            source=self._source,
            tokens=sum(generation.tokens for generation in generations),
            ends_turn=generation.finish is Finish.EOS,
        )
        return Written(step, tuple(generation_call(self._kind, info, generation) for generation in generations))

    async def _generated(self, prompt: str, most: int, info: EngineInfo, sampling: Sampling, path: str) -> Generation:
        """Up to the next boundary. Raises: ContextFull; the engine's errors."""
        capacity = await self._capacity(prompt, most, info)
        return await self._engine.generate(
            prompt, max_tokens=capacity, stop=(BOUNDARY,), sampling=sampling, affinity=path
        )

    async def _close(self, turn: str, sampling: Sampling, path: str) -> Generation:
        """What follows when a turn that ended without a boxed answer is made to go on with one: small models forget."""
        return await self._engine.generate(
            f"{turn}\n{CLOSING}", max_tokens=_CLOSING_TOKENS, stop=("\n",), sampling=sampling, affinity=path
        )

    async def _capacity(self, prompt: str, most: int, info: EngineInfo) -> int:
        """How many tokens may follow, `most` of them.

        A token is at least one byte of UTF-8, so the engine is asked for a count only when it could matter.
        """
        if len(prompt.encode()) + most <= info.max_total_tokens:
            return most
        capacity = info.max_total_tokens - await self._engine.count_tokens(prompt)
        if capacity < 1:
            raise ContextFull(f"the path fills the {info.max_total_tokens} tokens of {info.model}'s context")
        return min(most, capacity)


def affinity(context: PathContext) -> str:
    """What the calls of one path share: their prefix."""
    return f"{context.job_id}/{context.path}"


def generation_call(kind: CallKind, info: EngineInfo, generation: Generation) -> Call:
    """The cost of a generation, for the ledger."""
    return Call(
        kind=kind,
        model=info.model,
        parameters=info.parameters or 0,
        prompt_tokens=generation.prompt_tokens or 0,
        cached_tokens=generation.cached_tokens or 0,
        generated_tokens=generation.tokens,
    )


def question_call(kind: CallKind, info: EngineInfo, token: NextToken | Likelihood) -> Call:
    """The cost of reading one token's candidates, or a prompt's own tokens, for the ledger."""
    return Call(
        kind=kind,
        model=info.model,
        parameters=info.parameters or 0,
        prompt_tokens=token.prompt_tokens or 0,
        cached_tokens=token.cached_tokens or 0,
        generated_tokens=1,
    )
