from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ssr.core.types import StopRule
from ssr.core.vote import Ballot, Vote, settled, tally
from ssr.core.vote_rule import VoteRule


def vote(answer: str, *paths: int, score: float | None = None) -> Vote:
    return Vote(answer, paths, score)


def test_more_paths_win() -> None:
    ballots = [Ballot(0, "7", 9.0), Ballot(1, "42", 3.0), Ballot(2, "42.0", 4.0)]
    assert tally(ballots, [[0], [1, 2]]) == (vote("42", 1, 2, score=3.5), vote("7", 0, score=9.0))


def test_a_tie_goes_to_the_higher_mean_score() -> None:
    ballots = [Ballot(0, "7", 6.0), Ballot(1, "42", 8.0)]
    assert [v.answer for v in tally(ballots, [[0], [1]])] == ["42", "7"]


def test_a_full_tie_goes_to_the_earliest_path() -> None:
    ballots = [Ballot(3, "7", None), Ballot(1, "42", None)]
    assert [v.answer for v in tally(ballots, [[0], [1]])] == ["42", "7"]


def test_a_full_tie_goes_to_the_targets_own_path() -> None:
    ballots = [Ballot(0, "7", 9.0), Ballot(1, "42", 9.0), Ballot(2, "8", 9.0, target=True)]
    assert [v.answer for v in tally(ballots, [[0], [1], [2]])] == ["8", "7", "42"]


def test_the_first_path_names_the_answer() -> None:
    ballots = [Ballot(2, "0.5", None), Ballot(0, "1/2", None)]
    assert tally(ballots, [[0, 1]]) == (vote("1/2", 0, 2),)


ballots_and_classes = st.lists(
    st.tuples(st.integers(0, 3), st.one_of(st.none(), st.floats(0, 9))), min_size=1, max_size=16
)


@given(ballots_and_classes)
def test_every_ballot_counts_once_and_order_is_by_size(answers: list[tuple[int, float | None]]) -> None:
    ballots = [Ballot(path, str(answer), score) for path, (answer, score) in enumerate(answers)]
    classes = [[i for i, (a, _) in enumerate(answers) if a == answer] for answer in range(4)]
    votes = tally(ballots, classes)
    assert sorted(path for v in votes for path in v.paths) == list(range(len(answers)))
    sizes = [len(v.paths) for v in votes]
    assert sizes == sorted(sizes, reverse=True)


@given(ballots_and_classes, st.integers(0, 6), st.data())
def test_an_early_stop_never_changes_the_winner(
    answers: list[tuple[int, float | None]], running: int, data: st.DataObject
) -> None:
    rule = VoteRule(data.draw(st.sampled_from(["majority", "plurality"])))
    ballots = [Ballot(path, str(answer), score) for path, (answer, score) in enumerate(answers)]

    def winner(all_ballots: list[Ballot]) -> str:
        names = sorted({b.answer for b in all_ballots})
        return tally(all_ballots, [[i for i, b in enumerate(all_ballots) if b.answer == n] for n in names], rule)[
            0
        ].answer

    names = sorted({b.answer for b in ballots})
    votes = tally(ballots, [[i for i, b in enumerate(ballots) if b.answer == n] for n in names], rule)
    if settled(StopRule.FULL, votes, running, early_stop=True):
        late = [
            Ballot(len(ballots) + i, data.draw(st.sampled_from([*names, "new"])), data.draw(st.floats(0, 9)))
            for i in range(data.draw(st.integers(0, running)))
        ]
        assert winner([*ballots, *late]) == winner(ballots)


def test_full_waits_for_all_without_early_stop() -> None:
    votes = [vote("42", 0, 1, 2, 3)]
    assert not settled(StopRule.FULL, votes, 1, early_stop=False)
    assert settled(StopRule.FULL, votes, 0, early_stop=False)


def test_full_stops_early_only_when_nothing_can_change() -> None:
    assert settled(StopRule.FULL, [vote("42", 0, 1, 2)], 2, early_stop=True)
    assert not settled(StopRule.FULL, [vote("42", 0, 1)], 2, early_stop=True)  # the two could tie with a new answer
    assert not settled(StopRule.FULL, [vote("42", 0, 1), vote("7", 2)], 1, early_stop=True)


def test_fast_1_stops_at_the_first_answer() -> None:
    assert settled(StopRule.FAST_1, [vote("42", 0)], 4, early_stop=False)
    assert not settled(StopRule.FAST_1, [], 4, early_stop=False)


def test_fast_2_stops_at_two_equal_answers() -> None:
    assert not settled(StopRule.FAST_2, [vote("42", 0), vote("7", 1)], 3, early_stop=False)
    assert settled(StopRule.FAST_2, [vote("42", 0, 2), vote("7", 1)], 2, early_stop=False)


def test_nothing_left_is_settled_even_without_an_answer() -> None:
    assert all(settled(rule, [], 0, early_stop=False) for rule in StopRule)


TWO_TWO_ONE = [Ballot(0, "a", 6.0), Ballot(1, "a", 7.0), Ballot(2, "b", 7.5), Ballot(3, "b", 7.0), Ballot(4, "c", 9.0)]


def test_a_tie_under_plurality_goes_to_the_best_path_of_all() -> None:
    classes = [[0, 1], [2, 3], [4]]
    assert [v.answer for v in tally(TWO_TWO_ONE, classes, VoteRule("plurality"))] == ["c", "b", "a"]
    assert [v.answer for v in tally(TWO_TWO_ONE, classes)] == ["b", "a", "c"], "ours stays among the tied"


def test_plurality_needs_two_paths_and_no_equal() -> None:
    def winner(*answers: tuple[str, float]) -> str:
        ballots = [Ballot(path, answer, score) for path, (answer, score) in enumerate(answers)]
        classes = [[i for i, b in enumerate(ballots) if b.answer == a] for a in sorted({b.answer for b in ballots})]
        return tally(ballots, classes, VoteRule("plurality"))[0].answer

    assert winner(("a", 2.0), ("a", 2.0), ("b", 9.0)) == "a"
    assert winner(("a", 2.0), ("b", 9.0), ("c", 3.0)) == "b"
    assert winner(("a", 2.0)) == "a"
    assert winner(("b", 5.0), ("a", 5.0)) == "b", "the earlier path of two equal ones"
