"""The end-to-end mode of `ssr bench consensus`: what it was asked for, done and shown."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.status import Status
from rich.text import Text

from ssr.cli.exit_status import ExitStatus, print_error
from ssr.core.errors import InvalidRequest
from ssr_bench.cli.reporting import show

if TYPE_CHECKING:
    from ssr_bench.consensus.end_to_end.comparison import Serving
    from ssr_bench.consensus.end_to_end.folder import Folder
    from ssr_bench.consensus.end_to_end.method import DraftingMethod
    from ssr_bench.consensus.end_to_end.plan import EndToEndPlan

#: The table needs it; a narrower terminal wraps its lines.
_WIDTH = 120


@dataclass(frozen=True, slots=True)
class EndToEndAsked:
    """What the command was asked for, as it was written."""

    serve: str
    servers: tuple[str, ...]
    dataset: str
    offset: int
    limit: int | None
    samples: int
    at_a_time: int
    temperature: float
    top_p: float
    max_tokens: int
    seed: int | None
    stagger_s: float
    logprobs: bool
    replay: Path | None
    methods: str
    speculation: tuple[str, ...]
    max_draft: int
    start_timeout_s: float
    request_timeout_s: float
    out: Path | None


async def end_to_end(asked: EndToEndAsked, as_json: bool) -> ExitStatus:
    """Measure what is not measured yet, and show all.

    Raises: InvalidRequest naming the option; what reading the dataset and the folder raises.
    """
    from ssr_bench.consensus.end_to_end.comparison import compare
    from ssr_bench.consensus.end_to_end.folder import Folder
    from ssr_bench.consensus.end_to_end.plan import EndToEndPlan
    from ssr_bench.consensus.end_to_end.replayed import Replay
    from ssr_bench.evaluation.dataset import fingerprint, selected
    from ssr_bench.evaluation.hub import load_dataset

    if asked.out is None:
        raise InvalidRequest("out", "name a folder for the figures, samples and logs")
    if not asked.dataset:
        raise InvalidRequest("dataset", "name a dataset or a .jsonl file")
    problems = selected(await load_dataset(asked.dataset), asked.offset, asked.limit)
    replay = None if asked.replay is None else Replay.read(asked.replay, problems, asked.samples)
    plan = EndToEndPlan(
        dataset=Path(asked.dataset).name,
        problems=fingerprint(problems),
        serve=asked.serve,
        samples=asked.samples,
        at_a_time=asked.at_a_time,
        temperature=asked.temperature,
        top_p=asked.top_p,
        max_tokens=asked.max_tokens,
        seed=asked.seed,
        stagger_s=asked.stagger_s,
        logprobs=asked.logprobs,
        replay="" if replay is None else replay.fingerprint,
    )
    with closing(Folder(asked.out, plan)) as folder:
        methods, serving = _servers(asked, folder)
        for method in methods:
            if folder.has(method):
                reported = f"{method.name}: measured before; its figures are in {asked.out}"
                Console(stderr=True).print(reported, soft_wrap=True)
        with _Notes() as notes:
            wrong = await compare(plan, problems, methods, serving, folder, notes.log, replay)
    _show(plan, folder, as_json)
    for one in wrong:
        print_error(one)
    return ExitStatus.FAILURE if wrong else ExitStatus.DONE


def _servers(asked: EndToEndAsked, folder: Folder) -> tuple[tuple[DraftingMethod, ...], Serving]:
    """The methods, and how to come by a server of each."""
    from ssr.consensus.replay import ENVIRONMENT
    from ssr_bench.cli.evaluation_input import names
    from ssr_bench.consensus.end_to_end.comparison import running, starting
    from ssr_bench.consensus.end_to_end.method import DraftingMethod, definitions, methods_of, named
    from ssr_bench.consensus.end_to_end.plan import Patience

    patience = Patience(asked.start_timeout_s, asked.request_timeout_s)
    if asked.serve and asked.servers:
        raise InvalidRequest("server", "give --serve or --server, not both")
    if asked.serve:
        methods = methods_of(names(asked.methods), asked.max_draft, definitions(asked.speculation), os.environ)
        environment = {**os.environ, **(ENVIRONMENT if asked.replay else {})}
        return methods, starting(asked.serve, environment, folder, patience)
    urls = named("server", asked.servers)
    for name, url in urls.items():
        if not url.startswith(("http://", "https://")):
            raise InvalidRequest("server", f"{name}: {url!r} is no http:// or https:// URL")
    return tuple(DraftingMethod(name=name) for name in urls), running(urls, os.environ, patience)


def _show(plan: EndToEndPlan, folder: Folder, as_json: bool) -> None:
    from ssr_bench.consensus.end_to_end.figures import compared
    from ssr_bench.consensus.end_to_end.table import end_to_end_table

    if folder.figures or as_json:
        report = {"plan": plan, "methods": folder.figures, "beside_none": compared(folder.figures)}
        title = f"{plan.dataset}: {plan.samples} samples a problem, {plan.at_a_time} problems at a time"
        width = None if Console().is_terminal else _WIDTH
        show(report, end_to_end_table(title, folder.figures), as_json, width)


class _Notes:
    """What is being done, on standard error: in one line of a terminal, elsewhere a line for each."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._status: Status | None = self._console.status("…") if self._console.is_terminal else None

    def __enter__(self) -> _Notes:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def log(self, text: str) -> None:
        if self._status is None:
            self._console.print(Text(text), soft_wrap=True)
        else:
            self._status.update(Text(text))
