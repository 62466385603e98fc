"""What one method came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, computed_field

from ssr_bench.consensus.end_to_end import counters
from ssr_bench.consensus.end_to_end.counters import Counts, by_label
from ssr_bench.consensus.end_to_end.method import NONE, DraftingMethod
from ssr_bench.statistics import Summary, share


class Sampled(BaseModel):
    """What the client saw: samples and their tokens, from the first request to the last answer.

    `latency_s` is of a request, from its sending to its whole answer.
    """

    model_config = ConfigDict(frozen=True)

    samples: int
    tokens: int
    wall_s: float
    latency_s: Summary

    @computed_field  # type: ignore[prop-decorator]
    @property
    def tokens_per_s(self) -> float:
        return share(self.tokens, self.wall_s)


class OfSource(BaseModel):
    """Draft tokens of ours that come from one source."""

    model_config = ConfigDict(frozen=True)

    drafted: int
    accepted: int


class DraftingFigures(BaseModel):
    """`tokens` are those the server counted; a pass is one row of one forward pass, and yields one token or more.

    `drafts` are the passes with a draft, `accepted_at` the accepted tokens by their position in it. vLLM counts as
    accepted also what follows a text's end within a pass. `steps` are forward passes of a whole batch. `sources` and
    `failures` (steps without drafts for an error) are what our proposer reported; no sources where it shows nothing.
    `draft_us` are the microseconds that it took in all; None where that is unknown.
    """

    model_config = ConfigDict(frozen=True)

    method: DraftingMethod
    server: str
    sampled: Sampled
    tokens: int
    passes: int
    steps: int
    drafts: int
    drafted: int
    accepted: int
    accepted_at: tuple[int, ...]
    sources: dict[str, OfSource]
    failures: int
    draft_us: int | None = None

    @classmethod
    def of(cls, method: DraftingMethod, server: str, sampled: Sampled, counts: Counts) -> Self:
        """`counts` are what the server counted meanwhile."""
        tokens, accepted = counts[counters.TOKENS, ""], counts[counters.ACCEPTED, ""]
        observed = counts[counters.FIRST_PASSES, ""] + counts[counters.LATER_PASSES, ""]
        at = by_label(counts, counters.ACCEPTED_AT)
        taken = by_label(counts, counters.OURS_ACCEPTED)
        return cls(
            method=method,
            server=server,
            sampled=sampled,
            tokens=tokens,
            passes=observed or tokens - accepted,
            steps=counts[counters.STEPS, ""],
            drafts=counts[counters.DRAFTS, ""],
            drafted=counts[counters.DRAFTED, ""],
            accepted=accepted,
            accepted_at=tuple(at[position] for position in sorted(at, key=int)),
            sources={
                source: OfSource(drafted=drafted, accepted=taken.get(source, 0))
                for source, drafted in sorted(by_label(counts, counters.OURS_DRAFTED).items())
                if drafted
            },
            failures=counts[counters.OURS_FAILURES, ""],
            draft_us=counts[counters.OURS_SECONDS, ""] or None,
        )

    @computed_field  # type: ignore[prop-decorator]
    @property
    def tokens_per_pass(self) -> float:
        return share(self.tokens, self.passes)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def drafted_per_pass(self) -> float:
        return share(self.drafted, self.passes)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def positions_per_token(self) -> float:
        """What the model processed for a token, in positions: a pass verifies its draft and one more.

        1 without drafts, and never less: what is lossless saves passes, and no FLOPs of the model. A draft model's own
        tokens, `drafted_per_pass`, come on top.
        """
        return share(self.passes + self.drafted, self.tokens)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def mean_accepted(self) -> float:
        """Of a pass with a draft."""
        return share(self.accepted, self.drafts)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def acceptance(self) -> float:
        """Of all draft tokens."""
        return share(self.accepted, self.drafted)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def acceptance_at(self) -> tuple[float, ...]:
        """Passes that accepted a token at a position, of all passes with a draft, however short: as vLLM reports it."""
        return tuple(share(accepted, self.drafts) for accepted in self.accepted_at)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def rows_per_step(self) -> float:
        """How many requests a forward pass served in the mean."""
        return share(self.passes, self.steps)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def step_ms(self) -> float:
        """Of a forward pass of a whole batch, in the mean; waits of the server, if it had any, are in it."""
        return 1000 * share(self.sampled.wall_s, self.steps)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def draft_ms(self) -> float | None:
        """Of that, our proposer's part; None where it reported none."""
        return None if self.draft_us is None else share(self.draft_us / 1000, self.steps)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def doubts(self) -> tuple[str, ...]:
        """What speaks against these figures, for people."""
        found = []
        if self.tokens != self.sampled.tokens:
            found.append(
                f"the server counted {self.tokens} tokens, and its answers have {self.sampled.tokens}: "
                "others used it, or it counts otherwise"
            )
        if self.failures:
            found.append(f"drafting failed in {self.failures} steps; the server's log says why")
        if self.method.name == NONE and self.drafts:
            found.append("the server drafts, and was to draft nothing")
        elif self.method.name != NONE and not self.drafts:
            found.append("the server drafted nothing")
        return tuple(found)


#: Milliseconds of a forward pass of models that a speed-up is predicted for.
PREDICTED_MS = (5, 10, 20, 40)


class PassMs(BaseModel):
    """A forward pass of a batch in milliseconds: as without speculation, more for verification, and for drafting.

    `verification` is what is left, so it is a difference of measurements and may be below 0.
    """

    model: float
    verification: float
    drafting: float


class MethodComparison(BaseModel):
    """A method beside `none`: how often as many tokens a second, and how much of its wall time.

    `predicted` is a prediction, no measurement: the speed-up for a model whose pass takes so many milliseconds, with
    these tokens a pass and this cost of drafting, and verification free, as where passes are bound by memory. Empty, as
    `pass_ms` is None, for methods that do not report what drafting costs.
    """

    speed: float
    wall: float
    pass_ms: PassMs | None = None
    predicted: dict[int, float] = {}


def compared(rows: Sequence[DraftingFigures]) -> dict[str, MethodComparison]:
    """By method; empty where `none` was not measured."""
    none = next((row for row in rows if row.method.name == NONE), None)
    if none is None:
        return {}
    return {
        row.method.name: MethodComparison(
            speed=share(row.sampled.tokens_per_s, none.sampled.tokens_per_s),
            wall=share(row.sampled.wall_s, none.sampled.wall_s),
            pass_ms=_split(row, none),
            predicted=_predicted(row, none),
        )
        for row in rows
    }


def _split(row: DraftingFigures, none: DraftingFigures) -> PassMs | None:
    if row.draft_ms is None or not none.steps:
        return None
    return PassMs(model=none.step_ms, verification=row.step_ms - none.step_ms - row.draft_ms, drafting=row.draft_ms)


def _predicted(row: DraftingFigures, none: DraftingFigures) -> dict[int, float]:
    if row.draft_ms is None:
        return {}
    gain = share(row.tokens_per_pass, none.tokens_per_pass)
    return {model_ms: gain * model_ms / (model_ms + row.draft_ms) for model_ms in PREDICTED_MS}
