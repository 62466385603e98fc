"""What the workers may use, as the orchestrator's settings have it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class EquivalenceSettings(BaseModel):
    """The pool of processes that compares what reading and exact arithmetic leave open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Worker processes of one replica, about 100 MB each once they are needed. One of them is kept for jobs
    #: whose questions did not run into limits.
    workers: Annotated[int, Field(ge=2, le=64)] = 2
    #: Seconds of CPU that a question has at first; those that need more go behind the ones that do not.
    quick_s: Annotated[float, Field(ge=0.01, le=60)] = 0.3
    #: Seconds of CPU that it has at its second and last try.
    limit_s: Annotated[float, Field(ge=0.01, le=600)] = 3.0
    #: Memory that a question may take on top of the worker's own, in MiB.
    memory_mib: Annotated[int, Field(ge=16, le=65_536)] = 512
    #: Verdicts of the workers, and readings of answers, that are remembered.
    cache_size: Annotated[int, Field(ge=1)] = 8192
    #: Seconds for the start of a worker, and for how long questions wait while none can be started.
    start_limit_s: Annotated[float, Field(gt=0, le=600)] = 30.0
