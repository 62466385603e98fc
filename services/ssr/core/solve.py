"""SSR, the algorithm: a few paths in parallel, each drafted and verified step by step, then a vote.

`solve` is one resumable coroutine for all modes. Everything it decides goes through the `Journal` before it acts
on it, and everything it knows comes from there: after a crash, calling it again with the same journal goes on behind
the last committed step. Paths advance independently; nothing waits for the slowest. What one model writes of a path is
one stream, whose steps are committed as they are complete (`core.path_stream`); drafts are one, too, and go on while
the verifier judges those before (`core.ahead`). Paths begin in waves
(`Options.waves`): all at once, but for those in reserve, those of mode cascade that the target writes, and those of
stop rule evidence. These begin once all before them have ended and left the vote open; with `Options.repair_paths` some
go on from what the drafts share (`core.repair`).
Source: arXiv 2505.15340, sections 3.1 (SPM), 3.2 (SSD), 3.3 (fast modes).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from functools import partial

from ssr.core.acceptance import ScorerName, accepts
from ssr.core.agreement import agreement_score
from ssr.core.ahead import DraftsAhead
from ssr.core.answers import Asked
from ssr.core.errors import ContextFull, SsrError
from ssr.core.evidence.prior import PathAuthor
from ssr.core.evidence.rule import Estimate
from ssr.core.journal import Journal
from ssr.core.lookahead import steps_ahead
from ssr.core.outcome import Outcome, extracted, stopped
from ssr.core.path_stream import PathStream
from ssr.core.poll_run import Pollster
from ssr.core.repair import RepairedPath, start_of
from ssr.core.run import Decision, PathEnded, Run, Selected, StepCommitted, path_end
from ssr.core.stages import Selection, Stages, Verdict, Written
from ssr.core.steps import RepeatRule
from ssr.core.types import MAX_SCORE, NO_STRATEGY, Options, PathContext, PathStatus, Step, StopRule
from ssr.core.vote import settled

#: How long a cancelled path waits for the decision it is just making durable, in seconds.
_SETTLE_S = 5.0


class LimitReached(Exception):
    """The run has used up its budget of tokens or steps; what it has decided stands."""


async def solve(job_id: str, problem: str, options: Options, stages: Stages, journal: Journal) -> Outcome:
    """Solve one problem, or go on with it.

    A path whose services fail for good ends FAILED and has no vote; the others go on.
    Raises: SsrError when the strategies cannot be selected; LimitReached at the end of `max_tokens` or `max_steps`;
    whatever the journal raises. Cancelling it leaves the journal as it is: calling again goes on, `conclude` ends it.
    `max_steps` is exact; `max_tokens` is found out behind a step, and then no other is begun.
    """
    return await _Solving(job_id, problem, options, stages, journal, await journal.load()).outcome()


class _Solving:
    """One call of `solve`: the run's state and the tasks that move it."""

    def __init__(self, job_id: str, problem: str, options: Options, stages: Stages, journal: Journal, run: Run) -> None:
        self._job_id, self._problem, self._options = job_id, problem, options
        self._stages, self._journal, self._run = stages, journal, run
        self._steps_left = asyncio.Semaphore(max(0, options.max_steps - run.committed_steps))
        self._news = asyncio.Event()  # a path has ended, or the run has reached a limit
        self._waves = [asyncio.Event() for _ in options.waves]
        self._waves[0].set()
        self._ending = asyncio.Lock()
        self._decided = "the vote was already decided"
        self._pollster = Pollster(
            Asked(job_id, problem), options, stages.equivalence, stages.posterior, stages.verified
        )

    async def outcome(self) -> Outcome:
        if not self._run.paths:
            selection = await self._select()
            await self._decide(Selected(selection.strategies, selection.calls))
        try:
            await self._grow_all()
        except ExceptionGroup as errors:  # of the journal, or a limit, which comes last: any one of them ends the run
            raise errors.exceptions[0] from None
        run = await stopped(self._run, self._journal, self._decided, self._stages.extract)
        failed = [path for path in run.paths if path.status is PathStatus.FAILED]
        error = failed[0].reason if len(failed) == len(run.paths) else ""
        return Outcome(run, (await self._pollster.count(run, len(run.paths))).votes, error)

    async def _select(self) -> Selection:
        options = self._options
        if not options.mode.selects:
            return Selection((NO_STRATEGY,) * options.paths)
        return await self._stages.selector.select(self._job_id, self._problem, options)

    async def _grow_all(self) -> None:
        """Move every path until the stop rule is satisfied or a limit reached; what still runs then is cancelled."""
        async with asyncio.TaskGroup() as group:
            growing = [
                group.create_task(self._grow(path.index), name=f"{self._job_id}/path-{path.index}")
                for path in self._run.paths
                if path.running
            ]
            await self._until_settled()
            for task in growing:
                task.cancel()

    async def _until_settled(self) -> None:
        while True:
            self._news.clear()
            run = self._run  # more paths may end while the answers are compared
            if await self._settled(run):
                return
            ending = any(path.running and path_end(path, self._options) for path in run.paths)
            if (limit := self._limit(run)) and not ending:
                raise LimitReached(limit)
            await self._news.wait()

    async def _settled(self, run: Run) -> bool:
        """Whether the vote is decided. If not, and all paths that have begun have ended, the next wave begins.

        Whether a wave is needed is decided by the votes of the paths before it alone, so a resumed run decides the
        same; and always as with the early stop, for sparing paths is what waves are for.
        """
        for wave, begun in enumerate(self._options.waves):
            first = run.first(begun)
            needless = len(run.paths) - begun
            if first.running:
                return await self._decided_by(run, begun, first.running + needless, early_stop=self._options.early_stop)
            if begun == len(run.paths):
                break
            if not self._begun(run, wave + 1) and await self._decided_by(run, begun, needless, early_stop=True):
                break
            self._waves[wave + 1].set()
        return True

    def _begun(self, run: Run, wave: int) -> bool:
        """Whether the journal has anything of a wave: then it was needed, whatever would be decided today."""
        return any(path.begun for path in run.paths[self._options.waves[wave - 1] : self._options.waves[wave]])

    async def _decided_by(self, run: Run, begun: int, running: int, *, early_stop: bool) -> bool:
        """Whether the paths that have begun decide the vote, although `running` ones are at work or to come."""
        rule = self._options.stop_rule
        count = await self._pollster.count(run, begun)
        if rule is not StopRule.EVIDENCE:
            return settled(rule, count.votes, running, early_stop=early_stop)
        whole = self._options.estimate == Estimate.UNANIMOUS  # it is about all of a wave
        surely = count.standing.confidence >= self._options.confidence and not whole
        stop = early_stop and (surely if run.first(begun).running else count.standing.stop)
        if stop:
            self._decided = count.standing.reason
        return stop

    async def _grow(self, index: int) -> None:
        """Step by step to the end of one path; at a limit it stays as it is, and `_until_settled` ends the run."""
        await self._waves[next(wave for wave, begun in enumerate(self._options.waves) if index < begun)].wait()
        async with self._steps_of(index) as steps:
            while (end := path_end(self._run.paths[index], self._options)) is None:
                await self._steps_left.acquire()  # the last ones may be in the making on other paths
                if self._limit(self._run):
                    return
                try:
                    committed = await self._next_step(index, steps)
                except SsrError as error:
                    self._steps_left.release()
                    status = PathStatus.EXHAUSTED if isinstance(error, ContextFull) else PathStatus.FAILED
                    calls = await steps.abandoned() if isinstance(steps, DraftsAhead) else ()
                    end = PathEnded(index, status, reason=str(error), calls=calls)
                    break
                await self._decide(committed)
                if self._limit(self._run):
                    self._news.set()
        end = extracted(end, self._run.paths[index], self._stages.extract)
        async with self._ending:  # each end says how the votes stand with all before it
            await self._decide(await self._reported(end))
        self._news.set()

    async def _reported(self, end: PathEnded) -> PathEnded:
        """With stop rule evidence, the end of a path says how the votes stand with it."""
        if self._options.stop_rule is not StopRule.EVIDENCE:
            return end
        run = self._run.apply(end)
        begun = next(begun for begun in self._options.waves if end.path < begun)
        count = await self._pollster.count(run, begun)
        leader = count.votes[0].answer if count.votes else ""
        return replace(end, leader=leader, confidence=count.standing.confidence)

    def _steps_of(self, index: int) -> PathStream | RepairedPath | DraftsAhead:
        ask, author, drafts = partial(self._asked, index), self._options.author(index), self._stages.drafter.stream
        if author is PathAuthor.VERIFIED:
            return DraftsAhead(drafts, ask, partial(self._goes_on, index), self._steps_ahead, self._stages.pacing)
        if author is PathAuthor.DRAFT:
            return PathStream(drafts, ask)
        alone = PathStream(self._stages.writer.stream, ask)
        if not self._options.repairs(index):
            return alone
        return RepairedPath(index, start_of(self._run, self._options, self._problem), alone)

    def _steps_ahead(self) -> int:
        return steps_ahead(self._options, self._run.ledger)

    async def _next_step(self, index: int, steps: PathStream | RepairedPath | DraftsAhead) -> StepCommitted:
        written = await steps.next(self._run)
        if isinstance(steps, DraftsAhead):
            return await self._verified(index, written, steps)
        # The target's own step counts as its rewrites do, which are not scored either.
        step = replace(written.step, score=MAX_SCORE) if self._options.in_reserve(index) else written.step
        return StepCommitted(index, step, written.calls)

    async def _verified(self, index: int, draft: Written, drafts: DraftsAhead) -> StepCommitted:
        step = draft.step
        earlier = self._options.repeat_rule == RepeatRule.EARLIER
        if earlier and self._run.paths[index].with_step(step).progress.repeats:
            step = replace(step, text="")  # committing it would end the path: rejected unseen, as an empty one is
        await self._stages.judging(index)
        context, options = self._asked(index, self._run)
        verdict = self._agreed(index, step, options)
        if verdict is None:
            verdict = await self._stages.verifier.verify(context, step, options, drafts.on_rejected)
        stands = verdict.step if verdict.accepted else replace(verdict.step, draft_text=draft.step.text)
        committed = StepCommitted(index, stands, (*draft.calls, *verdict.calls))
        wasted = await drafts.settle(self._run, committed)
        return replace(committed, calls=(*committed.calls, *wasted))

    def _agreed(self, index: int, step: Step, options: Options) -> Verdict | None:
        """A draft that enough siblings confirm stands and nobody is asked; None where they do not decide."""
        if not step.text or ScorerName.AGREEMENT not in options.scorer.split("+"):
            return None
        siblings = [path.text for path in self._run.paths if path.index != index]
        earlier = [one.text for one in self._run.paths[index].steps]
        score = agreement_score(step.text, earlier, siblings, self._stages.agreement)
        if score is None or not accepts(score, options.threshold):
            return None
        return Verdict(replace(step, score=score), accepted=True)

    def _asked(self, index: int, run: Run) -> tuple[PathContext, Options]:
        """What is asked for the next step of a path."""
        path = run.paths[index]
        left = self._options.max_path_tokens - path.tokens
        options = replace(
            self._options,
            max_step_tokens=min(self._options.max_step_tokens, left),
            max_path_tokens=left,
            max_thinking_tokens=max(0, self._options.thinking_budget - path.progress.thinking_tokens),
        )
        return path.context(self._job_id, self._problem, options.seed, options.domain), options

    def _goes_on(self, index: int, run: Run) -> bool:
        """Whether a path takes another step in `run`."""
        return path_end(run.paths[index], self._options) is None and not self._limit(run)

    def _limit(self, run: Run) -> str:
        """Which budget the run has used up, for people; "" while there is room for another step."""
        used, max_tokens = run.ledger.generated_tokens, self._options.max_tokens
        if max_tokens is not None and used >= max_tokens:
            return f"{used} of max_tokens={max_tokens} tokens are used"
        steps, max_steps = run.committed_steps, self._options.max_steps
        return f"{steps} of max_steps={max_steps} steps are committed" if steps >= max_steps else ""

    async def _decide(self, decision: Decision) -> None:
        """Make a decision durable, then act on it.

        A cancelled path waits for an append that is under way, so that journal and run do not come apart; not for ever,
        because the journal may be waiting itself.
        """
        append = asyncio.create_task(self._journal.append(decision))
        try:
            await asyncio.wait({append})
        except asyncio.CancelledError:
            await asyncio.wait({append}, timeout=_SETTLE_S)
            append.cancel()
            with suppress(asyncio.CancelledError):
                await append
                self._run = self._run.apply(decision)
            raise
        await append
        self._run = self._run.apply(decision)
