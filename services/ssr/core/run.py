"""What a run has decided so far: a fold over its decisions.

`solve` acts on this state, the orchestrator rebuilds it from Redis after a crash, clients rebuild it from the event
stream to draw it. One fold serves all three, so they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ssr.core.ledger import Ledger
from ssr.core.progress import Progress
from ssr.core.steps import BOUNDARY, RepeatRule, join_path
from ssr.core.thinking import opens, said
from ssr.core.types import Call, Options, PathContext, PathStatus, Source, Step, Strategy
from ssr.core.vote import Ballot

#: Steps that a path has at least before two equal ones end it, with the repeat rule CONSECUTIVE.
_REPEATS_FROM = 3


@dataclass(frozen=True, slots=True)
class Selected:
    """The strategies were decided: one a path."""

    strategies: tuple[Strategy, ...]
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class StepCommitted:
    """A step stands for good."""

    path: int
    step: Step
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class PathEnded:
    """A path takes no further step. `answer` is "" unless ANSWERED; `reason` is for people.

    With stop rule evidence, `leader` is the answer that leads with this path, and `confidence` how sure it is, 0..1.
    `calls` are those for drafts that nobody could judge any more.
    """

    path: int
    status: PathStatus
    answer: str = ""
    reason: str = ""
    leader: str = ""
    confidence: float | None = None
    calls: tuple[Call, ...] = ()


Decision = Selected | StepCommitted | PathEnded


@dataclass(frozen=True, slots=True)
class Path:
    """One line of reasoning as far as it is decided."""

    index: int
    strategy: Strategy
    steps: tuple[Step, ...] = ()
    status: PathStatus = PathStatus.RUNNING
    answer: str = ""
    reason: str = ""
    #: Of `steps`; made from them where it is not given.
    progress: Progress = field(default_factory=Progress, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.progress.is_of(self.steps):
            object.__setattr__(self, "progress", Progress.of(self.steps))

    def with_step(self, step: Step) -> Path:
        """One step further."""
        return replace(self, steps=(*self.steps, step), progress=self.progress.then(step))

    @property
    def running(self) -> bool:
        return self.status is PathStatus.RUNNING

    @property
    def tokens(self) -> int:
        return self.progress.tokens

    @property
    def scores(self) -> tuple[float, ...]:
        """Of the scored steps, 0..9."""
        return tuple(step.score for step in self.steps if step.score is not None)

    @property
    def mean_score(self) -> float | None:
        """Mean of the scored steps, 0..9; None if none was scored."""
        scores = self.scores
        return sum(scores) / len(scores) if scores else None

    @property
    def logprob(self) -> float | None:
        """The mean log probability of its tokens; None where the engine did not report all steps."""
        known = [(step.logprob, step.tokens) for step in self.steps if step.logprob is not None]
        tokens = sum(count for _, count in known)
        if not tokens or len(known) < len(self.steps):
            return None
        return sum(logprob * count for logprob, count in known) / tokens

    @property
    def text(self) -> str:
        """What all of its steps say, without the model's thinking."""
        whole = join_path([step.text for step in self.steps]).removesuffix(BOUNDARY)
        return said(whole, thinking=opens(whole))

    @property
    def begun(self) -> bool:
        """Whether anything was done for it."""
        return bool(self.steps) or self.status not in (PathStatus.RUNNING, PathStatus.STOPPED)

    @property
    def by_target(self) -> bool:
        """The target wrote it alone: no step was drafted."""
        return all(step.source is Source.TARGET for step in self.steps)

    @property
    def repaired(self) -> bool:
        """It goes on from steps of drafts."""
        return bool(self.steps) and self.steps[0].source is Source.SHARED

    def context(self, job_id: str, problem: str, seed: int, domain: str = "") -> PathContext:
        steps = tuple(step.text for step in self.steps)
        return PathContext(job_id, self.index, problem, self.strategy, steps, seed, domain)


@dataclass(frozen=True, slots=True)
class Run:
    """The state of a job. `paths` is empty until the strategies are decided."""

    paths: tuple[Path, ...] = ()
    ledger: Ledger = Ledger()  # noqa: RUF009 - frozen

    def apply(self, decision: Decision) -> Run:
        """The state after one more decision.

        Raises: ValueError when the decision does not follow from this state (a gap or a double in a path's steps).
        """
        ledger = self.ledger
        if isinstance(decision, Selected):
            paths = tuple(Path(i, strategy) for i, strategy in enumerate(decision.strategies))
            return Run(paths, ledger.add(decision.calls))
        path = self.paths[decision.path]
        if isinstance(decision, StepCommitted):
            if decision.step.index != len(path.steps) or not path.running:
                raise ValueError(f"path {path.index} has {len(path.steps)} steps and is {path.status}: cannot commit")
            thought, path = path.progress.thinking_tokens, path.with_step(decision.step)
            ledger = ledger.add(decision.calls, decision.step, path.progress.thinking_tokens - thought, path.index)
        else:
            path = replace(path, status=decision.status, answer=decision.answer, reason=decision.reason)
            ledger = ledger.add(decision.calls, path=path.index) if decision.calls else ledger
        return Run((*self.paths[: path.index], path, *self.paths[path.index + 1 :]), ledger)

    def first(self, count: int) -> Run:
        """The first paths alone; the ledger stays that of all."""
        return replace(self, paths=self.paths[:count])

    @property
    def ballots(self) -> tuple[Ballot, ...]:
        """The answers that vote, in the order of their paths."""
        return tuple(
            Ballot(path.index, path.answer, path.mean_score, path.by_target, path.scores)
            for path in self.paths
            if path.status is PathStatus.ANSWERED
        )

    @property
    def committed_steps(self) -> int:
        """On all paths together."""
        return sum(len(path.steps) for path in self.paths)

    @property
    def running(self) -> int:
        """How many paths are still at work."""
        return sum(path.running for path in self.paths)


def answered(path: Path) -> PathEnded | None:
    """The end of a path whose last step has a boxed answer, not inside its thinking; None where it has none."""
    answer = path.progress.answer
    return PathEnded(path.index, PathStatus.ANSWERED, answer) if answer else None


def repeats(path: Path, options: Options) -> bool:
    """Whether the path's last step says again what the repeat rule does not allow."""
    if options.repeat_rule == RepeatRule.CONSECUTIVE:
        return len(path.steps) >= _REPEATS_FROM and path.steps[-1].text == path.steps[-2].text
    return path.progress.repeats


def path_end(path: Path, options: Options) -> PathEnded | None:
    """Whether the path's last step ended it, and how; None to go on.

    The paper's ends (section 3.2) are a boxed answer, a repeated step and the token budget. A boxed answer wins over
    everything else that the same step may be.
    """
    if not path.steps:
        return None
    last = path.steps[-1]
    if end := answered(path):
        return end
    if last.ends_turn:
        return PathEnded(path.index, PathStatus.NO_ANSWER, reason="the model ended its turn without a boxed answer")
    if not last.text:
        return PathEnded(path.index, PathStatus.STALLED, reason="an empty step")
    if repeats(path, options):
        return PathEnded(path.index, PathStatus.STALLED, reason="a repeated step")
    if path.tokens >= options.max_path_tokens:
        reason = f"{path.tokens} of max_path_tokens={options.max_path_tokens} tokens are used"
        return PathEnded(path.index, PathStatus.EXHAUSTED, reason=reason)
    return None
