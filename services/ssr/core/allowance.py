"""How much somebody may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit of `what` ("jobs", "paths", "tokens") a minute: `remaining` of `limit`.

    It grows back evenly, and is whole again in `reset_s` seconds; where nothing is left, the error that reports it says
    in how many seconds the same request may come again.
    """

    what: str
    limit: int
    remaining: int
    reset_s: float
