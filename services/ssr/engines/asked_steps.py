"""Steps as a service is asked for them: the same for drafts and for what the target writes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Protocol, TypeVar

from ssr.core.stages import Written
from ssr.engines.author import Author
from ssr.engines.base import work_of
from ssr.runtime.rpc.requests import checked_context, checked_options
from ssr.runtime.rpc.step_wire import calls_to_wire, step_to_wire
from ssr.runtime.telemetry.log_context import about_next_step
from ssr.v1 import drafting_pb2, verification_pb2

_Asked = drafting_pb2.DraftRequest | verification_pb2.WriteRequest
#: DraftResponse or WriteResponse: a step and its calls.
Reply = TypeVar("Reply")
Reply_contra = TypeVar("Reply_contra", contravariant=True)


class _Receiver(Protocol[Reply_contra]):
    """Where the messages of a streaming method go: gRPC's context of the call."""

    async def write(self, message: Reply_contra, /) -> None: ...


async def written_step(author: Author, request: _Asked, reply: Callable[..., Reply]) -> Reply:
    """The next step. Raises: InvalidRequest; what the author raises."""
    options = checked_options(request.sampling, request.max_tokens)
    path = checked_context(request.context)
    with about_next_step(path), work_of(request.context.batch, request.context.cache_salt):
        return _reply_of(reply, await author.write(path, options))


async def write_steps(author: Author, request: _Asked, reply: Callable[..., Reply], receiver: _Receiver[Reply]) -> None:
    """The next steps, of one generation, each as soon as it is complete. Raises: as `written_step`.

    They are written, not yielded: so a cancelled call closes the engine's stream at once, wherever it stands.
    """
    options = checked_options(request.sampling, request.max_tokens, max_path_tokens=request.max_path_tokens)
    path = checked_context(request.context)
    with about_next_step(path), work_of(request.context.batch, request.context.cache_salt):
        async with aclosing(author.stream(path, options, most=request.max_steps)) as steps:
            async for written in steps:
                await receiver.write(_reply_of(reply, written))


def _reply_of(reply: Callable[..., Reply], written: Written) -> Reply:
    return reply(step=step_to_wire(written.step), calls=calls_to_wire(written.calls))
