"""The files that a batch ends with, made of its jobs whenever they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from ssr.client import AsyncClient, Job
from ssr.core.errors import NotFound
from ssr.core.job import JobStatus
from ssr.gateway.answer import Shape, choices
from ssr.gateway.batch_input import CHAT, CHAT_LINE, chat_shape
from ssr.gateway.batch_record import BatchRecord
from ssr.gateway.completion import completion
from ssr.gateway.errors import ApiError
from ssr.gateway.gateway import succeeded
from ssr.gateway.joining import MODEL
from ssr.gateway.replies import to_json
from ssr.gateway.response_object import PLAIN, message_item, reasoning_item, response_object, words_of
from ssr.gateway.transcript import Transcript

_PAGE = 500
#: Jobs that are read together.
_AT_A_TIME = 16


async def output_lines(client: AsyncClient, record: BatchRecord, chars: int, *, failed: bool) -> AsyncGenerator[bytes]:
    """Lines of the output file, or of the error file (`failed`), in the order of the input.

    Raises: SsrError.
    """
    all_jobs = await jobs_of(client, record)
    ids = [job.job_id for job in all_jobs]
    # One that is gone has an id alone, and a status that is not known.
    numbers = [number for number, job in enumerate(all_jobs) if job.status.final and _failed(job) is failed]
    for begin in range(0, len(numbers), _AT_A_TIME):
        some = numbers[begin : begin + _AT_A_TIME]
        jobs = await asyncio.gather(*(_whole(client, ids[number]) for number in some))
        for number, job in zip(some, jobs, strict=True):
            yield _line(record, number, ids[number], job, chars)


async def jobs_of(client: AsyncClient, record: BatchRecord) -> Sequence[Job]:
    """All jobs of the batch, without their paths, in the order of the input. Raises: SsrError."""
    jobs: list[Job] = []
    token = ""
    while True:
        page = await client.get_batch(record.jobs, _PAGE, token)
        jobs += page.jobs
        token = page.next_page_token
        if not token:
            return jobs


def _failed(job: Job) -> bool:
    return job.status not in (JobStatus.ANSWERED, JobStatus.NO_ANSWER, JobStatus.PARTIAL)


async def _whole(client: AsyncClient, job_id: str) -> Job | None:
    try:
        return await client.get(job_id)
    except NotFound:
        return None


def _line(record: BatchRecord, number: int, job_id: str, job: Job | None, chars: int) -> bytes:
    status, reply = 200, {}
    try:
        if job is None:
            raise ApiError(404, f"{job_id} has expired or was deleted", "server_error", None, "expired")
        succeeded(job)
        reply = _chat(job, chars) if record.endpoint == CHAT else _response(job, chars)
    except ApiError as error:
        status, reply = error.status, error.body()
    line = {
        "id": f"batch_req_{job_id.removeprefix('job-')}",
        "custom_id": record.custom_ids[number],
        "response": {"status_code": status, "request_id": f"req_{job_id.removeprefix('job-')}", "body": reply},
        "error": None,
    }
    return to_json(line) + b"\n"


def _transcript(job: Job) -> Transcript:
    return Transcript.of(job)


def _chat(job: Job, chars: int) -> dict[str, object]:
    labels = dict(job.labels)
    n, plain = chat_shape(labels.get(CHAT_LINE, "").split())
    shown_choices = choices(job, _transcript(job), Shape(chars, plain), n)
    return completion(labels.get(MODEL, ""), job, shown_choices)


def _response(job: Job, chars: int) -> dict[str, object]:
    (choice,) = choices(job, _transcript(job), Shape(chars, PLAIN in (words_of(job) or ())), 1)
    status = "incomplete" if job.status is JobStatus.PARTIAL else "completed"
    reasoning = [reasoning_item(job, choice.reasoning, "completed")] if choice.reasoning else []
    return response_object(job, [*reasoning, message_item(job, choice.content, status)], choice.tokens)
