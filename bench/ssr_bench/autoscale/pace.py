"""How many times as fast as the day it stands for a measurement runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ssr.autoscaler.policy.settings import ScalingLimits, ScalingSettings
from ssr.core.limits import check_within


@dataclass(frozen=True, slots=True)
class Pace:
    """`factor` seconds of the day pass in one real second. Raises: InvalidRequest."""

    factor: float = 20.0

    def __post_init__(self) -> None:
        check_within("factor", self.factor, 1, 100)

    def real_s(self, day_s: float) -> float:
        return day_s / self.factor

    def day_s(self, real_s: float) -> float:
        return real_s * self.factor

    def limits(self, limits: ScalingLimits) -> ScalingLimits:
        """The same limits for an autoscaler that lives in real time: its times shorter, the engines' speed higher."""
        return ScalingLimits.model_validate(self._shortened(limits))

    def settings(self, settings: ScalingSettings) -> ScalingSettings:
        """As `limits`, for all pools and the autoscaler's intervals. The schedule's crons are real time already."""
        pools = {"draft": self.limits(settings.draft), "target": self.limits(settings.target)}
        schedule = tuple(
            load.model_copy(update={"duration_s": self.real_s(load.duration_s)}) for load in settings.schedule
        )
        return ScalingSettings.model_validate(self._shortened(settings) | pools | {"schedule": schedule})

    def _shortened(self, model: BaseModel) -> dict[str, Any]:
        values = dict(model)
        for name, value in values.items():
            if name.endswith("_per_s"):
                values[name] = value * self.factor
            elif name.endswith("_s"):
                values[name] = self.real_s(value)
        return values
