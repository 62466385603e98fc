"""The load script: which job comes when. Pure; all times are seconds of the day."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_within

#: Between two looks at the rate while the script is written, in seconds.
_STEP_S = 0.1


class ArrivalKind(StrEnum):
    """What is asked of the target about a job's drafts."""

    USUAL = "usual"  #: the usual threshold: a quarter of the drafts is rewritten
    STRICT = "strict"  #: a threshold that few drafts reach: most are rewritten


#: The job's threshold; with the simulated engines 26 % and about 80 % of the drafts are rewritten.
THRESHOLDS: Mapping[ArrivalKind, float] = MappingProxyType({ArrivalKind.USUAL: 7.0, ArrivalKind.STRICT: 8.4})


@dataclass(frozen=True, slots=True)
class Phase:
    """`seconds` at `load` times the calm rate, which is reached within `ramp_s` from that of the phase before."""

    name: str
    seconds: float
    load: float
    ramp_s: float = 0.0
    kind: ArrivalKind = ArrivalKind.USUAL

    def __post_init__(self) -> None:
        check_within(f"{self.name} seconds", self.seconds, 1, 86_400)
        check_within(f"{self.name} load", self.load, 0, 1000)
        check_within(f"{self.name} ramp_s", self.ramp_s, 0, self.seconds)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One job: when it comes, in which phase, and the number that makes its problem one of its own."""

    at_s: float
    phase: str
    kind: ArrivalKind
    number: int


@dataclass(frozen=True, slots=True)
class DayOfLoad:
    """Phases one after the other; `calm_jobs_per_s` come at load 1.

    A job has `paths` paths of about `operations` + 1 steps. Raises: InvalidRequest naming what is out of its limits.
    """

    phases: tuple[Phase, ...]
    calm_jobs_per_s: float
    paths: int = 2
    operations: int = 3

    def __post_init__(self) -> None:
        if not self.phases or len({phase.name for phase in self.phases}) < len(self.phases):
            raise InvalidRequest("phases", "must be some, of different names")
        check_within("calm_jobs_per_s", self.calm_jobs_per_s, 1e-4, 100)
        check_within("paths", self.paths, 1, 16)
        check_within("operations", self.operations, 1, 50)

    @property
    def seconds(self) -> float:
        return sum(phase.seconds for phase in self.phases)

    def starts(self) -> Iterator[tuple[float, Phase]]:
        """When each phase begins."""
        at_s = 0.0
        for phase in self.phases:
            yield at_s, phase
            at_s += phase.seconds

    def start_of(self, name: str) -> float:
        """Raises: KeyError for an unknown phase."""
        return {phase.name: at_s for at_s, phase in self.starts()}[name]

    def phase_at(self, at_s: float) -> Phase:
        """The phase at a time; the first one also before the day, the last one behind it."""
        return [phase for start_s, phase in self.starts() if start_s <= max(at_s, 0.0)][-1]

    def jobs_per_s(self, at_s: float) -> float:
        """The rate at a time; 0 outside the day."""
        before = self.phases[0].load
        for start_s, phase in self.starts():
            if start_s <= at_s < start_s + phase.seconds:
                risen = min((at_s - start_s) / phase.ramp_s, 1.0) if phase.ramp_s else 1.0
                return self.calm_jobs_per_s * (before + (phase.load - before) * risen)
            before = phase.load
        return 0.0

    def arrivals(self, seed: int) -> Sequence[Arrival]:
        """All jobs in order.

        The n-th comes at a random moment of the time in which the script's rate adds up from n to n+1. Replicas of few
        slots stand for large ones here: jobs that came independently of each other would make the load swing far
        more, relative to a replica, than it does where a replica has 64 slots.
        """
        dice = random.Random(seed)
        arrivals: list[Arrival] = []
        come, due = 0.0, dice.random()
        for look in range(int(self.seconds / _STEP_S)):
            at_s = look * _STEP_S
            come += self.jobs_per_s(at_s) * _STEP_S
            while come >= due:
                phase = self.phase_at(at_s)
                arrivals.append(Arrival(at_s, phase.name, phase.kind, len(arrivals)))
                due = len(arrivals) + dice.random()
        return arrivals


#: The lesson's phase: a class of twenty times the calm load comes within 30 s, and stays.
BURST = "burst"

FULL_DAY = DayOfLoad(
    (
        Phase("calm", 900, load=1),
        Phase(BURST, 1500, load=20, ramp_s=30),
        Phase("calm 2", 1500, load=1, ramp_s=30),
        Phase("busy", 900, load=5, ramp_s=60),
        Phase("rewrites", 1800, load=5, kind=ArrivalKind.STRICT),
        Phase("evening", 1500, load=1, ramp_s=60),
    ),
    calm_jobs_per_s=0.05,
)
#: The same in short, and with half the load: to see that all works.
QUICK_DAY = DayOfLoad(
    (
        Phase("calm", 180, load=1),
        Phase(BURST, 480, load=20, ramp_s=30),
        Phase("calm 2", 600, load=1, ramp_s=30),
        Phase("busy", 240, load=5, ramp_s=30),
        Phase("rewrites", 420, load=5, kind=ArrivalKind.STRICT),
        Phase("evening", 240, load=1, ramp_s=30),
    ),
    calm_jobs_per_s=0.03,
)
