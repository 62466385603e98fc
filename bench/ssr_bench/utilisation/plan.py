"""What is compared, and at which load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_within
from ssr.core.types import CallKind, Mode
from ssr.engines.load import Pool

_MAX_CONCURRENCY, _MAX_STEPS, _MAX_ROUNDS, _MAX_SERVICES = 4096, 200, 1000, 64

EngineKind = Literal["tgi", "openai", "vllm", "sglang", "llamacpp"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A way to solve, and the engine that raw generation is asked of beside it.

    `floor` is the share of the raw tokens/s that it should reach; None: it is no goal, for the engines' work differs.
    """

    name: str
    mode: Mode
    paths: int
    raw: Pool
    floor: float | None = None
    options: Mapping[str, float] = field(default_factory=dict)

    @property
    def drafts(self) -> bool:
        return self.mode.drafts

    @property
    def raw_kind(self) -> CallKind:
        """As whose calls raw generations are seeded: then an engine that draws by prompt and seed writes the same."""
        return CallKind.DRAFT if self.raw is Pool.DRAFT else CallKind.WRITE


#: With a threshold of 0 every draft is accepted, but scored all the same.
SUBJECTS = {
    one.name: one
    for one in (
        Subject("baseline", Mode.BASELINE, 1, Pool.TARGET, 0.9),
        Subject("parallel", Mode.PARALLEL, 3, Pool.TARGET, 0.9),
        Subject("ssd-accepted", Mode.SSD, 1, Pool.DRAFT, 0.9, {"threshold": 0.0}),
        Subject("ssr", Mode.SSR, 3, Pool.TARGET),
    )
}


@dataclass(frozen=True, slots=True)
class UtilisationPlan:
    """For each number of paths at a time (`concurrency`), each subject solves `rounds` times as many, `least` at least.

    `engine` and `draft_engine` are URLs; without `engine` both are simulated, at the pace of their timing models.
    Without `draft_engine` only what the target does alone is measured. `problems` are asked in turn; none: sums of
    about `steps` steps. `services`: so many drafters, verifiers and orchestrators. `max_path_tokens` bounds each path.
    Raises: InvalidRequest naming the field that is out of its limits.
    """

    concurrency: tuple[int, ...] = (1, 16, 64, 256)
    engine: str = ""
    draft_engine: str = ""
    kind: EngineKind = "openai"
    problems: tuple[str, ...] = ()
    steps: int = 8
    rounds: int = 2
    least: int = 4
    services: int = 1
    max_path_tokens: int = 1024
    subjects: tuple[str, ...] = tuple(SUBJECTS)

    def __post_init__(self) -> None:
        if not self.concurrency or not all(1 <= one <= _MAX_CONCURRENCY for one in self.concurrency):
            raise InvalidRequest("concurrency", f"must be numbers within 1..{_MAX_CONCURRENCY}, such as 1,16,64")
        check_within("steps", self.steps, 1, _MAX_STEPS)
        check_within("rounds", self.rounds, 1, _MAX_ROUNDS)
        check_within("least", self.least, 1, _MAX_CONCURRENCY)
        check_within("services", self.services, 1, _MAX_SERVICES)
        check_within("max_path_tokens", self.max_path_tokens, 1, 65_536)
        if unknown := [name for name in self.subjects if name not in SUBJECTS]:
            raise InvalidRequest("modes", f"{unknown[0]!r} is none of {', '.join(SUBJECTS)}")
        if self.draft_engine and not self.engine:
            raise InvalidRequest("draft-engine", "is given without an engine: name both, or none for simulated ones")
        if not self.measured:
            raise InvalidRequest("modes", "drafting is all that is asked for: name a draft engine")

    @property
    def simulated(self) -> bool:
        return not self.engine

    @property
    def measured(self) -> tuple[Subject, ...]:
        """The subjects that the engines at hand allow."""
        drafts = self.simulated or bool(self.draft_engine)
        return tuple(SUBJECTS[name] for name in self.subjects if drafts or not SUBJECTS[name].drafts)

    def jobs(self, subject: Subject, concurrency: int) -> tuple[int, int]:
        """How many jobs of a subject, and how many at a time: as many paths as `concurrency`, but one job at least."""
        at_once = max(1, concurrency // subject.paths)
        return max(self.least, at_once * self.rounds), at_once
