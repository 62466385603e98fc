"""What votes say: probabilities, who weighs how much, and what another path is worth."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssr.core.evidence.poll import PathVote, Poll
from ssr.core.evidence.posterior import Posterior
from ssr.core.evidence.prior import PathAuthor, Prior, Sign, Skill

DRAFT, TARGET = PathAuthor.DRAFT, PathAuthor.TARGET
SHARED = Posterior(Prior())

votes = st.lists(
    st.builds(
        PathVote,
        st.sampled_from(PathAuthor),
        st.one_of(st.none(), st.integers(0, 3)),
        st.sampled_from((-3.5, 0.0, 0.25, 1.5)),
    ),
    max_size=7,
)


def poll(*cast: tuple[PathAuthor, int | None], ratio: float = 0.0) -> Poll:
    return Poll.of([PathVote(author, answer, ratio) for author, answer in cast])


@given(votes)
def test_the_probabilities_sum_to_one(cast: list[PathVote]) -> None:
    sure = SHARED.sureness(Poll.of(cast))
    assert sum(sure.answers) + sure.none == pytest.approx(1)
    assert all(0 <= one <= 1 for one in (*sure.answers, sure.none))


@given(votes, st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_matter(cast: list[PathVote], dice: object) -> None:
    shuffled = list(cast)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    ahead, behind = SHARED.sureness(Poll.of(cast)), SHARED.sureness(Poll.of(shuffled))
    assert ahead.answers == pytest.approx(behind.answers)


def test_agreement_convinces() -> None:
    chances = [SHARED.sureness(poll(*[(DRAFT, 0)] * count)).answers[0] for count in (1, 2, 3, 4)]
    assert chances == sorted(chances)
    assert chances[-1] > 0.85 > 0.6 > chances[0]


def test_a_vote_of_the_target_weighs_more_than_one_of_the_draft() -> None:
    split = SHARED.sureness(poll((DRAFT, 0), (TARGET, 1)))
    assert split.answers[1] > split.answers[0]


def test_a_false_sum_takes_a_vote_away() -> None:
    prior = Prior()
    seen, unseen = prior.ratio(DRAFT, false_sum=True), prior.ratio(DRAFT, false_sum=False)
    kept = SHARED.sureness(Poll.of([PathVote(DRAFT, 0, unseen)] * 3))
    lost = SHARED.sureness(Poll.of([PathVote(DRAFT, 0, seen)] * 3))
    assert kept.answers[0] > 0.8 > 0.1 > lost.answers[0]


def test_paths_without_an_answer_make_the_others_doubtful() -> None:
    alone = SHARED.sureness(poll((TARGET, 0)))
    beside = SHARED.sureness(poll((TARGET, 0), (TARGET, None), (TARGET, None)))
    assert beside.answers[0] < alone.answers[0]


def test_two_authors_of_certain_skill_follow_bayes() -> None:
    """Without spread and with answers that never agree by chance, the odds are those of independent witnesses."""
    sure = {author: Skill(mean, 0.0) for author, mean in ((DRAFT, 0.0), (TARGET, 1.0), (PathAuthor.VERIFIED, 0.0))}
    posterior = Posterior(Prior(sure, 0.0, ((1.0, 1e6),), Sign(0, 0)))
    first, second = posterior.sureness(poll((DRAFT, 0), (TARGET, 1))).answers
    assert second / first == pytest.approx(2.718, rel=0.01)


@settings(deadline=None, max_examples=40)
@given(votes, st.integers(0, 4))
def test_another_path_never_harms_and_costs_its_price(cast: list[PathVote], left: int) -> None:
    free = SHARED.gain(Poll.of(cast), [TARGET] * left, 0.0)
    dear = SHARED.gain(Poll.of(cast), [TARGET] * left, 0.05)
    assert free >= dear - 1e-9
    assert dear >= 0
    assert SHARED.gain(Poll.of(cast), [TARGET] * left, 1.0) == 0


def test_the_gain_of_one_path_is_that_of_looking_at_it() -> None:
    """Against a plain sum over what the next path may answer."""
    cast = [PathVote(DRAFT, 0), PathVote(DRAFT, 1), PathVote(DRAFT, 0)]
    posterior, now = SHARED, Poll.of(cast)
    weights = {n: _mass(posterior, cast, PathVote(TARGET, n)) for n in (0, 1)}
    fresh = PathVote(TARGET, 2)
    best = {n: max(posterior.sureness(now.add(PathVote(TARGET, n))).answers) for n in (0, 1, 2)}
    rest = 1 - sum(weights.values())
    expected = sum(weights[n] * best[n] for n in (0, 1)) + rest * max(posterior.sureness(now.add(fresh)).answers)
    gain = expected - max(posterior.sureness(now).answers)
    assert posterior.gain(now, [TARGET], 0.0) == pytest.approx(max(0.0, gain))


def _mass(posterior: Posterior, cast: list[PathVote], vote: PathVote) -> float:
    return posterior.mass(Poll.of([*cast, vote])) / posterior.mass(Poll.of(cast))


def test_many_paths_take_milliseconds() -> None:
    cast = [PathVote(author, number % 6, 0.25 * (number % 3)) for number, author in enumerate([DRAFT, TARGET] * 6)]
    gain = Posterior(Prior()).gain(Poll.of(cast), [TARGET] * 12, 0.001)
    assert 0 <= gain <= 1


def test_all_polls_of_few_votes_have_a_leader_that_was_given() -> None:
    for answers in product((0, 1), repeat=3):
        sure = SHARED.sureness(poll(*[(TARGET, answer) for answer in answers]))
        assert sure.leader == (1 if sum(answers) > 1 else 0)


def test_looking_ahead_works_out_few_polls_however_the_answers_differ() -> None:
    """What it costs: for each poll a product over the eases for each answer, and powers once for each count."""
    ratios = (-3.0, -0.25, 0.0, 0.25, 0.5, 1.0)
    votes = [PathVote(DRAFT if n < 4 else TARGET, n % 6, ratios[n % 6]) for n in range(8)]
    posterior = Posterior(Prior())
    posterior.gain(Poll.of(votes), [TARGET] * 8, 1e-9)
    once = posterior.worked_out
    assert once <= 400
    posterior.gain(Poll.of(votes), [TARGET] * 8, 1e-9)
    assert posterior.worked_out == once
    many = Posterior(Prior())
    many.gain(Poll.of([PathVote(TARGET, n, ratios[n % 6]) for n in range(12)]), [TARGET] * 4, 1e-9)
    assert many.worked_out <= 200
