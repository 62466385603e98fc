"""Who decides how many replicas there are: ours, or one of those it is compared with."""

from __future__ import annotations

from enum import StrEnum

from ssr.core.errors import InvalidRequest


class Policy(StrEnum):
    """The order in which they are measured: the later ones are sized by what the first one needed."""

    OURS = "ours"
    SCHEDULE = "schedule"  #: ours, and the burst is in the schedule
    QUEUE = "queue"  #: an HPA on the number of waiting engine calls
    LLM_D = "llm-d"  #: the KEDA rule that llm-d recommends: on waiting and on running calls
    LLM_D_GUARD = "llm-d-guard"  #: its other one, which counts pods that start; fitted to these engines' slots
    AIBRIX = "aibrix"  #: AIBrix's APA, on the share of the slots in use
    DYNAMO = "dynamo"  #: the load rule of Dynamo's planner: one replica up or down
    FIXED_MEAN = "fixed-mean"  #: a fixed fleet that costs as much as ours
    FIXED_PEAK = "fixed-peak"  #: a fixed fleet for the most that the day needs

    @property
    def label(self) -> str:
        return _LABELS[self]

    @property
    def ours(self) -> bool:
        return self in (Policy.OURS, Policy.SCHEDULE)

    @property
    def fixed(self) -> bool:
        return self in (Policy.FIXED_MEAN, Policy.FIXED_PEAK)


def read_policies(text: str) -> tuple[Policy, ...]:
    """The policies of "ours,queue". Raises: InvalidRequest."""
    names = [part.strip() for part in text.split(",")]
    known = [policy.value for policy in Policy]
    if unknown := [name for name in names if name not in known]:
        raise InvalidRequest("policies", f"{unknown[0]!r} is none; known are {', '.join(known)}")
    return tuple(map(Policy, names))


_LABELS = {
    Policy.OURS: "ours",
    Policy.SCHEDULE: "ours + schedule",
    Policy.QUEUE: "HPA on queue",
    Policy.LLM_D: "llm-d's KEDA rule",
    Policy.LLM_D_GUARD: "llm-d's guarded rule, fitted",
    Policy.AIBRIX: "AIBrix's APA",
    Policy.DYNAMO: "Dynamo's planner",
    Policy.FIXED_MEAN: "fixed, our cost",
    Policy.FIXED_PEAK: "fixed, peak",
}
