"""Parallel samples of one problem draft for each other (arXiv 2503.05330). It knows no engine.

    drafter = Drafter()
    drafter.start("a", group="problem 1", prompt=[...]); drafter.start("b", ...)
    each forward pass, for each sample:
        draft = drafter.draft("a", max_tokens)      # from what b and the others wrote behind the same suffix
        accepted = verify(draft.tokens)             # the model's business, and exact: see below
        drafter.add("a", accepted)                  # all that the pass yielded, the model's own token last
    drafter.finish("a")                             # it goes on helping the others
    drafter.end_group("problem 1")                  # now it is history: weak evidence for the tenant's next problems

Verification of a draft, which is deterministic: sample y from the model's distribution at each position; go on while y
equals the draft's token, else emit y and stop. Every emitted token was sampled from the model, so drafts change
nothing but the speed.

How a draft comes about: `pooling` finds where the sample's suffix occurred (`memory`), `dag` takes the consensus path
through what followed, `calibration` says how likely each token is accepted, which ends the draft; `switch` keeps a
sample from drafting that gains nothing by it.

Costs. add: constant for each token. draft: bounded by `pool` x tokens drafted. Neither depends on how many samples
there are or how long they are. Memory: bounded by `total_tokens`; groups that were used longest ago are forgotten.
Not thread-safe; belongs to the engine's loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from ssr.consensus.calibration import AcceptanceCalibration, Kind
from ssr.consensus.dag import ConsensusGraph
from ssr.consensus.draft import Draft, DraftSource, PassRow, check_probabilities
from ssr.consensus.pooling import pooled
from ssr.consensus.sample import DraftedSample
from ssr.consensus.settings import ConsensusSettings
from ssr.consensus.store import GroupStore
from ssr.consensus.throttle import Throttle

#: Tokens of history that are entered with each token of a sample.
_HISTORY_PACE = 4


class Drafter:
    """Drafts for the samples of many groups; see the module. Samples and groups are named by the caller."""

    def __init__(self, settings: ConsensusSettings | None = None) -> None:
        self._settings = settings or ConsensusSettings()
        self._calibration = AcceptanceCalibration()
        self._store = GroupStore(self._settings)

    def __contains__(self, sample: Hashable) -> bool:
        """Whether the sample runs: it was started, and neither it nor its group has ended or was forgotten."""
        return sample in self._store

    @property
    def tokens(self) -> int:
        """How much is remembered, in tokens."""
        return self._store.tokens

    def start(
        self,
        sample: Hashable,
        group: Hashable,
        prompt: Sequence[int] = (),
        *,
        tenant: Hashable = "default",
        known: int = 0,
    ) -> None:
        """Make a sample known. Drafts come from samples of its group, and from history of its tenant, and nowhere else.

        A prompt may have parts that the group's first prompt has not: they are taken for what the sample has written so
        far, but for its first `known` tokens, which the group has from another of its samples.
        Raises: Conflict if the sample is known already, or the group is another tenant's.
        """
        joined = self._store.join(sample, group, tenant)
        joined.begin(sample, DraftedSample(Throttle(self._settings.rest_below)), prompt, known)
        self._store.settle(sample)

    def add(self, sample: Hashable, tokens: Sequence[int], probabilities: Sequence[float] | None = None) -> None:
        """What the model wrote for a sample since the last call, drafted tokens that it accepted included.

        `probabilities` are the model's own for these tokens, where the engine reports them.
        Raises: NotFound for an unknown sample; InvalidRequest unless there are as many probabilities as tokens.
        """
        check_probabilities(tokens, probabilities)
        group = self._store.group(sample)
        state = group.samples[sample]
        state.meet(tokens, self._calibration)
        group.memory.append(state, tokens, probabilities)
        history = self._store.history(group.tenant)
        if history is not None:
            history.enter(_HISTORY_PACE * len(tokens))
        self._store.settle(sample)

    def draft(self, sample: Hashable, max_tokens: int) -> Draft:
        """What the sample may write next; to be asked once a forward pass. Raises: NotFound."""
        return self._draft(sample, max_tokens, self._settings.min_confidence)

    def run_pass(
        self, rows: Sequence[PassRow], *, budget: int | None = None, min_confidence: float | None = None
    ) -> list[Draft]:
        """Add what a pass yielded for all its rows, then draft for all of them; a draft for each row.

        `budget` is the most tokens that all drafts have together: those that are most likely accepted are taken.
        `min_confidence` stands for the setting of that name. A row whose sample is not known, or was forgotten for lack
        of room, gets no draft.
        """
        for row in rows:
            if row.sample in self:
                self.add(row.sample, row.tokens, row.probabilities)
        least = self._settings.min_confidence if min_confidence is None else min_confidence
        drafts = [self._draft(row.sample, row.max_tokens, least) if row.sample in self else Draft() for row in rows]
        return drafts if budget is None else self._shared(rows, drafts, max(0, budget))

    def _shared(self, rows: Sequence[PassRow], drafts: list[Draft], budget: int) -> list[Draft]:
        """Confidences fall along a draft, so the most confident tokens of all are a beginning of each draft."""
        places = [(confidence, row) for row, draft in enumerate(drafts) for confidence in draft.confidences]
        if len(places) <= budget:
            return drafts
        kept = Counter(row for _, row in sorted(places, key=lambda place: -place[0])[:budget])
        for index, (row, draft) in enumerate(zip(rows, drafts, strict=True)):
            if kept[index] < len(draft):
                drafts[index] = draft.cut(kept[index])
                state = self._store.group(row.sample).samples[row.sample]
                state.expect(state.expected[: kept[index] + 1], kept[index])
        return drafts

    def _draft(self, sample: Hashable, max_tokens: int, least: float) -> Draft:
        group = self._store.group(sample)
        state = group.samples[sample]
        most = min(max_tokens, self._settings.max_draft)
        if most <= 0 or not state.switch.on():
            state.expect([], 0)
            return Draft()
        suffix = group.memory.ending(state)
        history = self._store.history(group.tenant)
        pool = pooled(self._settings, suffix, state, group.memory, history.memory if history else None)
        graph = ConsensusGraph(pool, self._settings.sharpness, self._settings.alpha)
        draft, expected = self._extract(graph, most, least)
        state.expect(expected, len(draft))
        return draft

    def finish(self, sample: Hashable) -> None:
        """The sample is complete, and its name free; what it wrote goes on helping its group. Raises: NotFound."""
        self._store.finish(sample)

    def remove(self, sample: Hashable) -> None:
        """Forget a running sample, and what it wrote. Raises: NotFound."""
        self._store.remove(sample)

    def end_group(self, group: Hashable) -> None:
        """The problem is done: its samples are forgotten, and what they wrote becomes history of their tenant.

        Raises: NotFound.
        """
        self._store.end(group)

    def _extract(self, consensus: ConsensusGraph, most: int, least: float) -> tuple[Draft, list[tuple[int, Kind]]]:
        """The consensus path, as long as it is likely enough to be accepted; and what is expected of the sample.

        That is a token more than the draft where confidence ended it: whether it would have been right is learnt too,
        else evidence once found weak would never be tried again.
        """
        tokens: list[int] = []
        confidences: list[float] = []
        sources: list[DraftSource] = []
        expected: list[tuple[int, Kind]] = []
        confidence = 1.0
        while len(tokens) < most and (edge := consensus.heaviest()) is not None:
            probability, kind = self._calibration.probability(edge)
            expected.append((edge.token, kind))
            confidence *= probability
            if confidence < least:
                break
            tokens.append(edge.token)
            confidences.append(confidence)
            sources.append(edge.source)
            consensus.advance(edge.token)
        return Draft(tuple(tokens), tuple(confidences), tuple(sources)), expected
