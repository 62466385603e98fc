"""How large the fault suite is, and what it reports at its end.

SSR_FAULTS=full runs all of it (a few minutes) instead of the short form; SSR_FAULTS_SEED chooses jobs and blows,
SSR_FAULTS_ROLLED how many jobs each test of rolls has at least (a slow machine takes several runs of fewer).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

FULL = os.environ.get("SSR_FAULTS") == "full"
_DEFAULT_SEED = 20250515
_SUMMARY = pytest.StashKey[list[str]]()


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done: `blows` to parts while `jobs` run, `at_a_time` of them unfinished at any moment.

    Every `stride`-th point of a job's life is tried where points are tried one by one. At least `rolled` jobs run
    in each test that rolls parts.
    """

    seed: int
    jobs: int
    blows: int
    at_a_time: int
    stride: int
    rolled: int


@pytest.fixture(scope="session")
def scale() -> Scale:
    seed = int(os.environ.get("SSR_FAULTS_SEED") or _DEFAULT_SEED)
    if FULL:
        rolled = int(os.environ.get("SSR_FAULTS_ROLLED") or 250)
        return Scale(seed, jobs=200, blows=40, at_a_time=24, stride=1, rolled=rolled)
    return Scale(seed, jobs=24, blows=9, at_a_time=12, stride=5, rolled=24)


@pytest.fixture
def report(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Adds a line to the report at the end of the session."""
    return pytestconfig.stash.setdefault(_SUMMARY, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if lines := terminalreporter.config.stash.get(_SUMMARY, []):
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)
