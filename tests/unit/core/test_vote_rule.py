"""Winners by weight and by the best path."""

from __future__ import annotations

import pytest

from ssr.core.errors import InvalidRequest
from ssr.core.vote import Ballot, tally
from ssr.core.vote_rule import VOTE_RULES, VoteRule

SURE = Ballot(0, "sure", 8.0, scores=(9.0, 7.0))
WEAK = [Ballot(path, "weak", 3.0, scores=(1.0, 5.0)) for path in (1, 2)]
GROUPS = [[0], [1, 2]]


@pytest.mark.parametrize(
    ("rule", "winner", "weight"),
    [
        ("majority", "weak", None),
        ("weighted-mean", "sure", 8 / 9),
        ("weighted-last", "weak", 10 / 9),
        ("weighted-min", "sure", 7 / 9),
        ("weighted-product", "sure", 7 / 9),
        ("best-mean", "sure", 8 / 9),
        ("best-last", "sure", 7 / 9),
    ],
)
def test_a_rule_weighs_answers(rule: str, winner: str, weight: float | None) -> None:
    first, _ = tally([SURE, *WEAK], GROUPS, VoteRule.named(rule))
    assert first.answer == winner
    assert first.weight == (None if weight is None else pytest.approx(weight))


def test_paths_that_nobody_scored_vote_plainly() -> None:
    plain = [Ballot(path, answer, None) for path, answer in enumerate("abb")]
    assert tally(plain, GROUPS, VoteRule.named("weighted-mean"))[0].answer == "b"


def test_the_evidence_orders_by_the_posterior() -> None:
    first, _ = tally([SURE, *WEAK], GROUPS, VoteRule.named("evidence"), [0.6, 0.3])
    assert (first.answer, first.posterior) == ("sure", 0.6)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="known are majority"):
        VoteRule.named("loudest")
    assert len(VOTE_RULES) == 11
