"""How long a text is for an engine's model, as the services answer it."""

from __future__ import annotations

from ssr import __version__
from ssr.core.errors import InvalidRequest
from ssr.engines.base import Engine
from ssr.engines.prompt_fingerprint import prompt_fingerprint
from ssr.v1 import step_pb2

MAX_MEASURED_CHARS = 100_000


async def measure(engine: Engine, request: step_pb2.MeasureRequest, scorer: str = "") -> step_pb2.MeasureResponse:
    """How long a text is for the engine's model, and what stands behind it; `scorer` is the service's default.

    Raises: InvalidRequest; the engine's errors.
    """
    if len(request.text) > MAX_MEASURED_CHARS:
        raise InvalidRequest("text", f"has {len(request.text)} characters; at most {MAX_MEASURED_CHARS} are allowed")
    info = await engine.info()
    tokens = await engine.count_tokens(request.text)
    provenance = step_pb2.Provenance(
        engine=info.kind,
        engine_version=info.version,
        revision=info.revision,
        prompts=prompt_fingerprint(),
        scorer=scorer,
        version=__version__,
    )
    return step_pb2.MeasureResponse(
        model=info.model, tokens=tokens, max_total_tokens=info.max_total_tokens, provenance=provenance
    )
