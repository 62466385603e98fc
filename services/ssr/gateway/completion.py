"""Chat completions and their chunks, as OpenAI's clients read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from ssr import __version__
from ssr.client.job_json import strategies_to_json, usage_to_json
from ssr.core.job import Job
from ssr.core.types import Options
from ssr.gateway.answer import AnswerChoice
from ssr.gateway.replies import to_json
from ssr.gateway.usage import usage_of

#: What of the options a fingerprint is of.
_OPTIONS = tuple(sorted(name for name in Options.__dataclass_fields__ if name != "seed"))
_fingerprinted = attrgetter(*_OPTIONS)
#: Requests mostly have the options of a model.
_FINGERPRINTS = 256


def completion(model: str, job: Job, choices: Sequence[AnswerChoice]) -> dict[str, Any]:
    """The whole reply of a job that has ended."""
    return {
        **head(model, job, "chat.completion"),
        "choices": [
            {
                "index": index,
                "message": {
                    "role": "assistant",
                    "content": choice.content,
                    "refusal": None,
                    **reasoning(choice.reasoning),
                },
                "logprobs": None,
                "finish_reason": choice.finish_reason,
            }
            for index, choice in enumerate(choices)
        ],
        "usage": usage_of(job.usage, sum(choice.tokens for choice in choices)),
        "ssr": extension(job),
    }


def head(model: str, job: Job, kind: str) -> dict[str, Any]:
    """What all chunks of a reply begin with."""
    return {
        "id": f"chatcmpl-{job.job_id.removeprefix('job-')}",
        "object": kind,
        "created": created(job),
        "model": model,
        "system_fingerprint": fingerprint(job),
    }


def created(job: Job) -> int:
    return 0 if job.created is None else int(job.created.timestamp())


def fingerprint(job: Job) -> str:
    """Equal for the same version and options, whatever the seed."""
    return _fingerprint(_fingerprinted(job.options))


@lru_cache(_FINGERPRINTS)
def _fingerprint(values: tuple[object, ...]) -> str:
    options = list(zip(_OPTIONS, map(str, values), strict=True))
    return f"fp_{hashlib.sha256(f'{__version__}{options}'.encode()).hexdigest()[:10]}"


def reasoning(text: str) -> dict[str, str]:
    """Under both names that clients read; no text, no names."""
    return {"reasoning_content": text, "reasoning": text} if text else {}


def extension(job: Job) -> dict[str, Any]:
    """What of a job goes with a reply, as `ssr`."""
    return {
        "job_id": job.job_id,
        "status": job.status,
        "reason": job.reason,
        "answer": job.answer,
        "votes": job.votes,
        "strategies": strategies_to_json(job),
        "usage": usage_to_json(job.usage),
        "options": job.options,
        "tenant": job.tenant,
    }


class Chunks:
    """The chunks of one stream, as lines of server-sent events. What they all begin with is written once."""

    def __init__(self, model: str, job: Job) -> None:
        self._head = b"data: " + to_json(head(model, job, "chat.completion.chunk"))[:-1] + b',"choices":'

    def role(self) -> bytes:
        return self.delta({"role": "assistant", "content": ""})

    def reasoning(self, text: str) -> bytes:
        return self.delta(reasoning(text))

    def content(self, text: str, index: int) -> bytes:
        """Of the first choice the role was sent before."""
        return self.delta({"content": text} if index == 0 else {"role": "assistant", "content": text}, index)

    def empty(self) -> bytes:
        """For clients that count chunks while nothing happens."""
        return self.delta({})

    def delta(self, delta: Mapping[str, Any], index: int = 0) -> bytes:
        return self._chunk([{"index": index, "delta": delta, "finish_reason": None}])

    def finish(self, reasons: Sequence[str], job: Job) -> bytes:
        """A chunk for each choice: some clients read the first of a chunk alone."""
        *before, last = ([{"index": i, "delta": {}, "finish_reason": reason}] for i, reason in enumerate(reasons))
        return b"".join(map(self._chunk, before)) + self._chunk(last, b',"ssr":' + to_json(extension(job)))

    def usage(self, job: Job, content_tokens: int) -> bytes:
        return self._chunk([], b',"usage":' + to_json(usage_of(job.usage, content_tokens)))

    def _chunk(self, choices: Sequence[Mapping[str, Any]], more: bytes = b"") -> bytes:
        return self._head + to_json(choices) + more + b"}\n\n"
