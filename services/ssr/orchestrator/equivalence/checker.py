"""`Equivalence`: reading and exact arithmetic first, then a worker that may hang or die without harm."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Generic, Protocol, Self, TypeVar

from ssr.core.answers import ANYBODY, Asked
from ssr.core.errors import Unavailable
from ssr.orchestrator.equivalence.calculus import needs_computing
from ssr.orchestrator.equivalence.comparison.context import Context
from ssr.orchestrator.equivalence.decision import EquivalenceDecision
from ssr.orchestrator.equivalence.pool import PoolRecords, WorkerPool
from ssr.orchestrator.equivalence.process import WORKER_COMMAND, WorkerReply
from ssr.orchestrator.equivalence.reading.expression import Expression, from_data
from ssr.orchestrator.equivalence.reading.forms import Form, parts_of, with_parts
from ssr.orchestrator.equivalence.reading.spelling import plain
from ssr.orchestrator.equivalence.settings import EquivalenceSettings
from ssr.orchestrator.equivalence.suspicion import Suspicion

logger = logging.getLogger(__name__)

#: Longer answers are prose or a runaway generation; they are compared as text.
MAX_ANSWER_CHARS = 1000

#: Problems whose choices are remembered.
_PROBLEMS = 256
#: Limits that an answer would run into again; "time" is the machine's.
_HOPELESS = frozenset({"cpu", "memory"})


class Way(StrEnum):
    """How a question was decided."""

    READING = "reading"  #: in this process: the same text, or read and computed
    CACHE = "cache"
    WORKER = "worker"
    KILLED = "killed"  #: it ran into its limits: unequal unless the same text
    TEXT = "text"  #: no worker could be started, or the answer is too long


class EquivalenceRecords(PoolRecords, Protocol):
    """Who counts how questions are decided."""

    def decided(self, way: Way) -> None: ...


class _Unrecorded:
    def decided(self, way: Way) -> None: ...
    def waited(self, seconds: float) -> None: ...
    def killed(self, limit: str) -> None: ...
    def restarted(self) -> None: ...


Key = TypeVar("Key")
Value = TypeVar("Value")


class _Recent(Generic[Key, Value]):
    """The last `size` values."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: Key, value: Value) -> None:
        self._values[key] = value
        if len(self._values) > self._size:
            self._values.popitem(last=False)


class MathVerifyEquivalence:
    """Decides whether answers are the same mathematics; implements `ssr.core.answers.Equivalence`.

    An async context manager that owns the worker pool. What reading and bounded exact arithmetic decide, which is
    nearly everything, is decided here and at once; the rest is asked of the pool, fairly among jobs (`asked.job_id`).
    A question that runs into its limits is unequal unless its answers have the same text: whoever asked it caused it,
    and two answers that nothing can compare are no agreement. Verdicts are remembered, killed ones too.
    """

    def __init__(
        self,
        settings: EquivalenceSettings | None = None,
        records: EquivalenceRecords | None = None,
        *,
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        settings = settings or EquivalenceSettings()
        self._records: EquivalenceRecords = records or _Unrecorded()
        self._pool = WorkerPool(settings, self._records, command)
        self._suspicion = Suspicion()
        self._verdicts: _Recent[tuple[str, str, str], bool] = _Recent(settings.cache_size)
        self._computed: _Recent[tuple[str, bool], tuple[Expression, ...]] = _Recent(settings.cache_size)
        self._decisions: _Recent[str, tuple[Context, EquivalenceDecision]] = _Recent(_PROBLEMS)

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._pool.__aexit__(*exc)

    @property
    def waiting(self) -> int:
        """Questions that no worker has yet."""
        return self._pool.waiting

    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        """Whether two answers to a problem are the same. Never fails: without any worker, text decides."""
        if max(len(a), len(b)) > MAX_ANSWER_CHARS:
            self._records.decided(Way.TEXT)
            # Of any length, so not in one spelling, which takes time.
            return a.strip(" $").split() == b.strip(" $").split()
        first, second = sorted((a, b))
        key = (first, second, asked.problem)
        known = self._verdicts.get(key)
        if known is not None:
            self._records.decided(Way.CACHE)
            return known
        context, decision = self._decision(asked.problem)
        verdict = decision.verdict(first, second)
        if verdict is not None:
            self._records.decided(Way.READING)
            self._verdicts.put(key, verdict)
            return verdict
        return await self._asked(key, context, asked.job_id)

    def _decision(self, problem: str) -> tuple[Context, EquivalenceDecision]:
        known = self._decisions.get(problem)
        if known is None:
            context = Context.of(problem)
            compute = partial(self._known_form, context.ratios)
            known = context, EquivalenceDecision(context, compute=compute)
            self._decisions.put(problem, known)
        return known

    def _known_form(self, ratios: bool, answer: str, form: Form) -> Form | None:
        """An answer's form with what a worker has computed of it before."""
        if not any(map(needs_computing, parts_of(form))):
            return form
        trees = self._computed.get((answer, ratios))
        if trees is None:
            return None
        left = iter(trees)
        return with_parts(form, lambda _: next(left))

    def _learn(self, ratios: bool, answer: str, data: Sequence[Any]) -> None:
        with suppress(ValueError, TypeError):
            self._computed.put((answer, ratios), tuple(map(from_data, data)))

    async def _asked(self, key: tuple[str, str, str], context: Context, job: str) -> bool:
        """The pool's verdict."""
        a, b, _ = key
        if self._suspicion.is_hopeless(a) or self._suspicion.is_hopeless(b):
            self._records.decided(Way.KILLED)
            return plain(a) == plain(b)
        question = {"a": a, "b": b, "context": asdict(context)}
        try:
            reply = await self._pool.ask(job, question, _PairAsker(a, b, self._suspicion))
        except Unavailable as error:
            logger.error("an answer is compared as text: %s", error)
            self._records.decided(Way.TEXT)
            return plain(a) == plain(b)
        if reply.same is not None:
            self._suspicion.answered(a, b)
            for name, answer in (("a", a), ("b", b)):
                if trees := reply.computed.get(name):
                    self._learn(context.ratios, answer, trees)
        same = plain(a) == plain(b) if reply.same is None else reply.same
        self._records.decided(Way.WORKER if reply.same is not None else Way.KILLED)
        self._verdicts.put(key, same)
        return same


@dataclass(frozen=True, slots=True)
class _PairAsker:
    """Asks about two answers; implements `pool.Asker`."""

    a: str
    b: str
    suspicion: Suspicion

    def levels(self) -> int:
        return self.suspicion.levels(self.a, self.b)

    def ended(self, reply: WorkerReply, *, last: bool) -> None:
        culprit = {"a": self.a, "b": self.b}.get(reply.culprit)
        self.suspicion.ended(*((self.a, self.b) if culprit is None else (culprit,)))
        if last and culprit is not None and reply.killed in _HOPELESS:
            self.suspicion.give_up(culprit)
