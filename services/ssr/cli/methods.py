"""`ssr methods`: what can be chosen by name, ours and what other distributions bring."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import EntryPoint
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ssr.cli.running import refusing
from ssr.core.acceptance import ScorerName
from ssr.core.evidence.rule import Estimate
from ssr.core.methods import MethodKind, found_methods
from ssr.core.presets import PRESETS, preset_options
from ssr.core.steps import RepeatRule
from ssr.core.types import Mode, SelectionRule, StopRule, choices
from ssr.core.vote_rule import AGGREGATES

#: Whose a method is that comes with SSR.
OURS = "ssr"


@dataclass(frozen=True, slots=True)
class NamedMethod:
    """A name that can be chosen. `option`: where; `origin`: the distribution that brings it."""

    kind: str
    name: str
    option: str
    origin: str = OURS


def methods(
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only of this kind, such as scorer.")] = None,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="The options of this preset, such as paper, and nothing else.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the methods that can be chosen by name.

    Presets of options, modes, stop rules, selections, repeat rules, estimates,
    scorers, aggregates of scores, strategy sets, domains and data sets: those
    that come with SSR, and those that installed distributions bring by entry
    point (docs/research/methods.md). --preset NAME shows what a preset has.

    Example:

      ssr methods --kind scorer
    """
    if preset is not None:
        _show_preset(preset, as_json)
        return
    found = [one for one in all_methods() if kind in (None, one.kind)]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("kind", "name", "option", "from"):
        table.add_column(heading, no_wrap=True)
    for one in found:
        table.add_row(one.kind, one.name, one.option, one.origin)
    Console().print(table)


def _show_preset(name: str, as_json: bool) -> None:
    with refusing():
        options = preset_options(name)
    if as_json:
        typer.echo(json.dumps(dict(options), indent=2))
        return
    for option, value in options.items():
        typer.echo(f"{option} = {json.dumps(value)}")


def all_methods() -> Iterator[NamedMethod]:
    """Ours first, kind by kind."""
    from ssr.domains import domain_names
    from ssr.selector.strategy_sets import load_strategy_sets

    yield from (NamedMethod("mode", mode, "--mode") for mode in choices(Mode))
    yield from (NamedMethod("stop rule", rule, "--stop-rule") for rule in choices(StopRule))
    yield from (NamedMethod("selection", rule, "--selection") for rule in SelectionRule)
    yield from (NamedMethod("repeat rule", rule, "--repeat-rule") for rule in RepeatRule)
    yield from (NamedMethod("preset", name, "--preset") for name in PRESETS)
    ours: Mapping[MethodKind, tuple[str, tuple[str, ...]]] = {
        MethodKind.ESTIMATE: ("--estimate", tuple(Estimate)),
        MethodKind.SCORER: ("--scorer", tuple(ScorerName)),
        MethodKind.AGGREGATE: ("--vote weighted-NAME, best-NAME", tuple(AGGREGATES)),
        MethodKind.STRATEGY_SET: ("--strategy-set", tuple(load_strategy_sets())),
        MethodKind.DOMAIN: ("--domain", domain_names()),
        MethodKind.DATASET: ("ssr bench record --dataset", ()),
    }
    for kind, (option, names) in ours.items():
        yield from (NamedMethod(kind, name, option) for name in names if name not in found_methods(kind))
        yield from (NamedMethod(kind, name, option, _origin(point)) for name, point in found_methods(kind).items())


def _origin(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
