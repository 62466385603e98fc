"""Steps as a service is asked for them: the same for drafts and for what the target writes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ssr.core.stages import Written
from ssr.engines.author import Author
from ssr.engines.base import work_of
from ssr.runtime.rpc.requests import checked_context, checked_options
from ssr.runtime.telemetry.log_context import about_next_step
from ssr.v1 import drafting_pb2, verification_pb2

_Asked = drafting_pb2.DraftRequest | verification_pb2.WriteRequest


async def written_step(author: Author, request: _Asked) -> Written:
    """The next step. Raises: InvalidRequest; what the author raises."""
    options = checked_options(request.sampling, request.max_tokens)
    path = checked_context(request.context)
    with about_next_step(path), work_of(request.context.batch, request.context.cache_salt):
        return await author.write(path, options)


async def written_steps(author: Author, request: _Asked) -> AsyncGenerator[Written, None]:
    """The next steps, of one generation; closing it closes the engine's stream. Raises: as `written_step`."""
    options = checked_options(request.sampling, request.max_tokens, max_path_tokens=request.max_path_tokens)
    path = checked_context(request.context)
    with about_next_step(path), work_of(request.context.batch, request.context.cache_salt):
        async with aclosing(author.stream(path, options, most=request.max_steps)) as steps:
            async for written in steps:
                yield written
