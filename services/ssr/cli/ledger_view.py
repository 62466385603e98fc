"""The outcome of a job: the vote, and what it cost."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ssr.cli.wording import flops_text, one_line, plural, score_text
from ssr.core.job import Job, JobStatus
from ssr.core.ledger import Usage

_OUTCOMES = {
    JobStatus.ANSWERED: ("Answer", "bold green"),
    JobStatus.PARTIAL: ("Best answer so far", "bold yellow"),
    JobStatus.NO_ANSWER: ("No answer", "bold yellow"),
    JobStatus.CANCELLED: ("Cancelled", "bold yellow"),
    JobStatus.FAILED: ("Failed", "bold red"),
    JobStatus.PARKED: ("Parked", "bold red"),
}


def vote_view(job: Job) -> RenderableType:
    """How the paths voted, the winner first, and the outcome."""
    word, style = _OUTCOMES.get(job.status, (str(job.status), "bold"))
    outcome = Text(word, style)
    if job.answer:
        outcome.append(f"  {one_line(job.answer, 200)}")
    if said := job.error or job.reason:
        outcome.append(f"  {one_line(said, 400)}", "not bold")
    if not job.votes:
        return outcome
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("vote", no_wrap=True, overflow="ellipsis", max_width=40)
    table.add_column("paths", no_wrap=True, overflow="ellipsis")
    sure = any(vote.posterior is not None for vote in job.votes)
    table.add_column("sure" if sure else "mean score", justify="right", no_wrap=True)
    for place, vote in enumerate(job.votes):
        paths = ", ".join(map(str, vote.paths))
        last = f"{vote.posterior or 0.0:.0%}" if sure else score_text(vote.mean_score)
        table.add_row(Text(one_line(vote.answer, 60)), paths, last, style="" if place else "green")
    return Group(table, outcome)


def usage_view(usage: Usage, duration_s: float) -> RenderableType:
    """Tokens by kind, steps, models, and the two ratios to the estimated baseline."""
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    facts.add_row("tokens", tokens_text(usage))
    if usage.accepted_steps + usage.rewritten_steps:
        facts.add_row("steps", steps_text(usage))
    if ratios := ratios_text(usage):
        facts.add_row("cost", ratios)
    if quantities := quantities_text(usage):
        facts.add_row("paper", quantities)
    if on_engines := engine_time_text(usage):
        facts.add_row("engines", on_engines)
    facts.add_row("time", f"{duration_s:.1f} s")
    return Group(facts, _models(usage)) if usage.models else facts


def tokens_text(usage: Usage) -> str:
    """The generated tokens by what they were for."""
    parts = []
    if usage.drafted_tokens:
        wasted = f", {usage.wasted_tokens:,} wasted" if usage.wasted_tokens else ""
        parts.append(
            f"{usage.drafted_tokens:,} drafted "
            f"({usage.accepted_tokens:,} accepted, {usage.rejected_tokens:,} rejected{wasted})"
        )
    parts += [
        f"{count:,} {what}"
        for count, what in (
            (usage.rewritten_tokens, "rewritten"),
            (usage.written_tokens, "written by the target"),
            (usage.scoring_tokens, "scoring"),
            (usage.selection_tokens, "selection"),
            (usage.thinking_tokens, "of the committed ones thinking"),
        )
        if count
    ]
    return ", ".join(parts) or "none"


def steps_text(usage: Usage) -> str:
    return f"{usage.accepted_steps:,} drafts accepted, {usage.rewritten_steps:,} rewritten"


def ratios_text(usage: Usage) -> str:
    """The two ratios to the estimated baseline; "" where a model's size is unknown."""
    if usage.decode_ratio is None or usage.total_ratio is None:
        return ""
    about = "about " if usage.estimated_tokens else ""
    return (
        f"decode_ratio {usage.decode_ratio:.2f}, total_ratio {about}{usage.total_ratio:.2f} of the estimated baseline "
        f"(the target alone, one path of {plural(round(usage.baseline_tokens), 'token')})"
    )


def quantities_text(usage: Usage) -> str:
    """The paper's quantities; "" where nothing was drafted or a model's size is unknown."""
    draft, target, gamma = usage.draft_token_flops, usage.target_token_flops, usage.gamma
    if draft is None or target is None or gamma is None or usage.rewrite_rate is None:
        return ""
    return (
        f"R {usage.rewrite_rate:.0%}, FLOPs of a draft token {draft / target:.3f} of the target's, gamma {gamma:.2f} "
        f"({usage.gamma_without_spm or 0.0:.2f} without SPM)"
    )


def engine_time_text(usage: Usage) -> str:
    """For how long its calls held places on engines; "" where that is unknown, or nothing."""
    if not usage.timed:
        return ""
    seconds = {"draft": usage.draft_engine_s, "target": usage.target_engine_s, "selection": usage.selection_engine_s}
    return ", ".join(f"{one:.1f} s {of}" for of, one in seconds.items() if one)


def _models(usage: Usage) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("model", overflow="fold")  # folds first where it is narrow: the numbers stay whole
    for heading in ("calls", "prompt", "cached", "generated", "compute"):
        table.add_column(heading, justify="right", no_wrap=True)
    for model in usage.models:
        cached = f"{model.cached_tokens:,}"
        if model.estimated_tokens:  # the engine does not say
            cached = f"~{model.cached_tokens + model.estimated_tokens:,}"
        counts = (f"{model.calls:,}", f"{model.prompt_tokens:,}", cached, f"{model.generated_tokens:,}")
        table.add_row(Text(model.model), *counts, flops_text(model.total_flops))
    return table
