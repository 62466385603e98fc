"""`ssr bench`: SSR measured on this machine."""

from __future__ import annotations

import typer

from ssr_bench.cli import (
    accuracy,
    autoscale,
    consensus,
    equivalence,
    gateway,
    overhead,
    pressure,
    record,
    replay,
    routing,
    scorers,
    utilisation,
)

bench_app = typer.Typer(
    name="bench",
    help="Measure SSR: itself on simulated engines, and how well it answers with the models at hand.",
    no_args_is_help=True,
)
#: In the order of --help.
_COMMANDS = (
    accuracy,
    record,
    replay,
    scorers,
    consensus,
    equivalence,
    gateway,
    routing,
    utilisation,
    overhead,
    pressure,
    autoscale,
)
for commands in _COMMANDS:
    commands.add_to(bench_app)
