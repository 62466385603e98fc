"""Drafts are sampled at `temperature`, and what the target writes at `target_temperature`."""

from __future__ import annotations

import pytest
from tree_crew import TreeCrew, run

from ssr.core.solve import Crew
from ssr.core.types import Mode, Options, PathContext, Step, StopRule, Verdict, Written


class _Thermometer(TreeCrew):
    """Notes the temperature at which each part is asked."""

    def __init__(self) -> None:
        super().__init__([1, 1], frozenset({(0, 0)}))
        self.seen: dict[str, set[float]] = {}

    async def verify(self, context: PathContext, step: Step, options: Options) -> Verdict:
        self.seen.setdefault("verify", set()).add(options.temperature)
        return await super().verify(context, step, options)

    def crew(self) -> Crew:
        return Crew(self, _Writer(self, "draft"), _Writer(self, "write"), self, self)


class _Writer:
    def __init__(self, crew: _Thermometer, name: str) -> None:
        self._crew, self._name = crew, name

    async def write(self, context: PathContext, options: Options) -> Written:
        self._crew.seen.setdefault(self._name, set()).add(options.temperature)
        return await self._crew.write(context, options)


@pytest.mark.parametrize(
    ("mode", "reserve", "seen"),
    [
        (Mode.BASELINE, 0, {"write": {0.0}}),
        (Mode.PARALLEL, 0, {"write": {0.0}}),
        (Mode.DRAFT, 0, {"draft": {0.6}}),
        (Mode.SSD, 0, {"draft": {0.6}, "verify": {0.0}}),
        (Mode.SSR, 1, {"draft": {0.6}, "verify": {0.0}, "write": {0.0}}),
    ],
)
async def test_each_part_is_asked_at_its_temperature(mode: Mode, reserve: int, seen: dict[str, set[float]]) -> None:
    options = Options(
        mode=mode, paths=1 if mode.single_path else 2, reserve=reserve, stop_rule=StopRule.FULL, target_temperature=0.0
    )
    crew = _Thermometer()
    await run(crew, options)
    assert crew.seen == seen


async def test_without_one_of_its_own_the_target_has_the_same() -> None:
    crew = _Thermometer()
    await run(crew, Options(mode=Mode.SSD, paths=1, temperature=0.3))
    assert crew.seen == {"draft": {0.3}, "verify": {0.3}}
