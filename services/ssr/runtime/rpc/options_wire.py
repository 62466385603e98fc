"""The options of a request and the core's, in both directions; the defaults of what a request leaves out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ssr.core.cascade import CascadeShape, stop_rule_of, strategy_set_of
from ssr.core.errors import Violations
from ssr.core.evidence.rule import Estimate
from ssr.core.presets import preset_options
from ssr.core.types import Mode, Options, StopRule
from ssr.runtime.rpc.enum_wire import EnumWire, Member
from ssr.v1 import reasoning_pb2, step_pb2

#: Where nobody has set others.
DEFAULTS = Options()
CASCADE = CascadeShape()

_MODE = EnumWire(reasoning_pb2.Mode, "MODE")
_STOP_RULE = EnumWire(reasoning_pb2.StopRule, "STOP_RULE")

#: What `Options` and its message share by name and type; of it, what is taken as it comes, and what is the defaults'
#: where a request leaves it out.
_ALIKE = tuple(name for name in Options.__dataclass_fields__ if name not in ("mode", "stop_rule"))
_AS_GIVEN = ("scorer", "vote", "domain", "tests", "preset", "repair_paths")
_OR_DEFAULT = (
    *("threshold", "temperature", "top_p", "max_step_tokens", "max_path_tokens", "max_thinking_tokens", "max_steps"),
    *("lookahead", "max_waste", "confidence", "min_gain", "batch"),
)


def sampling_to_wire(options: Options) -> step_pb2.Sampling:
    return step_pb2.Sampling(
        temperature=options.temperature, top_p=options.top_p, max_thinking_tokens=options.max_thinking_tokens
    )


def options_to_wire(options: Options) -> reasoning_pb2.Options:
    alike: dict[str, Any] = {name: getattr(options, name) for name in _ALIKE}
    return reasoning_pb2.Options(
        mode=_MODE.number(options.mode), stop_rule=_STOP_RULE.number(options.stop_rule), **alike
    )


def with_preset(message: reasoning_pb2.Options) -> reasoning_pb2.Options:
    """The options with those of its preset in place of what is not given. Raises: InvalidRequest for an unknown one."""
    if not message.preset:
        return message
    mode = _MODE.read(Mode, message.mode) if message.mode else None
    of_preset = options_to_wire(replace(DEFAULTS, **preset_options(message.preset, mode)))
    filled = reasoning_pb2.Options()
    filled.CopyFrom(message)
    for name in preset_options(message.preset, mode):
        field = reasoning_pb2.Options.DESCRIPTOR.fields_by_name[name]
        if not (message.HasField(name) if field.has_presence else getattr(message, name)):  # type: ignore[arg-type]
            setattr(filled, name, getattr(of_preset, name))
    return filled


def asked_options(
    message: reasoning_pb2.Options, fallback_seed: int, defaults: Options = DEFAULTS, cascade: CascadeShape = CASCADE
) -> Options:
    """What a request asks for, with its preset, as `options_from_wire`.

    Raises: InvalidRequest for an unknown mode, stop rule or preset.
    """
    with Violations() as gather:
        gather(_MODE.member, Mode, message.mode, defaults.mode)
        gather(_STOP_RULE.member, StopRule, message.stop_rule, defaults.stop_rule)
    return options_from_wire(with_preset(message), fallback_seed, defaults, cascade)


def options_from_wire(
    message: reasoning_pb2.Options, fallback_seed: int, defaults: Options = DEFAULTS, cascade: CascadeShape = CASCADE
) -> Options:
    """The options with every default filled in; `fallback_seed` where the message has none.

    A mode or stop rule of a newer version is UNKNOWN. Limits are checked elsewhere (`core.limits`).
    """
    mode = _reported(_MODE, Mode, message.mode, defaults.mode)

    def given(name: Any) -> bool:
        return message.HasField(name)

    paths, draft_paths = cascade.fill(
        mode,
        message.paths if given("paths") else None,
        message.draft_paths if given("draft_paths") else None,
        defaults.paths,
    )
    alike: dict[str, Any] = {name: getattr(message, name) for name in _AS_GIVEN}
    alike |= {name: getattr(message if given(name) else defaults, name) for name in _OR_DEFAULT}
    return Options(
        mode=mode,
        paths=paths,
        stop_rule=_reported(_STOP_RULE, StopRule, message.stop_rule, stop_rule_of(mode, defaults)),
        strategy_set=message.strategy_set or strategy_set_of(message.domain, defaults),
        seed=message.seed if given("seed") else fallback_seed,
        # A seed asks for the same steps again, and where an early stop cuts the paths depends on the clock.
        early_stop=message.early_stop if given("early_stop") else not given("seed"),
        deadline_s=message.deadline_s if given("deadline_s") else None,
        max_tokens=message.max_tokens if given("max_tokens") else None,
        reserve=message.reserve if given("reserve") else _default_reserve(mode, paths, defaults),
        draft_paths=draft_paths,
        estimate=message.estimate or Estimate.POSTERIOR,
        selection=message.selection or defaults.selection,
        repeat_rule=message.repeat_rule or defaults.repeat_rule,
        **alike,
    )


def _reported(wire: EnumWire, kind: type[Member], number: int, default: Member) -> Member:
    return wire.read(kind, number) if number else default


def _default_reserve(mode: Mode, paths: int, defaults: Options) -> int:
    """A default must suit what the request asks for: at least one path is no reserve, and other modes have none."""
    return max(0, min(defaults.reserve, paths - 1)) if mode is Mode.SSR else 0
