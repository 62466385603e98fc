"""The events of a response, made of a job's: equal whoever asks for them and when, so that their numbers hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ssr.core.job import Event, Finished, Job, JobStatus, Queued, Started
from ssr.gateway.answer import Shape, choices
from ssr.gateway.response_object import (
    BACKGROUND,
    message_id,
    message_item,
    reasoning_id,
    reasoning_item,
    response_object,
    summary_part,
    text_part,
    words_of,
)
from ssr.gateway.transcript import Reasoning, Transcript

EventObject = dict[str, Any]


class ResponseEvents:
    """Reads all events of one job, from the first on; `new` is what each of them reports."""

    def __init__(self, job: Job, shape: Shape) -> None:
        # As it was made: what has happened since is what the events report.
        self._job = replace(job, status=JobStatus.QUEUED, finished=None, votes=(), paths=(), answer="")
        self._shape, self._transcript, self._shown = shape, Transcript(), Reasoning()
        self._background = BACKGROUND in (words_of(job) or ())
        self._reasoning, self._output, self._content_tokens = "", list[EventObject](), 0
        self._number = 0

    def response(self) -> EventObject:
        """The response as far as the events have reported it."""
        ended = self._transcript.job
        job = self._job if ended is None else replace(ended, created=self._job.created)  # no event reports when
        return response_object(job, self._output, self._content_tokens)

    @property
    def job(self) -> Job | None:
        """The job, once it has ended."""
        return self._transcript.job

    def add(self, event: Event) -> list[EventObject]:
        """What one more event of the job reports, each with its `type` and its `sequence_number`."""
        self._transcript.add(event)
        sent = []
        for kind, fields in self._new(event):
            sent.append({"type": f"response.{kind}", "sequence_number": self._number, **fields})
            self._number += 1
        return sent

    def _new(self, event: Event) -> Iterator[tuple[str, Mapping[str, Any]]]:
        match event.happening:
            case Queued():
                yield "created", {"response": self.response()}
                if self._background:
                    yield "queued", {"response": self.response()}
            case Started(1):
                self._job = replace(self._job, status=JobStatus.RUNNING)
                yield "in_progress", {"response": self.response()}
            case Finished(job):
                yield from self._last(job)
            case _:
                yield from self._grown()

    def _grown(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        if self._shape.plain:
            return
        place = {"item_id": reasoning_id(self._job), "output_index": 0, "summary_index": 0}
        for text in filter(None, self._shown.new(self._transcript)):
            if not self._reasoning:
                item = reasoning_item(self._job, "", "in_progress")
                yield "output_item.added", {"output_index": 0, "item": item}
                yield "reasoning_summary_part.added", {**place, "part": summary_part("")}
            self._reasoning += text
            yield "reasoning_summary_text.delta", {**place, "delta": text}

    def _last(self, job: Job) -> Iterator[tuple[str, Mapping[str, Any]]]:
        yield from self._grown()  # the winner, where another one led
        if self._reasoning:
            yield from self._end_of_reasoning(job)
        if job.status in (JobStatus.ANSWERED, JobStatus.NO_ANSWER, JobStatus.PARTIAL):
            (choice,) = choices(job, self._transcript, self._shape, 1, self._shown.leader)
            self._content_tokens = choice.tokens
            yield from self._message(job, choice.content)
        kind = {JobStatus.ANSWERED: "completed", JobStatus.NO_ANSWER: "completed", JobStatus.PARTIAL: "incomplete"}
        yield kind.get(job.status, "failed"), {"response": self.response()}

    def _end_of_reasoning(self, job: Job) -> Iterator[tuple[str, Mapping[str, Any]]]:
        place = {"item_id": reasoning_id(job), "output_index": 0, "summary_index": 0}
        yield "reasoning_summary_text.done", {**place, "text": self._reasoning}
        yield "reasoning_summary_part.done", {**place, "part": summary_part(self._reasoning)}
        item = reasoning_item(job, self._reasoning, "completed")
        self._output.append(item)
        yield "output_item.done", {"output_index": 0, "item": item}

    def _message(self, job: Job, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        index = len(self._output)
        place = {"item_id": message_id(job), "output_index": index, "content_index": 0}
        yield "output_item.added", {"output_index": index, "item": message_item(job, "", "in_progress")}
        yield "content_part.added", {**place, "part": text_part("")}
        if text:
            yield "output_text.delta", {**place, "delta": text, "logprobs": []}
        yield "output_text.done", {**place, "text": text, "logprobs": []}
        yield "content_part.done", {**place, "part": text_part(text)}
        status = "incomplete" if job.status is JobStatus.PARTIAL else "completed"
        item = message_item(job, text, status)
        self._output.append(item)
        yield "output_item.done", {"output_index": index, "item": item}
