"""Drafts change nothing but the speed: sampled outputs have the model's own distribution."""

from __future__ import annotations

from collections import Counter
from itertools import product
from random import Random

from ssr.consensus import ConsensusSettings, Drafter

#: A tiny model: the next token's probabilities after each token; 2 comes often, so that drafts are often accepted.
MODEL = {0: (0.1, 0.2, 0.7), 1: (0.3, 0.1, 0.6), 2: (0.2, 0.2, 0.6)}
LENGTH = 3
START = 0

#: Of chi-square with 27 - 1 degrees of freedom: a correct sampler is above it once in a thousand.
_CRITICAL = 54.1


def _sampled(after: int, dice: Random) -> int:
    return dice.choices(range(3), MODEL[after])[0]


def _pass(drafter: Drafter, sample: str, text: list[int], dice: Random) -> int:
    """One forward pass: sample at each position of the draft, go on while it is the draft's token. Tokens accepted."""
    accepted = 0
    emitted: list[int] = []
    for drafted in drafter.draft(sample, LENGTH - len(text) - 1).tokens:
        token = _sampled([START, *text, *emitted][-1], dice)
        emitted.append(token)
        if token != drafted:
            break
        accepted += 1
    else:
        emitted.append(_sampled([START, *text, *emitted][-1], dice))
    text += emitted
    drafter.add(sample, emitted)
    return accepted


def _probability(text: tuple[int, ...]) -> float:
    probability = 1.0
    for before, token in zip((START, *text), text, strict=False):
        probability *= MODEL[before][token]
    return probability


def test_speculative_verification_leaves_the_distribution_as_it_is() -> None:
    dice = Random(20)
    drafter = Drafter(ConsensusSettings(min_confidence=0.0, rest_below=0.0))
    seen: Counter[tuple[int, ...]] = Counter()
    accepted = passes = 0
    groups, siblings = 1000, 4
    for group in range(groups):
        texts: dict[str, list[int]] = {f"{group}/{index}": [] for index in range(siblings)}
        for sample in texts:
            drafter.start(sample, group, [START])
        while any(len(text) < LENGTH for text in texts.values()):
            for sample, text in texts.items():
                if len(text) < LENGTH:
                    accepted += _pass(drafter, sample, text, dice)
                    passes += 1
        drafter.end_group(group)
        seen.update(tuple(text) for text in texts.values())
    total = groups * siblings
    expected = {text: total * _probability(text) for text in product(range(3), repeat=LENGTH)}
    chi_square = sum((seen[text] - mean) ** 2 / mean for text, mean in expected.items())
    assert chi_square < _CRITICAL
    assert accepted > passes / 3  # the drafts did take part


def test_the_check_would_see_a_verifier_that_believes_drafts() -> None:
    """Without verification of a draft's first token the distribution is another: the test above can fail."""
    dice = Random(20)
    drafter = Drafter(ConsensusSettings(min_confidence=0.0, rest_below=0.0))
    seen: Counter[tuple[int, ...]] = Counter()
    for group in range(1000):
        drafter.start(group, group, [START])
        text: list[int] = []
        while len(text) < LENGTH:
            token = next(iter(drafter.draft(group, 1).tokens), _sampled([START, *text][-1], dice))
            text.append(token)
            drafter.add(group, [token])
        drafter.end_group(group)
        seen[tuple(text)] += 1
    expected = {text: 1000 * _probability(text) for text in product(range(3), repeat=LENGTH)}
    assert sum((seen[text] - mean) ** 2 / mean for text, mean in expected.items()) > _CRITICAL
