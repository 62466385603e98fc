"""The calibration file: written, read, and what is wrong with it said by field."""

from __future__ import annotations

import pytest

from ssr.core.errors import InvalidRequest
from ssr.core.evidence.calibration import Calibration, Entry, Suggestion, calibration_text, parse_calibration
from ssr.core.evidence.prior import PathAuthor, Prior, Skill

HARD = Prior({**Prior().skills, PathAuthor.DRAFT: Skill(-3.0, 1.0)})
WHOLE = Calibration(
    (
        Entry(HARD, "small-0.5B", "large-1.5B", "mathematics", Suggestion(4, 8, 0.9, 0.04), "fitted to 500 problems"),
        Entry(Prior(), domain="choice"),
    )
)


def test_what_is_written_is_read() -> None:
    read = parse_calibration(calibration_text(WHOLE))
    assert read.entries[0].suggestion == Suggestion(4, 8, 0.9, 0.04)
    assert read.entries[0].prior.skills[PathAuthor.DRAFT] == Skill(-3.0, 1.0)
    assert calibration_text(read) == calibration_text(WHOLE)


def test_the_first_entry_that_fits_counts() -> None:
    assert WHOLE.entry("/models/Small-0.5B.gguf", "large-1.5b", "mathematics").prior is HARD
    assert WHOLE.entry("other", "large-1.5B", "choice").domain == "choice"
    assert WHOLE.entry("other", "large-1.5B", "mathematics").prior == Prior()


def test_fields_of_a_newer_writer_are_ignored() -> None:
    text = calibration_text(WHOLE)
    newer = text.replace("  correlation: 0.88", "  novelty: 3\n  correlation: 0.88")
    assert newer != text
    assert parse_calibration(newer) == parse_calibration(text)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("version: 2", "calibration.version"),
        ("- 1", "calibration.version"),
        ("version: [", "calibration"),
        ("version: 1\npriors: [{}]", r"calibration.priors\[0\]"),
        (calibration_text(WHOLE).replace("spread: 1.0", "spread: -1"), "skills.draft.spread"),
        (calibration_text(WHOLE).replace("correlation: 0.88", "correlation: 7"), "correlation"),
    ],
)
def test_what_is_wrong_is_named(text: str, field: str) -> None:
    with pytest.raises(InvalidRequest, match=field):
        parse_calibration(text)
