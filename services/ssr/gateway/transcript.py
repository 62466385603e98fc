"""What a job's events have reported so far, and which of its paths is shown.

One path leads: the first that has a step, until it fails, stalls or is stopped without an answer; then the one that has
come farthest. In the end that is a winning one, if it is among the winners. Steps are never shown twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ssr.core.job import Event, Finished, Job
from ssr.core.run import PathEnded, StepCommitted
from ssr.core.thinking import CLOSE, OPEN
from ssr.core.types import PathStatus, Step

#: How a reader learns that what follows is another path.
SWITCH = "---\n\n(Another path of the solution:)"


class Transcript:
    """The steps of each path, the end of those that have ended, and the finished job, without its steps."""

    def __init__(self) -> None:
        self._steps: dict[int, list[Step]] = {}
        self._ended: dict[int, PathEnded] = {}
        self.job: Job | None = None

    @classmethod
    def of(cls, job: Job) -> Transcript:
        """Of a job that has ended, with its paths."""
        transcript = cls()
        transcript._steps = {path.index: list(path.steps) for path in job.paths if path.steps}
        transcript.job = job
        return transcript

    def add(self, event: Event) -> None:
        match event.happening:
            case StepCommitted(path, step):
                self._steps.setdefault(path, []).append(step)
            case PathEnded() as ended:
                self._ended[ended.path] = ended
            case Finished(job):
                self.job = job

    def steps(self, path: int) -> Sequence[Step]:
        return self._steps.get(path, ())

    def winners(self) -> tuple[int, ...]:
        """Paths that gave the answer, the first of them first; without an answer, the one that has come farthest."""
        if self.job is not None and self.job.votes:
            return self.job.votes[0].paths
        return self.farthest()

    def farthest(self) -> tuple[int, ...]:
        """The path with the most steps, of those that still lead somewhere if there is one; () before any step."""
        alive = [path for path in self._steps if not self._lost(path)] or list(self._steps)
        return tuple(sorted(alive, key=lambda path: (-len(self._steps[path]), path))[:1])

    def follow(self, leader: int | None) -> int | None:
        """Which path leads now, given which one did."""
        if self.job is not None:
            winners = self.winners()
            return leader if leader in winners or not winners else winners[0]
        if leader is not None and not self._lost(leader):
            return leader
        return next(iter(self.farthest()), None)

    def _lost(self, path: int) -> bool:
        """Whether a path has ended without an answer."""
        return path in self._ended and self._ended[path].status is not PathStatus.ANSWERED


class Reasoning:
    """The text of the leading path as it grows: what `new` gives, joined, is all that was ever shown."""

    def __init__(self) -> None:
        self.leader: int | None = None
        self._shown: dict[int, int] = {}
        self._cut = False
        self._begun = False

    def new(self, transcript: Transcript) -> Iterator[str]:
        """What is to be shown beside what was, a step at a time."""
        leader = transcript.follow(self.leader)
        if leader is None:
            return
        if leader != self.leader:
            if self._begun:
                yield f"\n\n{SWITCH}"
            self.leader, self._cut = leader, False
        steps = transcript.steps(leader)
        for step in steps[self._shown.get(leader, 0) :]:
            yield self.joined(step)
        self._shown[leader] = len(steps)

    def joined(self, step: Step) -> str:
        """A step behind what was shown before it."""
        text = _without_tags(step.text)
        text = text if self._cut or not self._begun else f"\n\n{text}"
        self._cut, self._begun = step.cut, True
        return text


def reasoning_of(steps: Sequence[Step]) -> str:
    """A whole path, as `Reasoning` shows it."""
    shown = Reasoning()
    return "".join(map(shown.joined, steps))


def _without_tags(text: str) -> str:
    return text.replace(OPEN, "", 1).replace(CLOSE, "", 1).strip() if OPEN in text or CLOSE in text else text
