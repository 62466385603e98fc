"""One rule and its rivals: when the votes suffice."""

from __future__ import annotations

import pytest

from ssr.core.evidence.poll import PathVote
from ssr.core.evidence.posterior import Posterior
from ssr.core.evidence.prior import PathAuthor, Prior
from ssr.core.evidence.rule import Estimate, EvidenceRule, Standing, standing

POSTERIOR = Posterior(Prior())


def stands(rule: EvidenceRule, answers: str, left: int = 4, author: PathAuthor = PathAuthor.TARGET) -> Standing:
    """`answers`: a letter a path; "-" has none."""
    seen: list[str] = []
    votes = []
    for letter in answers:
        if letter != "-" and letter not in seen:
            seen.append(letter)
        votes.append(PathVote(author, None if letter == "-" else seen.index(letter)))
    return standing(rule, POSTERIOR, votes, [PathAuthor.TARGET] * left)


@pytest.mark.parametrize(
    ("answers", "share"),
    [("a", 0.75), ("aa", 0.875), ("aaa", 0.9375), ("ab", 0.5), ("aab", 0.6875)],
)
def test_beta_is_that_of_adaptive_consistency(answers: str, share: float) -> None:
    """Beta(votes + 1, rival + 1) above one half, as in arXiv 2305.11860."""
    rule = EvidenceRule(Estimate.BETA, share - 1e-9, 0.0)
    assert stands(rule, answers).confidence == pytest.approx(share)
    assert stands(rule, answers).stop


def test_a_window_that_agrees_ends_it() -> None:
    rule = EvidenceRule(Estimate.UNANIMOUS, 1.0, 0.0, first=2, batch=2)
    assert [stands(rule, text).stop for text in ("aa", "ab", "abaa", "a-", "--", "aabb")] == [
        True,
        False,
        True,
        False,
        False,
        True,
    ]


def test_share_counts_weights_after_the_first() -> None:
    rule = EvidenceRule(Estimate.SHARE, 0.95, 0.0, first=2)
    assert not stands(rule, "a").stop
    assert stands(rule, "aa").stop
    light = standing(
        rule,
        POSTERIOR,
        [PathVote(PathAuthor.TARGET, 0), PathVote(PathAuthor.TARGET, 1, weight=0.01)],
        [PathAuthor.TARGET],
    )
    assert light.stop


def test_drafts_that_agree_suffice_and_drafts_that_do_not_do_not() -> None:
    rule = EvidenceRule()
    assert stands(rule, "aaaa", author=PathAuthor.DRAFT).stop
    scattered = stands(rule, "abcd", author=PathAuthor.DRAFT)
    assert not scattered.stop
    assert "below confidence" in scattered.reason


def test_paths_that_cannot_gain_are_not_begun() -> None:
    """All differ, and so will the last one most likely: it cannot make the leader right often enough."""
    rule = EvidenceRule(confidence=0.99, min_gain=0.2)
    ended = stands(rule, "abcdef", left=1)
    assert ended.stop
    assert "min_gain" in ended.reason


def test_without_paths_to_come_it_ends() -> None:
    assert stands(EvidenceRule(), "ab", left=0).stop


def test_nobody_leads_without_answers() -> None:
    none = stands(EvidenceRule(), "--")
    assert none.leader is None
    assert none.confidence == 0
    assert not none.stop
