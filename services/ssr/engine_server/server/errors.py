"""TGI's error replies: `{"error": ..., "error_type": ...}` and their HTTP status."""

from __future__ import annotations

from dataclasses import dataclass

from ssr.core.errors import CapabilityMissing, InvalidRequest, Overloaded, TimedOut, Unavailable


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What a client gets: `error_type` is TGI's machine-readable kind, `error` is for people."""

    status: int
    error: str
    error_type: str

    def body(self) -> dict[str, str]:
        return {"error": self.error, "error_type": self.error_type}


class RefusalError(Exception):
    """A request that ends with an error reply."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(reply.error)
        self.reply = reply


def invalid(message: str) -> RefusalError:
    """The request is at fault: repeating it is pointless."""
    return RefusalError(ErrorReply(422, f"Input validation error: {message}", "validation"))


def malformed(message: str) -> RefusalError:
    """The body is no JSON. TGI's web framework answers 400 to that and 422 to JSON of the wrong types, both as plain
    text; ours have the status, and the shape of all other errors."""
    return RefusalError(ErrorReply(400, f"Failed to parse the request body as JSON: {message}", "validation"))


def mistyped(message: str) -> RefusalError:
    """The body is JSON, but not a request (see `malformed`)."""
    return RefusalError(
        ErrorReply(422, f"Failed to deserialize the JSON body into the target type: {message}", "validation")
    )


OVERLOADED = ErrorReply(429, "Model is overloaded", "overloaded")
UNHEALTHY = ErrorReply(503, "unhealthy", "healthcheck")
INCOMPLETE = ErrorReply(500, "Incomplete generation", "incomplete_generation")
INCOMPLETE_STREAM = ErrorReply(500, "Incomplete generation stream", "incomplete_generation_stream")


def reply_for(error: Exception) -> ErrorReply:
    """The reply to an error that a backend raised, or that the server refuses with."""
    match error:
        case RefusalError():
            return error.reply
        case InvalidRequest() | CapabilityMissing():
            return invalid(str(error)).reply
        case Overloaded():
            return OVERLOADED
        case Unavailable() | TimedOut():
            return ErrorReply(503, str(error), "healthcheck")
        case _:
            # The class name too: an error without a text must not become an empty message.
            detail = str(error) or type(error).__name__
            return ErrorReply(424, f"Request failed during generation: {detail}", "generation")
