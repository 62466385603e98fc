"""A model writes a path's next steps: the one act that drafting, rewriting and the baseline share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from ssr.core.answers import boxed
from ssr.core.path_stream import behind
from ssr.core.prompts import CLOSING, THINKING_ENDS, closed_thinking, solving
from ssr.core.seeds import call_seed, path_seed
from ssr.core.stages import Written
from ssr.core.step_cutter import StepCutter, normalise_step
from ssr.core.steps import BOUNDARY, join_path, open_text, well_formed
from ssr.core.thinking import CLOSE, is_thinking, outside, said, without_empty_thinking
from ssr.core.types import Call, CallKind, Options, PathContext, Source, Step
from ssr.domains import domain_named
from ssr.engines.base import Engine, EngineInfo, Finish, Generation, Likelihood, NextToken, Sampling, total_logprob
from ssr.engines.context_left import checked_tokens_left, context_full, refusals_as_full, tokens_left
from ssr.engines.growing_turn import GrowingTurn, HeldPlace, StreamedStep, mean_logprob
from ssr.engines.rendering import PromptRenderer, TurnPrompt

#: An answer is short.
_CLOSING_TOKENS = 48
#: What a path in its thinking leaves of the context for the end of the thinking and an answer.
_ANSWER_TOKENS = 256
#: Calls for one step: blank lines that end none make engines stop, too.
_MOST_CALLS = 24


@dataclass(slots=True)
class _Writing:
    """One step in the making. `thinking_left` is how many tokens the path may still think; None: no limit."""

    info: EngineInfo
    prompt: TurnPrompt
    sampling: Sampling
    affinity: str
    unfinished: str  #: what the step goes on from without a blank line between, of the turn before it
    thinking_left: int | None
    text: str = ""  #: as it came
    generations: list[Generation] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return sum(generation.tokens for generation in self.generations)

    @property
    def logprob(self) -> float | None:
        """The mean of the tokens' log probabilities; None where the engine does not report them."""
        spoken = total_logprob(generation.logprob for generation in self.generations)
        return mean_logprob(spoken, self.tokens) if self.tokens and spoken is not None else None

    @property
    def turn(self) -> str:
        """The assistant's turn before the step."""
        return self.prompt.turn

    @property
    def begun(self) -> str:
        """The turn, with what the template itself has written of it."""
        return self.prompt.turn + self.prompt.begun


class Author:
    """Writes steps with one engine. `kind` and `source` say on whose behalf."""

    def __init__(self, engine: Engine, kind: CallKind, source: Source) -> None:
        self._engine, self._kind, self._source = engine, kind, source
        self._renderer = PromptRenderer(engine)

    async def write(self, context: PathContext, options: Options) -> Written:
        """The step that follows the context's steps.

        An empty text is a legal outcome: the model had nothing to add. `options.max_thinking_tokens` is what the path
        may still think; thinking that has used them up ends with the step.
        Raises: ContextFull when the model's context has no room for another token; the engine's errors.
        """
        writing = await self._begin(context, options)
        if is_thinking(writing.turn) and await self._thought_enough(writing):
            return self._written(context, writing, THINKING_ENDS, ends_turn=False)
        text, finish = await self._step(writing, options.max_step_tokens)
        logprob = writing.logprob  # as in a stream, without that of an answer it is asked for
        if finish is Finish.EOS:
            text = await self._ended(writing, text)
        elif _spent(writing) and is_thinking(writing.turn + text):
            text = closed_thinking(text)
        written = self._written(context, writing, text, ends_turn=finish is Finish.EOS)
        return replace(written, step=replace(written.step, logprob=logprob))

    async def stream(self, context: PathContext, options: Options, *, most: int = 0) -> AsyncGenerator[Written, None]:
        """The steps that follow the context's; see `core.stages.StepWriter`.

        One engine call writes them, which ends early where something else than its own text must follow: the end of
        thinking that has used up its tokens. Raises: as `write`.
        """
        if most == 1:
            yield await self.write(context, options)
            return
        given = 0
        while options.max_path_tokens > 0:
            async with aclosing(self._streamed(context, options)) as steps:
                async for written in steps:
                    context, options = behind(context, options, written.step)
                    given += 1
                    yield written
                    if given == most or written.step.ends_turn or not written.step.text:
                        return

    async def _streamed(self, context: PathContext, options: Options) -> AsyncGenerator[Written, None]:
        """The steps of one engine call, at least one."""
        writing = await self._begin(context, options)
        if is_thinking(writing.turn) and await self._thought_enough(writing):
            yield self._written(context, writing, THINKING_ENDS, ends_turn=False)
            return
        prompt, kept = writing.prompt.text(), _ANSWER_TOKENS if is_thinking(writing.begun) else 0
        left = await checked_tokens_left(self._engine, writing.info, prompt, options.max_path_tokens + kept)
        growing, held = GrowingTurn(context, options, writing.prompt.begun), HeldPlace()
        with refusals_as_full(writing.info):
            pieces = self._engine.stream(
                prompt,
                max_tokens=left - kept if left > kept else left,
                sampling=writing.sampling,
                affinity=writing.affinity,
            )
            async with aclosing(pieces):
                async for piece in pieces:
                    held.seen(piece)
                    for written in growing.take(piece):
                        yield self._accounted(written, writing.info, held.lap())
                    if growing.done:
                        break
        if (last := growing.last) is not None:
            seconds = held.lap()
            yield self._accounted(await self._completed(growing, last), writing.info, seconds)

    async def _completed(self, growing: GrowingTurn, last: StreamedStep) -> StreamedStep:
        """The last step of an engine's stream, with its answer where it lacks one."""
        if not last.ends_turn:
            return last
        ending = await self._begin(growing.context, growing.options)
        ending.text = last.raw
        text = await self._ended(ending, last.text)
        calls = tuple(generation_call(self._kind, ending.info, generation) for generation in ending.generations)
        return replace(last, text=text, calls=calls)

    def _accounted(self, step: StreamedStep, info: EngineInfo, seconds: float | None) -> Written:
        """The step as it is given; with the stream's first one goes the cost of its prompt.

        `seconds`: how long the stream has held its place for it.
        """
        call = Call(
            kind=self._kind,
            model=info.model,
            parameters=info.parameters or 0,
            prompt_tokens=(step.prompt_tokens or 0) if step.first else 0,
            cached_tokens=(step.cached_tokens or 0) if step.first else 0,
            generated_tokens=step.tokens,
            continued=not step.first,
            cache_unreported=step.first and step.cached_tokens is None,
            engine_s=seconds,
        )
        tokens = step.tokens + sum(more.generated_tokens for more in step.calls)
        written = Step(step.index, step.text, self._source, tokens, ends_turn=step.ends_turn, logprob=step.logprob)
        return Written(written, (call, *step.calls))

    async def _ended(self, writing: _Writing, text: str) -> str:
        """The text of a step that ended its turn."""
        if _answers_in_anothers_thinking(writing, text):
            return f"{CLOSE}{BOUNDARY}{text}"
        return await self._asked_for_answer(writing, text) if _lacks_answer(writing, text) else text

    async def _begin(self, context: PathContext, options: Options) -> _Writing:
        info = await self._engine.info()
        dialogue = solving(context.problem, context.strategy, domain_named(context.domain).prompts)
        think = options.max_thinking_tokens != 0
        prompt = await self._renderer.turn(dialogue, join_path(context.steps), think=think)
        thinks = is_thinking(prompt.turn + prompt.begun)
        thinking = options.max_thinking_tokens if thinks else None
        sampling = Sampling(options.temperature, options.top_p, self._seed(context), thinking)
        unfinished = open_text(context.steps)
        return _Writing(info, prompt, sampling, affinity(context), unfinished, options.max_thinking_tokens)

    def _seed(self, context: PathContext) -> int:
        """A rewrite is a call of its own; all others are parts of one stream, wherever they begin."""
        if self._kind is CallKind.REWRITE:
            return call_seed(context.seed, context.path, len(context.steps), self._kind)
        return path_seed(context.seed, context.path, self._kind)

    async def _thought_enough(self, writing: _Writing) -> bool:
        """Whether a path in its thinking has to come to its answer: its budget or the context is used up."""
        if _spent(writing):
            return True
        left = await tokens_left(self._engine, writing.info, writing.prompt.text(), _ANSWER_TOKENS + 1)
        if left < 1:
            raise context_full(writing.info)
        return left <= _ANSWER_TOKENS

    async def _step(self, writing: _Writing, max_tokens: int) -> tuple[str, Finish]:
        """The text up to where the step ends, and why the model ended there."""
        cutter = StepCutter(writing.unfinished)
        cutter.feed(writing.prompt.begun)
        thinks = is_thinking(writing.begun)
        if thinks and writing.thinking_left is not None:
            max_tokens = min(max_tokens, max(1, writing.thinking_left))
        while True:
            generation = await self._generated(writing, max_tokens - writing.tokens, thinks)
            new = well_formed(generation.text) + (BOUNDARY if generation.finish is Finish.STOP else "")
            writing.text += new
            if steps := cutter.feed(new):
                return self._first(writing, steps[0]), Finish.STOP
            done = generation.finish is not Finish.STOP or writing.tokens >= max_tokens
            if done or len(writing.generations) >= _MOST_CALLS:
                break
        rest = cutter.rest(cut=generation.finish is not Finish.EOS)
        return self._first(writing, rest), generation.finish

    @staticmethod
    def _first(writing: _Writing, text: str) -> str:
        """A model that may think and does not says so at the beginning of its turn, by thinking nothing."""
        return text if writing.turn else without_empty_thinking(text)

    async def _generated(self, writing: _Writing, most: int, thinks: bool) -> Generation:
        """Up to the next blank line. Raises: ContextFull; the engine's errors."""
        prompt, kept = writing.prompt.text(writing.text), _ANSWER_TOKENS if thinks else 0
        left = await checked_tokens_left(self._engine, writing.info, prompt, most + kept)
        return await self._generate(writing, prompt, left - kept if left > kept else left, BOUNDARY)

    async def _generate(self, writing: _Writing, prompt: str, max_tokens: int, stop: str) -> Generation:
        with refusals_as_full(writing.info):
            generation = await self._engine.generate(
                prompt, max_tokens=max_tokens, stop=(stop,), sampling=writing.sampling, affinity=writing.affinity
            )
        writing.generations.append(generation)
        return generation

    async def _asked_for_answer(self, writing: _Writing, text: str) -> str:
        """What follows when a turn that ended without a boxed answer is made to go on with one: small models forget.

        Thinking that the turn ended in is closed before. Where no box comes again, the text stays as it was.
        """
        lead = f"\n{CLOSE}\n\n{CLOSING}" if is_thinking(writing.turn + text) else f"\n{CLOSING}"
        prompt = writing.prompt.text(writing.text.rstrip() + lead)
        left = await checked_tokens_left(self._engine, writing.info, prompt, _CLOSING_TOKENS)
        answer = well_formed((await self._generate(writing, prompt, left, "\n")).text)
        if boxed(lead + answer) is None:
            return text
        closed = f"{text}{lead}{answer}"
        return closed.rstrip() if writing.unfinished else normalise_step(closed)

    def _written(self, context: PathContext, writing: _Writing, text: str, *, ends_turn: bool) -> Written:
        step = Step(len(context.steps), text, self._source, writing.tokens, ends_turn=ends_turn)
        calls = tuple(generation_call(self._kind, writing.info, generation) for generation in writing.generations)
        return Written(step, calls)


def _spent(writing: _Writing) -> bool:
    """Whether the path has thought as long as it may."""
    return writing.thinking_left is not None and writing.tokens >= writing.thinking_left


def _answers_in_anothers_thinking(writing: _Writing, text: str) -> bool:
    """Whether a model that does not think has given its answer for good, in a turn whose thinking another one began."""
    thinking = is_thinking(writing.turn) and is_thinking(writing.turn + text) and not writing.prompt.thinks
    return thinking and not writing.unfinished and boxed(text) is not None


def _lacks_answer(writing: _Writing, text: str) -> bool:
    """Whether a turn that has ended with `text` must be asked for its answer."""
    before, last = writing.turn.removesuffix(writing.unfinished), writing.unfinished + text
    if is_thinking(writing.turn + text):
        return True
    thinking = is_thinking(before)
    what = outside(last) if CLOSE in before and not thinking else said(last, thinking=thinking)
    return bool(writing.turn or text) and boxed(what) is None


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
        cache_unreported=generation.cached_tokens is None,
        engine_s=generation.seconds,
    )


def question_call(kind: CallKind, info: EngineInfo, token: NextToken | Likelihood, *, tail_share: float = 0.0) -> Call:
    """The cost of reading one token's candidates, or a prompt's own tokens, for the ledger.

    `tail_share` is the share of the prompt's characters that `Call.tail_tokens` stands for. To report a prompt's own
    tokens, engines process it anew: that none were cached is known then.
    """
    return Call(
        kind=kind,
        model=info.model,
        parameters=info.parameters or 0,
        prompt_tokens=token.prompt_tokens or 0,
        cached_tokens=token.cached_tokens or 0,
        generated_tokens=1,
        cache_unreported=token.cached_tokens is None and isinstance(token, NextToken),
        tail_tokens=round(tail_share * (token.prompt_tokens or 0)),
        engine_s=token.seconds,
    )
