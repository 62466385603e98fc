"""A pair calibrated: drafting is suggested where it pays, and not where it does not."""

from __future__ import annotations

import random

import pytest

from ssr.core.errors import InvalidRequest
from ssr.core.evidence.calibration import Entry, calibration_text, parse_calibration
from ssr.core.evidence.prior import Prior
from ssr.core.types import Options
from ssr.orchestrator.calibration import calibrated, cascade_shape
from ssr.orchestrator.settings import DefaultOptions
from ssr_bench.replay.calibrating import calibrate_pair
from ssr_bench.replay.pool import PooledProblem, Sample

NAMES = Entry(Prior(), "small", "large", "mathematics")


def pool(count: int, draft_skill: float, draft_length: int = 100) -> list[PooledProblem]:
    dice = random.Random(1)

    def samples(ease: float, skill: float, length: int) -> tuple[Sample, ...]:
        chance = min(0.98, max(0.02, ease + skill))
        return tuple(Sample(0 if dice.random() < chance else dice.randint(1, 40), length, False) for _ in range(4))

    eases = [dice.random() for _ in range(count)]
    return [
        PooledProblem("s", str(n), samples(e, draft_skill, draft_length), samples(e, 0.3, 100))
        for n, e in enumerate(eases)
    ]


def test_cheap_drafts_that_are_often_right_pay() -> None:
    found = calibrate_pair(pool(48, 0.2), 0.05, NAMES, orders=1)
    assert found.drafting_pays
    said = found.entry.suggestion
    assert said is not None
    assert said.draft_paths >= 2
    assert "drafting pays" in found.entry.note
    judged = found.judged
    assert judged is not None
    assert (judged.folds, judged.problems) == (5, 48)
    assert judged.saved is not None
    assert judged.saved.low <= judged.saved.value <= judged.saved.high
    assert judged.saved.value > 0
    assert judged.gain.value == pytest.approx(judged.accuracy.value - found.vote)
    assert judged.no_loss(-judged.gain.low + 1e-6)
    assert not judged.no_loss(-judged.gain.low)
    assert parse_calibration(calibration_text(parse_calibration(calibration_text_of(found.entry)))).entries


def calibration_text_of(entry: Entry) -> str:
    from ssr.core.evidence.calibration import Calibration

    return calibration_text(Calibration((entry,)))


@pytest.mark.parametrize(("skill", "price"), [(0.2, 1.0), (-0.9, 0.3)])
def test_dear_or_useless_drafts_do_not_pay_and_the_target_votes_alone(skill: float, price: float) -> None:
    found = calibrate_pair(pool(48, skill), price, NAMES, orders=1)
    assert not found.drafting_pays
    assert found.entry.suggestion is not None
    assert found.entry.suggestion.draft_paths == 0
    assert "does not pay" in found.reason
    assert cascade_shape(found.entry).draft_paths == 0


def test_too_few_problems_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="at least 30"):
        calibrate_pair(pool(10, 0.2), 0.05, NAMES)


def test_a_suggestion_yields_to_what_the_settings_say() -> None:
    entry = calibrate_pair(pool(40, 0.2), 0.05, NAMES, orders=1).entry
    assert entry.suggestion is not None
    assert calibrated(DefaultOptions(), entry).min_gain == entry.suggestion.min_gain
    assert calibrated(DefaultOptions(min_gain=0.5), entry).min_gain == 0.5
    assert calibrated(DefaultOptions(), Entry(Prior())).min_gain == Options().min_gain
