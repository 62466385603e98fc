"""What an evaluation runs: cells (a way of solving, with its settings), each on every problem, each so many times."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from ssr.client import SolveOptions
from ssr.client.request import resolved
from ssr.core.errors import InvalidRequest
from ssr.core.limits import MAX_SEED, check_within
from ssr.core.types import Mode, StopRule, choices, chosen
from ssr_bench.evaluation.dataset import Problem, fingerprint

MAX_REPEATS = 1000
#: Options that the plan sets itself.
_OWN = ("mode", "paths", "reserve", "stop_rule", "threshold", "scorer", "seed", "deadline_s")


class Cell(BaseModel):
    """One way to solve. None: the server's default, or of no matter in this mode."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode
    paths: int | None = None
    reserve: int | None = None
    stop_rule: StopRule | None = None
    threshold: float | None = None
    scorer: str | None = None

    def options(self) -> dict[str, Any]:
        """As options of a job."""
        return self.model_dump(exclude_none=True)

    @property
    def label(self) -> str:
        """For people: what was asked for."""
        paths = "" if self.paths is None or self.mode.single_path else f"-{self.paths}"
        parts = [f"{self.mode}{paths}"]
        if self.reserve:
            parts.append(f"{self.reserve} in reserve")
        if self.stop_rule:
            parts.append(self.stop_rule)
        if self.threshold is not None:
            parts.append(f"t={self.threshold:g}")
        return " ".join([*parts, *([self.scorer] if self.scorer else [])])


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One problem solved once. `seed`: None where no seed is given to the server."""

    cell: Cell
    problem: Problem
    repeat: int
    seed: int | None


class Plan(BaseModel):
    """An evaluation. Two of them give the same runs if and only if they are equal.

    `problems` is the fingerprint of those that were chosen; `preset` "" is a server. `seed` None: runs are not seeded.
    `timeout_s` is a job's deadline, at which it ends with what it has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    problems: str
    count: int
    offset: int = 0
    preset: str = ""
    cells: tuple[Cell, ...]
    repeats: int = 1
    seed: int | None = 0
    timeout_s: float = 3600.0
    options: dict[str, Any] = {}

    def runs(self, problems: Sequence[Problem]) -> Iterator[PlannedRun]:
        """All runs, problem by problem, so that an unfinished evaluation compares all cells on what it has.

        Each problem begins with another cell: none always meets caches that the one before has filled, and what
        changes on the machine with time falls on all alike.
        """
        for repeat in range(self.repeats):
            for number, problem in enumerate(problems):
                turn = (number + repeat) % len(self.cells)
                for cell in (*self.cells[turn:], *self.cells[:turn]):
                    seed = None if self.seed is None else run_seed(self.seed, cell, problem.id, repeat)
                    yield PlannedRun(cell, problem, repeat, seed)

    def solve_options(self, run: PlannedRun) -> SolveOptions:
        """What the server is asked."""
        given = {"early_stop": False, **self.options, **run.cell.options(), "deadline_s": self.timeout_s}
        return cast("SolveOptions", given if run.seed is None else {**given, "seed": run.seed})

    def differences(self, other: Plan) -> list[str]:
        """What keeps `other` from being this plan, for people."""
        mine, its = self.model_dump(mode="json"), other.model_dump(mode="json")
        return [_difference(name, mine[name], its[name]) for name in mine if mine[name] != its[name]]


def run_seed(seed: int, cell: Cell, problem_id: str, repeat: int) -> int:
    """Equal arguments give equal seeds.

    Cells have seeds of their own: with equal ones they would write the same steps for a while, and those that come
    later would find them in the engines' caches.
    """
    words = f"{seed}/{cell.model_dump_json()}/{problem_id}/{repeat}"
    digest = hashlib.blake2b(words.encode(), digest_size=8).digest()
    return int.from_bytes(digest) % MAX_SEED


@dataclass(frozen=True, slots=True)
class WantedCells:
    """The dimensions of the cells. An empty one is the server's default."""

    modes: tuple[str, ...]
    paths: tuple[int, ...] = ()
    stop_rules: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()
    scorers: tuple[str, ...] = ()
    reserves: tuple[int, ...] = ()

    def cells(self) -> tuple[Cell, ...]:
        """Each combination once; a dimension multiplies only the modes it matters in.

        Raises: InvalidRequest naming what is unknown or out of its limits.
        """
        if not self.modes:
            raise InvalidRequest("modes", "are missing; give at least one")
        cells = dict.fromkeys(cell for mode in self.modes for cell in self._cells(_mode(mode)))
        for cell in cells:
            resolved(cast("SolveOptions", cell.options()))
        return tuple(cells)

    def _cells(self, mode: Mode) -> Iterator[Cell]:
        many = not mode.single_path
        for paths in _or_default(self.paths if many else ()):
            for reserve, rule, threshold, scorer in product(
                _or_default(self.reserves if mode is Mode.SSR and paths != 1 else ()),
                _or_default(self.stop_rules if many and paths != 1 else ()),
                _or_default(self.thresholds if mode.drafts else ()),
                _or_default(self.scorers if mode.drafts else ()),
            ):
                stop_rule = None if rule is None else _stop_rule(rule)
                yield Cell(
                    mode=mode, paths=paths, reserve=reserve, stop_rule=stop_rule, threshold=threshold, scorer=scorer
                )


def make_plan(
    dataset: str,
    problems: Sequence[Problem],
    wanted: WantedCells,
    *,
    offset: int = 0,
    preset: str = "",
    repeats: int = 1,
    seed: int | None = 0,
    timeout_s: float = 3600.0,
    options: dict[str, Any] | None = None,
) -> Plan:
    """The plan, checked: nothing in it is refused by a server of this version for its limits.

    Raises: InvalidRequest naming what is unknown or out of its limits.
    """
    check_within("repeats", repeats, 1, MAX_REPEATS)
    if seed is not None:
        check_within("seed", seed, 0, MAX_SEED)
    if not 0 < timeout_s < math.inf:
        raise InvalidRequest("timeout", f"must be a number of seconds over 0; got {timeout_s:g}")
    own = next((name for name in options or {} if name in _OWN), None)
    if own is not None:
        raise InvalidRequest("option", f"{own} has an option of its own")
    plan = Plan(
        dataset=dataset,
        problems=fingerprint(problems),
        count=len(problems),
        offset=offset,
        preset=preset,
        cells=wanted.cells(),
        repeats=repeats,
        seed=seed,
        timeout_s=timeout_s,
        options=options or {},
    )
    for cell in plan.cells:
        resolved(plan.solve_options(PlannedRun(cell, problems[0], 0, seed)))
    return plan


def _or_default(values: Sequence[Any]) -> Sequence[Any]:
    return values or (None,)


def _mode(name: str) -> Mode:
    try:
        return chosen(Mode, name)
    except ValueError:
        raise InvalidRequest("modes", f"{name!r} is unknown; known are {', '.join(choices(Mode))}") from None


def _stop_rule(name: str) -> StopRule:
    try:
        return chosen(StopRule, name)
    except ValueError:
        raise InvalidRequest("stop-rule", f"{name!r} is unknown; known are {', '.join(choices(StopRule))}") from None


def _difference(name: str, mine: Any, its: Any) -> str:
    if name == "problems":
        return "the problems (their texts, answers or order)"
    if name == "cells":
        labels = [{Cell.model_validate(cell).label for cell in cells} for cells in (mine, its)]
        return f"cells {', '.join(sorted(labels[0]))} (now {', '.join(sorted(labels[1]))})"
    return f"{name} {mine} (now {its})"
