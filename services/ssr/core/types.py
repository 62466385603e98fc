"""The words of the algorithm: options, strategies, steps, verdicts, and the cost of engine calls.

All values are frozen; text is text, tokens are counted by the engine that made them, scores run from 0 to 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_SCORE = 9.0


class Mode(StrEnum):
    """Which of the paper's methods to run; `solve` is the same loop for all (paper section 4, the compared methods)."""

    BASELINE = "baseline"  #: the target alone, one path
    PARALLEL = "parallel"  #: N target paths without strategies
    PARALLEL_SPM = "parallel-spm"  #: N target paths, a selected strategy each
    SSD = "ssd"  #: one path, drafted and verified
    SSR = "ssr"  #: N paths with selected strategies, drafted and verified

    @property
    def selects(self) -> bool:
        """The target picks a strategy for each path (SPM)."""
        return self in (Mode.PARALLEL_SPM, Mode.SSR)

    @property
    def drafts(self) -> bool:
        """The draft model writes and the target verifies (SSD)."""
        return self in (Mode.SSD, Mode.SSR)

    @property
    def single_path(self) -> bool:
        return self in (Mode.BASELINE, Mode.SSD)


class StopRule(StrEnum):
    """When the paths stop (paper section 3.3)."""

    FULL = "full"  #: when all paths have ended
    FAST_1 = "fast-1"  #: at the first answer
    FAST_2 = "fast-2"  #: at two equal answers


class Source(StrEnum):
    """Who wrote a step."""

    DRAFT = "draft"
    REWRITTEN = "rewritten"
    TARGET = "target"


class PathStatus(StrEnum):
    """What has become of a path."""

    RUNNING = "running"
    ANSWERED = "answered"
    NO_ANSWER = "no_answer"  #: the model ended its turn without a boxed answer
    STALLED = "stalled"  #: an empty or repeated step
    EXHAUSTED = "exhausted"  #: its token budget is spent
    STOPPED = "stopped"  #: the stop rule, or the job's end, made it needless
    FAILED = "failed"  #: a service or engine failed for good; it has no vote


class CallKind(StrEnum):
    """What an engine call was for."""

    SELECT = "select"
    DRAFT = "draft"
    SCORE = "score"
    REWRITE = "rewrite"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Options:
    """How to solve one problem, every default filled in.

    `threshold` is the score (0..9) from which a draft is accepted; `seed` fixes all sampling where the engines allow
    it; `early_stop` lets rule FULL end once no running path can change the vote.
    Defaults: paper section 4 (temperature 0.6, top_p 0.95, threshold 7, 512 tokens a step, 8192 a path).
    """

    mode: Mode = Mode.SSR
    paths: int = 5
    stop_rule: StopRule = StopRule.FULL
    threshold: float = 7.0
    strategy_pool: str = "competition"
    scorer: str = ""
    seed: int = 0
    early_stop: bool = True
    temperature: float = 0.6
    top_p: float = 0.95
    max_step_tokens: int = 512
    max_path_tokens: int = 8192


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way to attack a problem. `hint` is the instruction for the model; the strategy "unknown" has none."""

    code: str
    name: str
    hint: str


NO_STRATEGY = Strategy(code="", name="", hint="")


@dataclass(frozen=True, slots=True)
class Step:
    """The text between two blank lines.

    `score` is the target's (0..9) of an accepted draft, 9 for a rewrite (paper: a rewrite is not scored again), None
    where nothing scored it. `draft_score` is, for a rewrite, what the draft it replaced was given.
    """

    index: int
    text: str
    source: Source
    tokens: int
    score: float | None = None
    ends_turn: bool = False
    draft_score: float | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """The cost of one engine call, in tokens. `parameters`: the model's size, 0 if unknown."""

    kind: CallKind
    model: str
    parameters: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int


@dataclass(frozen=True, slots=True)
class PathContext:
    """A path as far as it is committed: all that drafting and verifying the next step needs."""

    job_id: str
    path: int
    problem: str
    strategy: Strategy
    steps: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Selection:
    """The strategies for a problem's paths, best first, one a path."""

    strategies: tuple[Strategy, ...]
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A step somebody wrote, not judged yet."""

    step: Step
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The step to commit after verification: the draft with its score, or the target's rewrite of it."""

    step: Step
    accepted: bool
    calls: tuple[Call, ...] = ()
