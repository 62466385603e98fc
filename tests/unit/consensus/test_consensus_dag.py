"""The consensus path, against a graph that is built whole."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.consensus.dag import ConsensusGraph, Continuation
from ssr.consensus.draft import DraftSource
from ssr.consensus.memory import Text

CONTINUATIONS = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=8)


def _pool(texts: list[list[int]], agreed: int = 3, weight: float = 1.0) -> list[Continuation]:
    return [
        Continuation(Text(name, [9, 9, 9, *text]), 3, agreed, weight, DraftSource.SIBLING)
        for name, text in enumerate(texts)
    ]


def _path(consensus: ConsensusGraph, most: int = 10) -> list[tuple[int, float]]:
    path: list[tuple[int, float]] = []
    while len(path) < most and (edge := consensus.heaviest()) is not None:
        path.append((edge.token, edge.weight))
        consensus.advance(edge.token)
    return path


def _whole_graph(texts: list[list[int]]) -> dict[tuple[int, int], dict[int, int]]:
    """How many continuations go from token u of layer i to token v of the next; u is -1 at the root."""
    graph: dict[tuple[int, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for text in texts:
        for layer, token in enumerate(text):
            graph[layer, text[layer - 1] if layer else -1][token] += 1
    return graph


@given(CONTINUATIONS)
def test_without_sharpness_it_is_the_heaviest_path_of_the_merged_graph(texts: list[list[int]]) -> None:
    graph = _whole_graph(texts)
    path = _path(ConsensusGraph(_pool(texts), sharpness=1.0, alpha=0.0))
    node = -1
    for layer, (token, weight) in enumerate(path):
        edges = graph[layer, node]
        assert edges[token] == max(edges.values())
        assert weight == pytest.approx(edges[token] / sum(edges.values()))
        node = token
    assert (len(path), node) not in graph or not graph[len(path), node]


@given(CONTINUATIONS, st.floats(1.0, 8.0))
def test_votes_are_weighted_by_how_long_each_has_agreed(texts: list[list[int]], sharpness: float) -> None:
    path = _path(ConsensusGraph(_pool(texts), sharpness, alpha=0.0))
    drafted: list[int] = []
    for layer, (token, weight) in enumerate(path):
        votes: dict[int, float] = defaultdict(float)
        for text in texts:
            before = text[:layer]
            if len(text) <= layer or (layer and before[-1] != drafted[-1]):
                continue
            agreed = next((n for n in range(layer) if before[layer - 1 - n] != drafted[layer - 1 - n]), layer + 3)
            votes[text[layer]] += sharpness ** min(agreed, 12)
        assert votes[token] == pytest.approx(max(votes.values()))
        assert weight == pytest.approx(votes[token] / sum(votes.values()))
        drafted.append(token)


def test_continuations_that_part_and_meet_again_share_a_node() -> None:
    path = _path(ConsensusGraph(_pool([[1, 7, 5, 5], [2, 7, 6, 6], [3, 7, 6, 6], [1, 8, 0, 0]]), 1.0, 0.0), most=3)
    assert [token for token, _ in path] == [1, 7, 6]  # 7 is reached by one way, and left by all that hold it


def test_the_models_probability_moves_an_edge_by_alpha() -> None:
    pool = _pool([[1], [1], [2]])
    pool[0].text.probabilities = [0.0, 0.0, 0.0, 0.2]
    pool[1].text.probabilities = [0.0, 0.0, 0.0, 0.4]
    pool[2].text.probabilities = [0.0, 0.0, 0.0, 0.9]
    edge = ConsensusGraph(pool, 1.0, alpha=0.5).heaviest()
    assert edge is not None
    assert edge.token == 2
    assert edge.weight == pytest.approx(0.5 * 0.9 + 0.5 / 3)


def test_where_no_probability_is_reported_frequency_counts_alone() -> None:
    edge = ConsensusGraph(_pool([[1], [1], [2]]), 1.0, alpha=0.9).heaviest()
    assert edge is not None
    assert edge.token == 1
    assert edge.weight == pytest.approx(2 / 3)


def test_an_edge_reports_the_source_that_speaks_for_it_most() -> None:
    pool = [
        Continuation(Text("a", [1]), 0, 2, 1.0, DraftSource.SIBLING),
        Continuation(Text("b", [1]), 0, 5, 0.1, DraftSource.HISTORY),
    ]
    edge = ConsensusGraph(pool, 4.0, 0.0).heaviest()
    assert edge is not None
    assert (edge.source, edge.agreed) == (DraftSource.HISTORY, 5)
