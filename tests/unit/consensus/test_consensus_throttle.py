"""When drafting stops and begins again, and what confidence is learnt from."""

from __future__ import annotations

import pytest

from ssr.consensus.calibration import AcceptanceCalibration
from ssr.consensus.dag import Edge
from ssr.consensus.draft import DraftSource
from ssr.consensus.throttle import Throttle


def _passes_at_rest(switch: Throttle) -> int:
    passes = 0
    while not switch.on():
        passes += 1
    return passes


def _fail(switch: Throttle) -> None:
    while switch.on():
        switch.observe(8, 0)


def test_a_sample_that_gains_nothing_rests_longer_each_time() -> None:
    switch = Throttle(0.05)
    rests = []
    for _ in range(7):
        _fail(switch)
        rests.append(_passes_at_rest(switch) + 1)  # the pass that found it resting was one
    assert rests == [16, 32, 64, 128, 256, 256, 256]


def test_a_success_makes_the_next_rest_short_again() -> None:
    switch = Throttle(0.05)
    for _ in range(3):
        _fail(switch)
        _passes_at_rest(switch)
    for _ in range(20):
        switch.observe(8, 4)
    _fail(switch)
    assert _passes_at_rest(switch) + 1 == 16


def test_a_few_bad_drafts_are_no_reason_to_rest() -> None:
    switch = Throttle(0.05)
    for _ in range(7):
        switch.observe(8, 0)
    assert switch.on()


def test_a_price_of_0_never_rests() -> None:
    switch = Throttle(0.0)
    for _ in range(100):
        switch.observe(8, 0)
    assert switch.on()


def test_the_estimate_goes_from_the_vote_to_what_was_seen() -> None:
    calibration = AcceptanceCalibration()
    edge = Edge(1, 0.9, 2, DraftSource.SIBLING)
    first, kind = calibration.probability(edge)
    assert first == pytest.approx(0.72)
    for index in range(1000):
        calibration.learn(kind, index % 4 == 0)
    assert calibration.probability(edge)[0] == pytest.approx(0.25, abs=0.01)
    assert calibration.probability(Edge(1, 0.9, 8, DraftSource.SIBLING))[0] == pytest.approx(0.72)


def test_sources_are_judged_apart_and_a_new_one_by_what_is_known_of_the_others() -> None:
    calibration = AcceptanceCalibration()
    sibling, history = (Edge(1, 0.9, 4, source) for source in (DraftSource.SIBLING, DraftSource.HISTORY))
    for index in range(400):
        calibration.learn(calibration.probability(sibling)[1], index % 4 != 0)
    assert calibration.probability(history)[0] == pytest.approx(0.75, abs=0.02)
    for _ in range(100):
        calibration.learn(calibration.probability(history)[1], False)
    assert calibration.probability(history)[0] < 0.1
    assert calibration.probability(sibling)[0] == pytest.approx(0.75, abs=0.03)


def test_what_was_learnt_long_ago_fades() -> None:
    calibration = AcceptanceCalibration()
    edge = Edge(1, 0.9, 2, DraftSource.SIBLING)
    _, kind = calibration.probability(edge)
    for _ in range(20_000):
        calibration.learn(kind, False)
    for _ in range(20_000):
        calibration.learn(kind, True)
    assert calibration.probability(edge)[0] > 0.95
