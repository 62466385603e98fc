"""The end of a run: its running paths stop, their answers are the domain's, and the paths vote."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ssr.core.answers import Asked
from ssr.core.journal import Journal
from ssr.core.poll_run import Pollster
from ssr.core.run import Path, PathEnded, Run, answered
from ssr.core.stages import Extract, Stages
from ssr.core.types import Options, PathStatus
from ssr.core.vote import Vote


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run. `votes`: the winner first, empty when no path answered; `error`: why every path failed."""

    run: Run
    votes: tuple[Vote, ...]
    error: str = ""

    @property
    def answer(self) -> str:
        return self.votes[0].answer if self.votes else ""


async def conclude(
    job_id: str, problem: str, options: Options, stages: Stages, journal: Journal, reason: str
) -> Outcome:
    """End a run that is not being solved any more with what it has: its running paths stop, the others vote.

    Raises: whatever the journal raises.
    """
    run = await stopped(await journal.load(), journal, reason, stages.extract)
    pollster = Pollster(Asked(job_id, problem), options, stages.equivalence, stages.posterior, stages.verified)
    return Outcome(run, (await pollster.count(run, len(run.paths))).votes)


async def stopped(run: Run, journal: Journal, reason: str, extract: Extract | None) -> Run:
    """The run with its running paths ended, in the journal too; nobody may be growing them any more.

    A path that was stopped right behind its answer has answered.
    """
    for path in run.paths:
        if path.running:
            ended = answered(path)
            end = extracted(ended, path, extract) if ended else PathEnded(path.index, PathStatus.STOPPED, reason=reason)
            await journal.append(end)
            run = run.apply(end)
    return run


def extracted(end: PathEnded, path: Path, extract: Extract | None) -> PathEnded:
    """The end with the domain's own answer; a turn that ended without a box may have one."""
    if extract is None or end.status not in (PathStatus.ANSWERED, PathStatus.NO_ANSWER):
        return end
    answer = extract(end.answer, path.text)
    return replace(end, status=PathStatus.ANSWERED if answer else end.status, answer=answer)
