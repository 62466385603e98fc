"""A suffix tree of bounded depth with counts, grown token by token; the structure behind SuffixDecoding."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TreePath:
    """A proposed continuation. `score` is the sum of its tokens' estimated probabilities."""

    tokens: tuple[int, ...] = ()
    score: float = 0.0


@dataclass(slots=True, eq=False)
class _Node:
    """A run of `level` tokens that occurred `count` times; `text` goes on at `place` after its first occurrence.

    Of a run that occurred once no longer runs are made: `text` has them. They are made when it occurs again.
    """

    level: int
    token: int
    text: list[int]
    place: int
    count: int = 1
    children: dict[int, _Node] | None = None
    best: _Node | None = None  #: the child of greatest count, the first to reach it


class _Growing:
    """A text, and for its last suffixes the deepest node made on their way, older first."""

    def __init__(self) -> None:
        self.text: list[int] = []
        self.suffixes: list[_Node] = []


class SuffixTree:
    """Counts every run of up to `depth` tokens in all texts."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._root = _Node(0, -1, [], 0, count=0)
        self._growing: dict[Hashable, _Growing] = {}

    def extend(self, name: Hashable, tokens: Iterable[int]) -> None:
        """Add tokens to the text of this name."""
        growing = self._growing.setdefault(name, _Growing())
        text, suffixes = growing.text, growing.suffixes
        for token in tokens:
            text.append(token)
            suffixes.append(self._root)
            self._root.count += 1
            if len(suffixes) > self._depth:
                del suffixes[0]
            last = len(suffixes) - 1
            for index, node in enumerate(suffixes):  # older first: a run's first occurrence moves before a later one
                suffixes[index] = self._step(node, last - index, text)

    def close(self, name: Hashable) -> None:
        """The text of this name grows no further; it is still counted."""
        self._growing.pop(name, None)

    def count(self, run: Sequence[int]) -> int:
        """How often a run of 1..depth tokens occurred."""
        found = self._find(run)
        return 0 if found is None else found[0].count

    def speculate(self, context: Sequence[int], most: int, factor: float, least: float) -> TreePath:
        """The best-scoring path from any suffix of `context` that occurs here; of equals from the shortest suffix."""
        best = TreePath()
        for length in range(1, min(len(context), self._depth) + 1):
            found = self._find(context[len(context) - length :])
            if found is None:
                break
            path = self._path(*found, min(most, int(length * factor + 1e-6)), least)
            if path.score > best.score:
                best = path
        return best

    def _step(self, node: _Node, level: int, text: list[int]) -> _Node:
        """One suffix of `text`, which was `level` long, goes on by the last token of it."""
        last = len(text) - 1
        while True:
            if node.count == 1 and node is not self._root:
                return node  # occurred once, that is here: the text itself shows how it goes on
            ahead = level - node.level
            if not ahead:
                return self._enter(node, text, last)
            assert node.children is not None  # made when the run occurred again
            node = node.children[text[last - ahead]]

    def _enter(self, node: _Node, text: list[int], place: int) -> _Node:
        """Count the token at `place` after `node`'s run."""
        children = node.children
        if children is None:
            children = node.children = {}
        token = text[place]
        child = children.get(token)
        if child is None:
            child = children[token] = _Node(node.level + 1, token, text, place + 1)
        else:
            child.count += 1
            if child.count == 2 and child.level < self._depth and child.place < len(child.text):
                follower = child.text[child.place]
                child.best = _Node(child.level + 1, follower, child.text, child.place + 1)
                child.children = {follower: child.best}
        if node.best is None or child.count > node.best.count:
            node.best = child
        return child

    def _find(self, run: Sequence[int]) -> tuple[_Node, int] | None:
        """The deepest node made on the way of `run`, and how many tokens of the run lie beyond it in its text."""
        node = self._root
        for index, token in enumerate(run):
            if node.count == 1 and node is not self._root:
                rest = list(run[index:])
                here = node.level + len(rest) <= self._depth and node.text[node.place : node.place + len(rest)] == rest
                return (node, len(rest)) if here else None
            child = node.children.get(token) if node.children else None
            if child is None:
                return None
            node = child
        return node, 0

    def _path(self, node: _Node, ahead: int, most: int, least: float) -> TreePath:
        """The path of greatest counts, while its probability is at least `least`."""
        tokens: list[int] = []
        probability, score = 1.0, 0.0
        while len(tokens) < most:
            if node.count == 1:
                capacity = min(most - len(tokens), self._depth - node.level - ahead)
                rest = node.text[node.place + ahead : node.place + ahead + max(0, capacity)]
                return TreePath((*tokens, *rest), score + probability * len(rest))
            child = node.best
            if child is None:
                break
            probability *= child.count / node.count
            if probability < least:
                break
            tokens.append(child.token)
            score += probability
            node = child
        return TreePath(tuple(tokens), score)
