"""Whether a request can be taken: its limits, its strategy set, and whether the problem fits the models."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Protocol

from ssr.core.cascade import CascadeShape
from ssr.core.errors import InvalidRequest, NoEngine, Violations, echoed
from ssr.core.evidence.prior import PathAuthor
from ssr.core.job import JobRequest
from ssr.core.limits import check_key, check_labels, check_options, check_problem
from ssr.core.types import Options
from ssr.domains import domain_named
from ssr.runtime.rpc.job_wire import asked_priority, labels_from_wire
from ssr.runtime.rpc.options_wire import CASCADE, asked_options
from ssr.v1 import reasoning_pb2, step_pb2

#: A text has at most one token a byte: below this, no model of use is too small, and none is asked.
_SURELY_FITS_BYTES = 1_000
#: The share of a model's context that a problem may take; the rest is for prompts and the path.
_PROBLEM_SHARE = 0.5


class StrategySetSource(Protocol):
    """Knows the strategy sets."""

    async def strategy_sets(self) -> list[str]: ...


class Measure(Protocol):
    """Counts a text's tokens for a model."""

    def __call__(self, text: str) -> Awaitable[step_pb2.MeasureResponse]: ...


class Admission:
    """Checks requests where they enter the system, and fills their defaults in, those of a request's domain."""

    def __init__(
        self,
        strategy_set_source: StrategySetSource,
        measure_draft: Measure,
        measure_target: Measure,
        defaults: Callable[[str], Options],
        cascade: Callable[[str], CascadeShape] = lambda _: CASCADE,
    ) -> None:
        self._strategy_set_source, self._defaults, self._cascade = strategy_set_source, defaults, cascade
        self._measure_draft, self._measure_target = measure_draft, measure_target
        self._strategy_sets: frozenset[str] = frozenset()

    async def check(self, request: reasoning_pb2.SolveRequest) -> JobRequest:
        """The request with every default filled in.

        Raises: InvalidRequest naming the field and its limit; Unavailable when a service that must be asked is away.
        """
        with Violations() as gather:
            gather(check_problem, request.problem)
            gather(check_key, request.idempotency_key)
            gather(asked_priority, request.priority)
            gather(check_labels, request.labels)
            gather(self._check_options, request.options)
        options = self._asked(request.options, secrets.randbits(31))
        if options.mode.selects:
            await self._check_strategy_set(options.strategy_set)
        if len(request.problem.encode()) > _SURELY_FITS_BYTES:
            await self._check_fits(request.problem, options)
        return JobRequest(
            request.problem,
            options,
            asked_priority(request.priority),
            labels_from_wire(request.labels),
            seeded=request.options.HasField("seed"),
        )

    def _asked(self, options: reasoning_pb2.Options, seed: int) -> Options:
        return asked_options(options, seed, self._defaults(options.domain), self._cascade(options.domain))

    def _check_options(self, options: reasoning_pb2.Options) -> None:
        with Violations() as gather:
            gather(check_options, self._asked(options, 0))
            gather(domain_named, options.domain)

    async def _check_strategy_set(self, name: str) -> None:
        if name not in self._strategy_sets:  # an operator may have added it since
            self._strategy_sets = frozenset(await self._strategy_set_source.strategy_sets())
        if name not in self._strategy_sets:
            known = ", ".join(sorted(self._strategy_sets))
            raise InvalidRequest("strategy_set", f"there is no strategy set {echoed(name)}; known are {known}")

    async def _check_fits(self, problem: str, options: Options) -> None:
        drafts = any(options.author(path) is not PathAuthor.TARGET for path in range(options.paths))
        measures = [self._measure_target, *([self._measure_draft] if drafts else [])]
        try:
            sizes = await asyncio.gather(*(measure(problem) for measure in measures))
        except NoEngine:
            return  # it waits for engines as its job would; a path that does not fit then ends as exhausted
        for size in sizes:
            limit = int(size.max_total_tokens * _PROBLEM_SHARE)
            if size.tokens > limit:
                raise InvalidRequest(
                    "problem", f"has {size.tokens} tokens for {size.model}; at most {limit} fit beside its solution"
                )
