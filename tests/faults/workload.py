"""What is asked of the cluster: jobs of all modes, in an order and with keys that a seed fixes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from ssr.client.request import SolveOptions

#: Jobs that ask for the very same.
_TWINS = 4


class Ending(StrEnum):
    """What a job's end may look like, compared with a run of the same request without faults."""

    EXACT = "exact"  #: equal
    EARLY = "early"  #: the same answer; how far the paths that lost came depends on the time
    DEADLINE = "deadline"  #: equal, or partial with the deadline as its reason


@dataclass(frozen=True, slots=True)
class Order:
    """One job to submit. Orders with equal `variant` ask the same problem with the same options and seed."""

    key: str
    variant: int
    problem: str
    options: SolveOptions = field(hash=False)
    ending: Ending


def workload(seed: int, count: int, twins: int = _TWINS) -> list[Order]:
    """`count` orders, so many of a variant; about one in ten has a deadline, one in ten may stop early."""
    dice = Random(f"workload {seed}")
    variants = [_variant(dice) for _ in range(max(1, count // twins))]
    orders = []
    for number in range(count):
        variant = number % len(variants)
        problem, options = variants[variant]
        ending = dice.choices((Ending.EXACT, Ending.EARLY, Ending.DEADLINE), (8, 1, 1))[0]
        orders.append(Order(f"faults-{seed}-{number}", variant, problem, _ends(options, ending, dice), ending))
    return orders


def _variant(dice: Random) -> tuple[str, SolveOptions]:
    a, b, c, d, e, f = (dice.randint(2, 40) for _ in range(6))
    problem = dice.choice(
        (
            f"What is ({a} * {b}) + {c} - {d} * {e}?",
            f"What is (({a} + {b}) * {c} - {d}) * {e} + {f}?",
            f"A tank holds {a} litres; {b} pumps add {c} litres each, and {d} leak {e} a day.",
        )
    )
    mode, paths = dice.choices(
        (("ssr", 3), ("ssr", 5), ("parallel-spm", 3), ("ssd", 1), ("baseline", 1)), (5, 2, 2, 1, 1)
    )[0]
    return problem, SolveOptions(mode=mode, paths=paths, seed=dice.randrange(2**31))


def _ends(options: SolveOptions, ending: Ending, dice: Random) -> SolveOptions:
    own = SolveOptions(**options, early_stop=ending is Ending.EARLY)
    if ending is Ending.DEADLINE:
        own["deadline_s"] = round(dice.uniform(0.2, 4.0), 1)
    return own
