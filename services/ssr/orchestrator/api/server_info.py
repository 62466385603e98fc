"""What this server is and takes, for clients that want to know before they ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ssr import __version__
from ssr.core import limits
from ssr.core.acceptance import ScorerName
from ssr.core.errors import SsrError
from ssr.core.presets import PRESETS
from ssr.core.types import Mode, Options, StopRule, choices
from ssr.orchestrator.api.admission import StrategySetSource
from ssr.orchestrator.api.batches import MAX_BATCH
from ssr.runtime.rpc.options_wire import options_to_wire
from ssr.v1 import reasoning_pb2, step_pb2

#: For the services that are asked; what does not come by then is left out.
_ASK_S = 3.0

_Measure = Callable[[str], Awaitable[step_pb2.MeasureResponse]]


class ServerInformation:
    """Answers GetServerInfo."""

    def __init__(
        self,
        selector: StrategySetSource,
        measure_draft: _Measure,
        measure_target: _Measure,
        defaults: Callable[[], Options],
        *,
        max_list: int,
        max_unfinished: int,
    ) -> None:
        self._selector, self._measures = selector, (("draft", measure_draft), ("target", measure_target))
        self._defaults, self._max_list, self._max_unfinished = defaults, max_list, max_unfinished

    async def get(self) -> reasoning_pb2.ServerInfo:
        """As it is now; what cannot be asked is left out."""
        sets, models = await asyncio.gather(
            self._strategy_sets(), asyncio.gather(*(self._model(*one) for one in self._measures))
        )
        defaults = options_to_wire(self._defaults())
        defaults.ClearField("seed")
        return reasoning_pb2.ServerInfo(
            version=__version__,
            limits=self._limits(),
            modes=choices(Mode),
            stop_rules=choices(StopRule),
            scorers=list(ScorerName),
            strategy_sets=sets,
            models=[model for model in models if model is not None],
            defaults=defaults,
            presets=list(PRESETS),
        )

    def _limits(self) -> reasoning_pb2.ServerLimits:
        return reasoning_pb2.ServerLimits(
            max_problem_chars=limits.MAX_PROBLEM_CHARS,
            max_paths=limits.MAX_PATHS,
            max_step_tokens=limits.MAX_STEP_TOKENS,
            max_path_tokens=limits.MAX_PATH_TOKENS,
            max_steps=limits.MAX_STEPS,
            max_lookahead=limits.MAX_LOOKAHEAD,
            max_key_chars=limits.MAX_KEY_CHARS,
            max_labels=limits.MAX_LABELS,
            max_batch_requests=MAX_BATCH,
            max_list_limit=self._max_list,
            max_unfinished_jobs=self._max_unfinished,
        )

    async def _strategy_sets(self) -> list[str]:
        try:
            async with asyncio.timeout(_ASK_S):
                return sorted(await self._selector.strategy_sets())
        except (SsrError, TimeoutError):
            return []

    async def _model(self, role: str, measure: _Measure) -> reasoning_pb2.ModelInfo | None:
        try:
            async with asyncio.timeout(_ASK_S):
                size = await measure("1")
        except (SsrError, TimeoutError):
            return None
        provenance = size.provenance if size.HasField("provenance") else None
        return reasoning_pb2.ModelInfo(
            role=role, name=size.model, max_total_tokens=size.max_total_tokens, provenance=provenance
        )
