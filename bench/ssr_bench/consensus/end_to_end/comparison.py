"""Methods, measured one after the other: two servers at once would disturb each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from ssr.core.errors import BadReply, TimedOut, Unavailable
from ssr_bench.consensus.end_to_end.client import VllmClient, open_client
from ssr_bench.consensus.end_to_end.counters import counted_since
from ssr_bench.consensus.end_to_end.figures import DraftingFigures
from ssr_bench.consensus.end_to_end.folder import Folder
from ssr_bench.consensus.end_to_end.method import DraftingMethod
from ssr_bench.consensus.end_to_end.plan import EndToEndPlan, Patience
from ssr_bench.consensus.end_to_end.replayed import Replay
from ssr_bench.consensus.end_to_end.sampler import ServedSample, sampled, warmed_up
from ssr_bench.consensus.end_to_end.server import command_of, started
from ssr_bench.evaluation.dataset import Problem

#: The server of a method, open for as long as it is measured.
Serving = Callable[[DraftingMethod], AbstractAsyncContextManager[VllmClient]]
#: Reports what is being done.
ReportLine = Callable[[str], None]


def starting(serve: str, environment: Mapping[str, str], folder: Folder, patience: Patience) -> Serving:
    """Servers that are started for it. Raises: InvalidRequest for a command without a place for the port."""
    words = command_of(serve)
    return lambda method: started(words, method, environment, folder.log(method), patience)


def running(urls: Mapping[str, str], environment: Mapping[str, str], patience: Patience) -> Serving:
    """Servers that run already, by method."""
    return lambda method: open_client(method.name, urls[method.name], patience, environment)


async def compare(
    plan: EndToEndPlan,
    problems: Sequence[Problem],
    methods: Sequence[DraftingMethod],
    serving: Serving,
    folder: Folder,
    log: ReportLine,
    replay: Replay | None = None,
) -> list[str]:
    """Measure what the folder does not have yet; where one method fails, the others still follow.

    Returns what went wrong. Raises: Conflict when the folder has a method with other settings.
    """
    left = [method for method in methods if not folder.has(method)]
    wrong = []
    for method in left:
        try:
            await _measure(plan, problems, method, serving, folder, log, replay)
        except (Unavailable, TimedOut, BadReply) as error:
            wrong.append(f"{method.name}: {error}")
            log(f"{method.name}: failed")
    return wrong


async def _measure(
    plan: EndToEndPlan,
    problems: Sequence[Problem],
    method: DraftingMethod,
    serving: Serving,
    folder: Folder,
    log: ReportLine,
    replay: Replay | None,
) -> None:
    samples: list[ServedSample] = []
    total = len(problems) * plan.samples

    def keep(sample: ServedSample) -> None:
        folder.keep(method, sample)
        samples.append(sample)
        if not len(samples) % plan.samples:
            log(f"{method.name}: {len(samples)} of {total} samples")

    log(f"{method.name}: waiting for its server …")
    async with serving(method) as client:
        model = await client.model()
        before = await warmed_up(client, model, plan)
        folder.begin(method)
        seen = await sampled(client, model, plan, problems, keep, replay)
        counts = counted_since(await client.counts_after(before, seen.tokens), before)
        folder.finish(DraftingFigures.of(method, plan.serve or client.url, seen, counts), samples)
