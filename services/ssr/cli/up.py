"""`ssr up`: the whole system on this machine, in the foreground, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ssr.cli.exit_status import ExitStatus
from ssr.cli.stack.presets import Preset
from ssr.core.errors import SsrError
from ssr.runtime.process.signals import cancelled_by_signals, end_early

if TYPE_CHECKING:
    from ssr.cli.stack.stack import Stack

#: Where the orchestrator listens by default.
DEFAULT_PORT = 7600
#: Where the gateway does.
DEFAULT_GATEWAY_PORT = 7680

#: A terminal that is closed ends the stack too.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(
    preset: Annotated[
        Preset,
        typer.Option(
            help="local: the 0.5B and 1.5B models; smoke: one tiny model in both roles; simulated: no model at all."
        ),
    ] = Preset.LOCAL,
    redis_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A Redis of your own, which keeps the jobs. Default: one of the stack."),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Where clients reach SSR, on 127.0.0.1.")] = DEFAULT_PORT,
    gateway_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Where OpenAI clients do; 0: nowhere.")
    ] = DEFAULT_GATEWAY_PORT,
) -> None:
    """Run the whole system on this machine until Ctrl-C.

    Brings up Redis, two engines, the four services and the gateway, gets the
    models where they are missing, and starts again what dies. A second Ctrl-C does not wait
    for what is in hand.

    Examples:

      ssr up
      ssr up --preset simulated --port 7601
    """
    end_early()
    console = Console()
    try:
        asyncio.run(_up(console, preset, redis_url, port, gateway_port or None))
    except SsrError as error:
        # Several lines: the end of a log may be among them.
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(ExitStatus.FAILURE) from None


async def _up(console: Console, preset: Preset, redis_url: str | None, port: int, gateway_port: int | None) -> None:
    from ssr.cli.stack.stack import running_stack
    from ssr.engine_server.models.progress import RichProgress

    def report(line: str) -> None:
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)

    if gateway_port is not None and find_spec("uvicorn") is None:
        report("without the gateway for OpenAI clients: pip install 'ssr-serve[gateway]'")
        gateway_port = None
    report(f"starting SSR (preset {preset})")
    try:
        with cancelled_by_signals(_ENDING):  # the second one hurries the stack's end
            async with running_stack(
                preset,
                redis_url=redis_url,
                port=port,
                gateway_port=gateway_port,
                progress=RichProgress(),
                on_event=report,
            ) as stack:
                show(console, stack)
                try:
                    await asyncio.Event().wait()
                finally:
                    report("stopping")
    except asyncio.CancelledError:  # asked to end, and all has ended
        return


def show(console: Console, stack: Stack) -> None:
    """What runs where, and what to do with it."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("part", "is", "address", "pid"):
        table.add_column(heading, no_wrap=True)
    for part in stack.parts:
        table.add_row(part.name, part.title, part.address, str(part.pid))
    console.print(table)
    server = f"--server {stack.address}"
    openai = (
        []
        if stack.gateway is None
        else [
            f"  OpenAI  clients: base_url http://{stack.gateway}/v1, any API key, model ssr",
            f"  page    http://{stack.gateway}/ui/",
        ]
    )
    lines = (
        f"\nSSR is up at {stack.address}. From another terminal:",
        f'  solve   ssr solve {server} "What is 15 % of 80?"',
        f"  watch   ssr jobs {server}, then ssr watch {server} JOB",
        *openai,
        f"  logs    tail -F {stack.log_dir}/*.log",
        "Ctrl-C stops all of it.",
    )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
