"""Which SSR a command speaks to: a server that runs, or a stack of this command's own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from ssr.cli.access import Access
from ssr.cli.stack.presets import SETUPS, Preset
from ssr.cli.up import DEFAULT_PORT
from ssr.core.errors import InvalidRequest, echoed
from ssr.core.presets import PRESETS

if TYPE_CHECKING:
    from ssr.client import AsyncClient

#: Where `ssr up` listens by default.
DEFAULT_SERVER = f"127.0.0.1:{DEFAULT_PORT}"
#: The variable that names the server, for all commands.
SERVER_VARIABLE = "SSR_SERVER"

#: How long a server may take to be reached, in seconds.
READY_S = 10.0
_ADDRESS = re.compile(r"(?P<host>[^\s:/]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")
#: gRPC's other ways to name a target ("dns:///ssr:50051").
_SCHEME = re.compile(r"(dns|ipv4|ipv6|unix|xds):\S+")


@dataclass(frozen=True, slots=True)
class AskedPresets:
    """What `--preset` names, which may be given twice: a stack to bring up, and options; None: not said."""

    stack: str | None = None
    options: str | None = None


def asked_presets(names: Sequence[str]) -> AskedPresets:
    """Raises: InvalidRequest for an unknown one, or two of a kind."""
    stacks = [name for name in names if name in tuple(Preset)]
    options = [name for name in names if name in PRESETS]
    for name in names:
        if name not in (*stacks, *options):
            known = f"known are {', '.join(Preset)} (the stack to bring up) and {', '.join(PRESETS)} (options)"
            raise InvalidRequest("preset", f"{echoed(name)} is unknown; {known}")
    if len(stacks) > 1 or len(options) > 1:
        raise InvalidRequest("preset", f"{' and '.join(stacks if len(stacks) > 1 else options)} exclude each other")
    return AskedPresets(*(next(iter(found), None) for found in (stacks, options)))


@dataclass(frozen=True, slots=True)
class Destination:
    """`server` is an address; "": a stack of preset `preset`."""

    server: str = ""
    preset: Preset = Preset.LOCAL

    @property
    def embedded(self) -> bool:
        return not self.server


def destination_of(server: str | None, preset: str | None) -> Destination:
    """Raises: InvalidRequest when both are given, or one of them makes no sense."""
    if server and preset:
        raise InvalidRequest("preset", "is given together with --server; give one of them")
    if server:
        return Destination(checked_address(server))
    try:
        return Destination(preset=Preset(preset or Preset.LOCAL))
    except ValueError:
        raise InvalidRequest("preset", f"{preset!r} is unknown; known are {', '.join(Preset)}") from None


def checked_address(server: str) -> str:
    """Raises: InvalidRequest."""
    match = _ADDRESS.fullmatch(server)
    if not (_SCHEME.fullmatch(server) or (match and 0 < int(match["port"]) < 65_536)):
        raise InvalidRequest("server", f"{server!r} is not HOST:PORT; give an address such as {DEFAULT_SERVER}")
    return server


@asynccontextmanager
async def connected(target: Destination, access: Access, notes: Console) -> AsyncIterator[AsyncClient]:
    """A client of the target, which can be reached; a stack of its own runs as long as the block.

    `notes` shows what takes time: models that are pulled and, on a terminal, the stack that starts.

    Raises: Unavailable when a server cannot be reached; what a stack's start raises.
    """
    if not target.embedded:
        async with _client(target.server, access) as client:
            await client.ready(READY_S)
            yield client
        return
    from ssr.cli.stack import running_stack
    from ssr.engine_server.models import RichProgress
    from ssr.engine_server.models.settings import model_store

    store = model_store()
    for name in SETUPS[target.preset].models:  # before the spinner: a terminal has room for one moving thing
        await store.pull(name, RichProgress(notes))
    async with AsyncExitStack() as stack:
        with notes.status(f"bringing up the {target.preset} stack …") as spinner:
            starting = running_stack(target.preset, models=store, on_event=spinner.update)
            address = (await stack.enter_async_context(starting)).address
        yield await stack.enter_async_context(_client(address, access.embedded))


def _client(address: str, access: Access) -> AsyncClient:
    from ssr.client import AsyncClient

    return AsyncClient(address, tenant=access.tenant, tls=access.tls, api_key=access.api_key)


def wanted_server(ctx: typer.Context, server: str | None, preset: str | None) -> str | None:
    """A preset that is asked for wins over a server that is only in the environment."""
    source = ctx.get_parameter_source("server")
    return None if preset and source is not None and source.name == "ENVIRONMENT" else server
