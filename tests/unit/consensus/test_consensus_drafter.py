"""Drafts of siblings, of the own context, of history; and of nobody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssr.consensus import ConsensusSettings, Draft, Drafter, DraftSource
from ssr.consensus.group import Group
from ssr.consensus.memory import SuffixMemory
from ssr.consensus.pooling import pooled
from ssr.consensus.sample import DraftedSample
from ssr.consensus.throttle import Throttle
from ssr.core.errors import Conflict, InvalidRequest, NotFound

EAGER = ConsensusSettings(min_confidence=0.0, rest_below=0.0)
STEPS = list(range(100, 140))


def _started(samples: Sequence[str], prompt: Sequence[int] = (), config: ConsensusSettings = EAGER) -> Drafter:
    drafter = Drafter(config)
    for sample in samples:
        drafter.start(sample, "problem", prompt)
    return drafter


def test_a_sibling_ahead_drafts() -> None:
    drafter = _started("ab")
    drafter.add("a", STEPS)
    drafter.add("b", STEPS[:5])
    draft = drafter.draft("b", 4)
    assert draft.tokens == tuple(STEPS[5:9])
    assert set(draft.sources) == {DraftSource.SIBLING}
    assert list(draft.confidences) == sorted(draft.confidences, reverse=True)


def test_the_first_token_is_drafted_from_the_shared_prompt() -> None:
    drafter = _started("ab", prompt=[1, 2, 3])
    drafter.add("a", STEPS)
    assert drafter.draft("b", 3).tokens == tuple(STEPS[:3])


def test_without_siblings_the_own_context_drafts() -> None:
    drafter = _started("a", prompt=[*STEPS[:6], 1, 2])
    drafter.add("a", STEPS[:3])
    draft = drafter.draft("a", 2)
    assert (draft.tokens, draft.sources) == (tuple(STEPS[3:5]), (DraftSource.OWN, DraftSource.OWN))


def test_the_majority_of_siblings_wins() -> None:
    drafter = _started("abcd")
    for sample, next_token in (("a", 7), ("b", 8), ("c", 8)):
        drafter.add(sample, [*STEPS[:4], next_token, 9])
    drafter.add("d", STEPS[:4])
    assert drafter.draft("d", 1).tokens == (8,)


def test_nothing_that_matches_is_an_empty_draft() -> None:
    drafter = _started("ab")
    assert drafter.draft("a", 8) == Draft()
    drafter.add("a", [1, 2, 3])
    drafter.add("b", [4])
    assert drafter.draft("b", 8) == Draft()
    assert drafter.draft("a", 0) == Draft()


def test_an_edit_in_the_suffix_is_seen_over_where_asked_for() -> None:
    for edits, expected in ((0, ()), (1, tuple(STEPS[8:10]))):
        drafter = _started("ab", config=ConsensusSettings(min_confidence=0.0, edits=edits))
        drafter.add("a", STEPS)
        drafter.add("b", [*STEPS[:7], 5])  # 5 stands for STEPS[7]
        assert drafter.draft("b", 2).tokens == expected


def test_a_samples_own_last_token_is_no_edit_of_itself() -> None:
    drafter = _started("a", config=ConsensusSettings(min_confidence=0.0, edits=1))
    drafter.add("a", STEPS[:20])
    assert drafter.draft("a", 4) == Draft()


def test_an_unlikely_token_ends_the_draft() -> None:
    drafter = _started(["me", *"abcdefgh"], config=ConsensusSettings(min_confidence=0.3))
    for index, sample in enumerate("abcdefgh"):
        drafter.add(sample, [1, 2, 3, 10 + index, 20])
    drafter.add("me", [1, 2])
    assert drafter.draft("me", 8).tokens == (3,)


def test_drafts_never_come_from_another_group_or_tenant() -> None:
    drafter = Drafter(EAGER)
    drafter.start("a", "one", tenant="school")
    drafter.start("b", "two", tenant="school")
    drafter.start("c", "three", tenant="bank")
    drafter.add("a", STEPS)
    for other in "bc":
        drafter.add(other, STEPS[:5])
        assert drafter.draft(other, 4) == Draft()
    drafter.end_group("one")  # now it is history, of its tenant
    for other in "bc":
        drafter.add(other, [1, 2, 3, *STEPS[:8]])
    assert drafter.draft("b", 1).sources == (DraftSource.HISTORY,)
    assert drafter.draft("c", 1) == Draft()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_every_drafted_token_was_written_in_the_own_group_or_tenant(seed: int) -> None:
    """Each group writes only tokens of its own; so a token reports where a draft comes from."""
    dice = Random(seed)
    drafter = Drafter(EAGER)
    groups = [f"{tenant}{number}" for tenant in "xy" for number in range(3)]
    ended: set[str] = set()
    for _ in range(200):
        group = dice.choice(groups)
        sample = f"{group}/{dice.randrange(3)}"
        base = 1000 * groups.index(group)
        if group in ended:
            continue
        if sample not in drafter:
            drafter.start(sample, group, [base], tenant=group[0])
        drafter.add(sample, [base + dice.randrange(4) for _ in range(dice.randrange(1, 6))])
        allowed = [other for other in groups if other == group or (other in ended and other[0] == group[0])]
        drafted = drafter.draft(sample, 8).tokens
        assert all(groups[token // 1000] in allowed for token in drafted)
        if dice.random() < 0.01:
            drafter.end_group(group)
            ended.add(group)


def test_a_finished_sibling_goes_on_helping() -> None:
    drafter = _started("ab")
    drafter.add("a", STEPS)
    drafter.finish("a")
    assert "a" not in drafter
    drafter.add("b", STEPS[:5])
    assert drafter.draft("b", 4).tokens == tuple(STEPS[5:9])
    drafter.remove("b")
    drafter.start("a", "problem")  # the name is free, and the first sample's text is a sibling's now
    drafter.add("a", STEPS[:5])
    draft = drafter.draft("a", 4)
    assert (draft.tokens, set(draft.sources)) == (tuple(STEPS[5:9]), {DraftSource.SIBLING})


def test_a_group_of_endlessly_many_samples_is_bounded() -> None:
    limits = ConsensusSettings(group_tokens=128, history_tokens=64, total_tokens=400)
    drafter = Drafter(limits)
    for index in range(2000):
        drafter.start(index, "popular", [1, 2, 3])
        drafter.add(index, [index])
        drafter.finish(index)
        assert drafter.tokens <= 400


def test_a_removed_sample_helps_nobody_and_is_unknown() -> None:
    drafter = _started("ab")
    drafter.add("a", STEPS)
    drafter.draft("a", 4)
    drafter.remove("a")
    assert "a" not in drafter
    drafter.add("b", STEPS[:5])
    assert drafter.draft("b", 4) == Draft()
    drafter.start("a", "problem")  # the name is free again
    assert drafter.draft("a", 4) == Draft()


def test_a_group_is_gone_with_its_last_sample() -> None:
    drafter = _started("a", prompt=STEPS)
    drafter.remove("a")
    assert drafter.tokens == 0
    with pytest.raises(NotFound):
        drafter.end_group("problem")


def test_history_helps_the_tenants_next_problem() -> None:
    drafter = _started("a")
    drafter.add("a", STEPS)
    drafter.end_group("problem")
    assert "a" not in drafter
    drafter.start("b", "next")
    drafter.add("b", [1, 2, 3, *STEPS[:5]])  # with these the history is entered
    draft = drafter.draft("b", 4)
    assert (draft.tokens, set(draft.sources)) == (tuple(STEPS[5:9]), {DraftSource.HISTORY})


def test_without_weight_there_is_no_history() -> None:
    drafter = _started("a", config=ConsensusSettings(min_confidence=0.0, history_weight=0.0))
    drafter.add("a", STEPS)
    drafter.end_group("problem")
    assert drafter.tokens == 0


def test_a_sample_that_gains_nothing_stops_drafting_and_tries_again() -> None:
    drafter = _started("ab", config=ConsensusSettings(min_confidence=0.0, rest_below=0.05))
    drafter.add("b", [1, 2, 3, 4] * 100)
    drafts = []
    for index in range(60):
        drafter.add("a", [1000 + index, 1])  # sees b's beginning each time, and never goes on like it
        drafts.append(len(drafter.draft("a", 4)) > 0)
    stopped = drafts.index(False)
    assert all(drafts[:stopped])
    assert not any(drafts[stopped : stopped + 16])
    assert any(drafts[stopped + 16 :])


def test_memory_is_bounded_whatever_happens() -> None:
    limits = ConsensusSettings(group_tokens=400, history_tokens=200, total_tokens=1000)
    drafter = Drafter(limits)
    dice = Random(3)
    for step in range(3000):
        group = f"g{step // 60 if dice.random() < 0.8 else dice.randrange(1 + step // 60)}"
        sample = f"{group}/{dice.randrange(4)}"
        try:
            if sample not in drafter:
                drafter.start(sample, group, [dice.randrange(9) for _ in range(5)], tenant=group[-1])
            drafter.add(sample, [dice.randrange(9) for _ in range(dice.randrange(12))])
        except Conflict:
            continue
        drafter.draft(sample, 8)
        if dice.random() < 0.05:
            drafter.finish(sample)
        if dice.random() < 0.02 and sample in drafter:
            drafter.remove(sample)
        if dice.random() < 0.02 and sample in drafter:
            drafter.end_group(group)
        assert drafter.tokens <= 1000


def test_a_forgotten_groups_running_sample_goes_on() -> None:
    drafter = Drafter(ConsensusSettings(group_tokens=100, history_tokens=64, total_tokens=400, min_confidence=0.0))
    drafter.start("old", "first")
    drafter.add("old", STEPS)
    drafter.finish("old")
    drafter.start("running", "second")
    drafter.add("running", STEPS)
    for index in range(10):
        drafter.start(f"new {index}", f"group {index}")
        drafter.add(f"new {index}", STEPS)
    assert "old" not in drafter
    assert "running" in drafter
    drafter.add("running", [1, 2, 3, 1, 2])
    assert drafter.draft("running", 1).tokens == (3,)


def test_a_long_sample_is_bounded_and_still_drafts_from_its_last_tokens() -> None:
    limits = ConsensusSettings(group_tokens=128, history_tokens=64, total_tokens=400, min_confidence=0.0)
    drafter = _started("ab", config=limits)
    for token in range(10_000):
        drafter.add("a", [token])
    assert drafter.tokens <= 400
    drafter.add("b", list(range(9_970, 9_980)))
    assert drafter.draft("b", 4).tokens == tuple(range(9_980, 9_984))


def test_a_draft_looks_at_no_more_than_the_pool_however_many_siblings_there_are() -> None:
    group, history = Group("tenant", EAGER), SuffixMemory(EAGER.orders, 10**6, EAGER.pool)
    for sample in range(200):
        state = DraftedSample(Throttle(0.0))
        group.begin(sample, state, (), 0)
        group.memory.append(state, STEPS)
        history.append(sample, STEPS)
    pool = pooled(EAGER, STEPS[:10], 0, group.memory, history)
    assert Counter(one.source is DraftSource.HISTORY for one in pool) == {False: EAGER.pool, True: EAGER.pool // 3}
    nothing = SuffixMemory(EAGER.orders, 10**6, EAGER.pool)
    assert len(pooled(EAGER, STEPS[:10], 0, nothing, history)) == EAGER.pool  # where siblings leave room


def test_names_must_be_known_and_free() -> None:
    drafter = _started("a")
    with pytest.raises(Conflict, match="started already"):
        drafter.start("a", "other")
    with pytest.raises(Conflict, match="another tenant"):
        drafter.start("b", "problem", tenant="other")
    assert "b" not in drafter
    for call in (lambda: drafter.add("x", [1]), lambda: drafter.draft("x", 1), lambda: drafter.remove("x")):
        with pytest.raises(NotFound, match="'x'"):
            call()
    with pytest.raises(InvalidRequest, match="^probabilities:"):
        drafter.add("a", [1, 2], [0.5])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("orders", ()),
        ("orders", (1, 2)),
        ("orders", (99, 1)),
        ("pool", 0),
        ("sharpness", 0.5),
        ("alpha", 1.5),
        ("alpha", float("nan")),
        ("edits", 3),
        ("max_draft", 0),
        ("min_confidence", -0.1),
        ("total_tokens", 1000),
    ],
)
def test_settings_out_of_their_limits_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}:"):
        ConsensusSettings(**{field: value})  # type: ignore[arg-type]
