"""What an engine's error replies mean.

They are distinguished by HTTP status, then by the structured error in the body. Only that a prompt does not fit the
context is read out of the message, too: most servers say it nowhere else, and some with 500.
"""

from __future__ import annotations

import html
import json
import math
import re
import time
from email.utils import parsedate_to_datetime

from ssr.core.errors import (
    BadReply,
    CapabilityMissing,
    InvalidRequest,
    NotFound,
    Overloaded,
    SsrError,
    TimedOut,
    Unavailable,
)

#: TGI's error types -> the HTTP status that they have outside a stream.
_STREAMED = {
    "overloaded": 429,
    "validation": 422,
    "template_error": 422,
    "generation": 424,
    "incomplete_generation": 500,
    "incomplete_generation_stream": 500,
    "healthcheck": 503,
}
#: That a prompt is too long, in the words of TGI, vLLM, SGLang, llama-server and those who serve several of them.
_TOO_LONG = re.compile(
    r"context[ _](?:length|size|window|limit)|maximum (?:model|prompt|input|allowed input) length|kv size"
    r"|(?:input|prompt|request|text)\b[^.]{0,60}\b(?:is|are) too (?:long|large|big)"
    r"|reduce the length of the (?:input|prompt|messages)|maximum number of tokens",
    re.IGNORECASE,
)
_TOO_LONG_NAMES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_OVERLOADED_NAMES = frozenset({"overloaded", "overloaded_error", "rate_limit_error", "rate_limit_exceeded"})
#: What of a page is not for readers.
_MARKUP = re.compile(r"<(style|script)\b.*?</\1\s*>|<[^<>]*>", re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r"`(\w+)`")
#: An engine's name for a field of the request -> ours.
_FIELDS = {
    "inputs": "prompt",
    "input_tokens": "prompt",
    "input_text": "prompt",
    "exceed_context_size_error": "prompt",
    "context_length_exceeded": "prompt",
    "max_new_tokens": "max_tokens",
    "top_n_tokens": "top_n",
    "logprobs": "top_n",
    "template_error": "messages",
    "missing_template_variable": "messages",
}


def reply_error(url: str, status: int, body: bytes, retry_after: str | None = None) -> SsrError:
    """What an HTTP error reply means.

    `body` is TGI's {error, error_type}, OpenAI's {error: {message, ...}}, FastAPI's {detail}, a proxy's page, a text.
    """
    message, names, field = _described(body)
    said = f"{url} answered {status}: {message or 'no explanation'}"
    if status in (400, 413, 422, 500) and (status == 413 or names & _TOO_LONG_NAMES or _TOO_LONG.search(message)):
        return InvalidRequest("prompt", said)
    if status == 429 or names & _OVERLOADED_NAMES or (status == 503 and _queue_is_full(body)):
        return Overloaded(said, _seconds(retry_after))
    if status in (408, 504):
        return TimedOut(said)
    if status in (401, 403):
        return CapabilityMissing(f"{said} (set the engine's api_key to one it accepts)")
    if status in (404, 405):
        return NotFound(f"{said} (check the engine's URL, its kind and the model's name)")
    if status == 501:
        return CapabilityMissing(said)
    if status == 424 or status >= 500:
        return Unavailable(said)
    if status in (400, 422):
        return InvalidRequest(field, said)
    return BadReply(said)


def error_in_stream(url: str, event: bytes) -> SsrError:
    """What an error event means, inside a reply that began with 200.

    TGI's has an error_type, OpenAI's a code that is the HTTP status in a number or as text; vLLM's, SGLang's and
    llama-server's have the number.
    """
    match _document(event):
        case {"error_type": str(kind)}:
            return reply_error(url, _STREAMED.get(kind, 500), event)
        case {"error": {"code": int(code) | str(code)}} | {"error": {"http_status_code": int(code)}}:
            return reply_error(url, int(code) if str(code).isdecimal() and len(str(code)) == 3 else 500, event)
        case _:
            return reply_error(url, 500, event)


def _queue_is_full(body: bytes) -> bool:
    """Whether a 503 says that there is no room, not that nobody is there.

    vLLM and SGLang refuse so what their queues cannot hold. TGI ("healthcheck") and llama-server ("unavailable_error")
    say so that they cannot serve, and a proxy, in no shape of an engine, that it finds no engine.
    """
    match _document(body):
        case {"error_type": _} | {"error": {"type": "unavailable_error"}}:
            return False
        case {"error": {"message": str()}} | {"object": "error", "message": str()}:
            return True
        case _:
            return False


def _document(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _described(body: bytes) -> tuple[str, frozenset[str], str]:
    """The message, the kinds and codes, and the field (in our words, "request" when it does not say) of an error."""
    text = body[:8_000].decode(errors="replace").strip()
    if text.startswith("<"):
        text = " ".join(html.unescape(_MARKUP.sub(" ", text)).split())
    text = text[:1000]
    document = _document(body)
    if not isinstance(document, dict):
        return text, frozenset(), "request"
    error = document.get("error")
    if isinstance(error, dict):  # OpenAI's shape; older vLLM has it without the envelope
        document, error = error, error.get("message")
    said = (error, document.get("message"), _details(document.get("detail")))
    message = next((m for m in said if isinstance(m, str) and m), text)[:1000]
    kind = next((k for k in (document.get("error_type"), document.get("type")) if isinstance(k, str)), "")
    code, param = (name if isinstance(name, str) else "" for name in (document.get("code"), document.get("param")))
    quoted = _QUOTED.search(message)
    named = param or (quoted[1] if quoted else code if code in _FIELDS else kind)
    return message, frozenset({kind, code}), _FIELDS.get(named, named if quoted or param else "request")


def _details(detail: object) -> object:
    """FastAPI's `detail`: a text, or what is wrong where. What was sent, which it repeats, is left out."""
    if not isinstance(detail, list):
        return detail
    found = [one for one in detail if isinstance(one, dict)]
    places = [one["loc"] if isinstance(one.get("loc"), list) else [] for one in found]
    return "; ".join(
        f"{'.'.join(map(str, place))}: {one.get('msg', one.get('type', ''))}"
        for place, one in zip(places, found, strict=True)
    )


def _seconds(retry_after: str | None) -> float:
    """0 where the engine does not say: the pool knows better than a guess (`concurrency`)."""
    if not retry_after:
        return 0.0
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            return max(1.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
        except (ValueError, OverflowError, OSError):
            return 1.0
    return seconds if 0 <= seconds < math.inf else 1.0
