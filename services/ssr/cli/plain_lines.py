"""A job as plain lines, one an event, for pipes and logs."""

from __future__ import annotations

from ssr.cli.ledger_view import ratios_text, steps_text, tokens_text
from ssr.cli.wording import flops_text, one_line, origin, plural, score_text
from ssr.core.job import Event, Finished, Job, Queued, Started
from ssr.core.run import PathEnded, Selected, StepCommitted
from ssr.core.vote import Vote


def lines_of(event: Event) -> list[str]:
    """What an event says, in whole lines."""
    match event.happening:
        case Queued():
            return [f"job {event.job_id}: queued"]
        case Started(epoch):
            return ["started" if epoch == 1 else f"started again by another owner ({epoch})"]
        case Selected(strategies):
            return [
                f"path {i}: strategy {strategy.code} {strategy.name}"
                for i, strategy in enumerate(strategies)
                if strategy.code
            ]
        case StepCommitted(path, step):
            return [
                f"path {path} step {step.index + 1}: {origin(step)}, {plural(step.tokens, 'token')}: "
                f"{one_line(step.text) or '(empty)'}"
            ]
        case PathEnded(path, status, answer, reason):
            detail = answer or reason
            return [f"path {path}: {status.replace('_', ' ')}{': ' if detail else ''}{one_line(detail, 200)}"]
        case Finished(job):
            return _outcome(job)


def _outcome(job: Job) -> list[str]:
    usage = job.usage
    lines = [
        f"vote: {one_line(vote.answer, 200)} by {plural(len(vote.paths), 'path')} "
        f"({', '.join(map(str, vote.paths))}), {_worth(vote)}"
        for vote in job.votes
    ]
    lines.append(f"tokens: {tokens_text(usage)}")
    if usage.accepted_steps + usage.rewritten_steps:
        lines.append(f"steps: {steps_text(usage)}")
    lines += [
        f"model {model.model}: {plural(model.calls, 'call')}, {model.prompt_tokens:,} prompt tokens "
        f"({model.cached_tokens:,} cached), {model.generated_tokens:,} generated, {flops_text(model.total_flops)}"
        for model in usage.models
    ]
    if ratios := ratios_text(usage):
        lines.append(f"cost: {ratios}")
    detail = "; ".join(part for part in (job.answer, job.error, job.reason) if part)
    word = "answer" if job.answer else job.status.replace("_", " ")
    return [*lines, f"{word}: {one_line(detail, 400)}" if detail else word]


def _worth(vote: Vote) -> str:
    """How sure it is where that is known, else its score."""
    return f"mean score {score_text(vote.mean_score)}" if vote.posterior is None else f"{vote.posterior:.0%} sure"
