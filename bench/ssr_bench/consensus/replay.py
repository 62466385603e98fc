"""Replays recorded samples through a drafter as a greedy verifier would, and counts forward passes.

A pass verifies one draft of one sample: draft tokens are accepted while they equal the recording, and the pass yields
one more token, the model's own. Whatever the drafter, the output is the recording. Samples of a problem run

- `together`, in lock-step: a step is a pass of each;
- staggered: each starts when the one before it has written so many tokens (or is complete);
- one `after` the other: all earlier siblings are complete.

Problems follow each other; a drafter that learns from finished problems may do so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import thread_time_ns

from ssr_bench.consensus.recordings import RecordedProblem, RecordedText
from ssr_bench.consensus.rivals import Rival
from ssr_bench.evaluation.statistics import IntervalEstimate, ratio
from ssr_bench.report_json import UNREPORTED
from ssr_bench.statistics import Summary, share

TOGETHER = 0
AFTER = 2**62


@dataclass(slots=True)
class ReplayCounts:
    """Of a replay. `drafted_at` and `accepted_at` count draft tokens by position; `draft_us` is CPU time of a call."""

    passes: int = 0
    drafting_passes: int = 0
    tokens: int = 0
    drafted_at: list[int] = field(default_factory=list)
    accepted_at: list[int] = field(default_factory=list)
    draft_us: list[float] = field(default_factory=list)

    def add(self, other: ReplayCounts) -> None:
        """Take another problem's counts in."""
        self.passes += other.passes
        self.drafting_passes += other.drafting_passes
        self.tokens += other.tokens
        for mine, its in ((self.drafted_at, other.drafted_at), (self.accepted_at, other.accepted_at)):
            mine += [0] * (len(its) - len(mine))
            for position, count in enumerate(its):
                mine[position] += count
        self.draft_us += other.draft_us

    def note(self, drafted: int, accepted: int, emitted: int) -> None:
        self.passes += 1
        self.drafting_passes += drafted > 0
        self.tokens += emitted
        if drafted > len(self.drafted_at):
            more = drafted - len(self.drafted_at)
            self.drafted_at += [0] * more
            self.accepted_at += [0] * more
        for position in range(drafted):
            self.drafted_at[position] += 1
            self.accepted_at[position] += position < accepted


@dataclass(frozen=True, slots=True)
class ProblemCounts:
    """The tokens of one problem's samples, and the passes that they took."""

    tokens: int
    passes: int


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The figures of one replay. Passes without a draft are passes too.

    `interval` is that of `tokens_per_pass`: 95 %, a bootstrap over `problems`, which a drafter that learns met in their
    order; None without problems.

    `mean_accepted` is of the passes with a draft. `acceptance_at` is, for each position, the share of the tokens
    drafted there that were accepted.
    """

    tokens_per_pass: float
    drafted_per_pass: float
    mean_accepted: float
    acceptance: float
    acceptance_at: tuple[float, ...]
    draft_us: Summary
    problems: tuple[ProblemCounts, ...] = field(default=(), metadata=UNREPORTED)
    interval: IntervalEstimate | None = None

    @classmethod
    def of(cls, problems: Sequence[ReplayCounts]) -> ReplayResult:
        counts = ReplayCounts()
        for one in problems:
            counts.add(one)
        accepted = sum(counts.accepted_at)
        return cls(
            share(counts.tokens, counts.passes),
            share(sum(counts.drafted_at), counts.passes),
            share(accepted, counts.drafting_passes),
            share(accepted, sum(counts.drafted_at)),
            tuple(share(good, all_) for good, all_ in zip(counts.accepted_at, counts.drafted_at, strict=True)),
            Summary.of(counts.draft_us),
            tuple(ProblemCounts(one.tokens, one.passes) for one in problems),
            ratio([(float(one.tokens), float(one.passes)) for one in problems]),
        )


@dataclass(slots=True, eq=False)
class _Run:
    """A sample being decoded again."""

    name: str
    recording: RecordedText
    output: list[int] = field(default_factory=list)
    started: bool = False

    @property
    def done(self) -> bool:
        return len(self.output) >= len(self.recording.tokens)


#: Called with each sample's name, recording and output when it is complete.
Observer = Callable[[str, RecordedText, Sequence[int]], None]


def replay(
    problems: Sequence[RecordedProblem],
    rival: Rival,
    max_draft: int,
    apart: int = TOGETHER,
    observe: Observer | None = None,
) -> ReplayResult:
    """Decode all samples again; siblings start `apart` tokens after each other (TOGETHER, a number, AFTER)."""
    found: list[ReplayCounts] = []
    for problem in problems:
        found.append(counts := ReplayCounts())
        runs = [_Run(f"{problem.name}#{index}", one) for index, one in enumerate(problem.recordings) if one.tokens]
        while ready := list(_ready(runs, apart)):
            for run in ready:
                if not run.started:
                    rival.start(problem.name, run.name, run.recording.prompt)
                    run.started = True
            drafts = [_timed_draft(rival, run, max_draft, counts) for run in ready]
            for run, draft in zip(ready, drafts, strict=True):
                _verify(rival, run, draft, counts)
                if run.done:
                    rival.finish(run.name)
                    if observe is not None:
                        observe(run.name, run.recording, run.output)
        if runs:
            rival.end(problem.name)
    return ReplayResult.of(found)


def _ready(runs: Sequence[_Run], apart: int) -> Iterator[_Run]:
    """The samples of the next step."""
    for index, run in enumerate(runs):
        before = runs[index - 1] if index else None
        if before is not None and not before.done and len(before.output) < apart:
            return  # nor has any sample behind it started
        if not run.done:
            yield run


def _timed_draft(rival: Rival, run: _Run, max_draft: int, counts: ReplayCounts) -> Sequence[int]:
    begun = thread_time_ns()
    draft = rival.draft(run.name, max_draft)
    counts.draft_us.append((thread_time_ns() - begun) / 1000)
    return draft


def _verify(rival: Rival, run: _Run, draft: Sequence[int], counts: ReplayCounts) -> None:
    """One forward pass."""
    written, recorded = len(run.output), run.recording.tokens
    accepted = 0
    while accepted < len(draft) and written + accepted < len(recorded):
        if draft[accepted] != recorded[written + accepted]:
            break
        accepted += 1
    own = recorded[written + accepted : written + accepted + 1]  # the model's own token; none after the last
    emitted = [*draft[:accepted], *own]
    counts.note(len(draft), accepted, len(emitted))
    run.output += emitted
    probabilities = run.recording.probabilities
    reported = None if probabilities is None else probabilities[written : written + len(emitted)]
    rival.add(run.name, emitted, reported)
