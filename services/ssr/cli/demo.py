"""`ssr demo`: three problems on a stack of this machine, each shown live, and what the target alone takes for them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Annotated

import typer
import yaml
from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ssr.cli.access import Access
from ssr.cli.destination import Destination, connected, destination_of
from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import refusing, run
from ssr.cli.stack.presets import Preset
from ssr.cli.wording import flops_text, one_line
from ssr.core.answers import Equivalence
from ssr.core.job import Job
from ssr.core.types import Mode


@dataclass(frozen=True, slots=True)
class DemoProblem:
    """A word problem with its known answer. `seed`: of its run, so that every demo is the same."""

    title: str
    problem: str
    answer: str
    seed: int


def demo_problems() -> tuple[DemoProblem, ...]:
    """The shipped problems, in the order of the demo."""
    text = (resources.files("ssr.cli") / "demo_problems.yaml").read_text("utf-8")
    return tuple(DemoProblem(**entry) for entry in yaml.safe_load(text))


if TYPE_CHECKING:
    from ssr.client import AsyncClient, SolveOptions

#: What pays for the embedded pair on a CPU, where a draft token costs a third of a target token: see
#: docs/research/accuracy.md.
_PATHS, _DRAFT_PATHS = 6, 2
#: A vote of the target's as accurate as the cascade needs so many paths.
_VOTE_PATHS = 4


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """How a problem went, one way. `right`: the answer is the expected one; `seconds`: from question to answer."""

    asked: DemoProblem
    job: Job
    right: bool
    seconds: float


def demo(
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="The stack: local, or smoke or simulated, which answer badly.")
    ] = Preset.LOCAL.value,
) -> None:
    """Solve three word problems on this machine, and watch every path.

    Gets the models where they are missing (1.6 GB, once), brings up the whole
    stack, and solves in mode cascade with fixed seeds: two drafts of the small
    model, then paths of the large one while their votes leave doubt. Then the
    large model alone solves the same problems, once and with a vote of four: the
    table at the end says what each way took, and which answers are right. Small
    models err.

    Exit status: 0 when every problem has an answer, right or wrong;
    3 when one has none; 1 failure.

    Examples:

      ssr demo
      ssr demo --preset simulated
    """
    with refusing():
        target = destination_of(None, preset)
    run(_demo(target), interrupted="interrupted: the demo's jobs were cancelled")


async def _demo(target: Destination) -> ExitStatus:
    from ssr.orchestrator.equivalence.checker import MathVerifyEquivalence

    console = Console()
    async with (
        MathVerifyEquivalence() as equivalence,
        connected(target, Access(), Console(stderr=True)) as client,
    ):
        problems = demo_problems()
        demo_run = _DemoRun(client, equivalence, console)
        outcomes = []
        for number, asked in enumerate(problems, 1):
            console.print(Rule(Text(f"{number} of {len(problems)}: {asked.title}"), style="dim"))
            outcomes.append(await demo_run.shown(asked))
        console.print(Rule(Text("the same problems by the large model alone"), style="dim"))
        ways = {"cascade": outcomes}
        for way, options in _RIVALS.items():
            with console.status(f"{way} …"):
                ways[way] = [await demo_run.alone(asked, options) for asked in problems]
    console.print(Rule(Text("summary"), style="dim"), summary(outcomes), Text(), comparison(ways))
    return exit_status(outcomes)


class _DemoRun:
    """Solves the demo's problems one way or another, and grades the answers."""

    def __init__(self, client: AsyncClient, equivalence: Equivalence, console: Console) -> None:
        self._client, self._equivalence, self._console = client, equivalence, console

    async def shown(self, asked: DemoProblem) -> DemoOutcome:
        """By the cascade, live."""
        from ssr.cli.job_view import JobView
        from ssr.cli.viewer import show_to_end, viewer_for
        from ssr.client.request import SolveOptions, resolved

        options = SolveOptions(
            mode=Mode.CASCADE, paths=_PATHS, draft_paths=_DRAFT_PATHS, seed=asked.seed, early_stop=True
        )
        view = JobView(asked.problem, resolved(options))
        events = self._client.stream(asked.problem, **options)
        return await self._graded(asked, show_to_end(events, viewer_for(self._console), view))

    async def alone(self, asked: DemoProblem, options: SolveOptions) -> DemoOutcome:
        """By the target alone."""
        given: SolveOptions = {**options, "seed": asked.seed}
        return await self._graded(asked, self._client.solve(asked.problem, **given))

    async def _graded(self, asked: DemoProblem, solving: Awaitable[Job]) -> DemoOutcome:
        began = time.monotonic()
        job = await solving
        seconds = time.monotonic() - began
        right = bool(job.answer) and await self._equivalence.same(asked.answer, job.answer)
        return DemoOutcome(asked, job, right, seconds)


_RIVALS: Mapping[str, SolveOptions] = {
    "one path of the large model": {"mode": Mode.BASELINE},
    f"a vote of {_VOTE_PATHS} paths of it": {"mode": Mode.PARALLEL, "paths": _VOTE_PATHS, "early_stop": False},
}


def summary(outcomes: Sequence[DemoOutcome]) -> RenderableType:
    """A row a problem, and how many answers are right."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("problem", "answer", "expected"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column("right?", no_wrap=True)
    for heading in ("paths", "seconds", "small", "large"):
        table.add_column(heading, justify="right", no_wrap=True)
    for outcome in outcomes:
        usage = outcome.job.usage
        table.add_row(
            Text(outcome.asked.title),
            Text(one_line(outcome.job.answer) or outcome.job.status.replace("_", " ")),
            Text(outcome.asked.answer),
            Text("yes", "green") if outcome.right else Text("no", "red"),
            str(sum(len(vote.paths) for vote in outcome.job.votes)),
            f"{outcome.seconds:.1f}",
            f"{usage.drafted_tokens:,}",
            f"{usage.written_tokens:,}",
        )
    right = sum(outcome.right for outcome in outcomes)
    legend = Text("paths: that answered; small, large: tokens that the draft and the target model generated", "dim")
    return Group(table, Text(f"{right} of {len(outcomes)} answers are right", "bold"), legend)


def comparison(ways: Mapping[str, Sequence[DemoOutcome]]) -> RenderableType:
    """A row a way: what all problems together took."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("all problems", no_wrap=True)
    for heading in ("right", "seconds", "small", "large", "compute"):
        table.add_column(heading, justify="right", no_wrap=True)
    for way, outcomes in ways.items():
        usages = [outcome.job.usage for outcome in outcomes]
        table.add_row(
            way,
            f"{sum(outcome.right for outcome in outcomes)} of {len(outcomes)}",
            f"{sum(outcome.seconds for outcome in outcomes):.1f}",
            f"{sum(usage.drafted_tokens for usage in usages):,}",
            f"{sum(usage.written_tokens for usage in usages):,}",
            flops_text(sum(usage.total_flops for usage in usages)),
        )
    return table


def exit_status(outcomes: Sequence[DemoOutcome]) -> ExitStatus:
    """The worst of the jobs' exit statuses; a wrong answer is an answer."""
    statuses = {ExitStatus.of_job(outcome.job) for outcome in outcomes}
    return next((s for s in (ExitStatus.FAILURE, ExitStatus.NO_ANSWER) if s in statuses), ExitStatus.DONE)
