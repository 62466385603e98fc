from __future__ import annotations

from pathlib import Path

import pytest

from ssr.cli.stack.parts import Part, Ports, in_ending_order, split_cores, ssr_parts, valkey_part
from ssr.cli.stack.presets import SETUPS, Preset
from ssr.core.acceptance import ScorerName
from ssr.core.types import Options
from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.settings import EngineKind, EngineServerSettings
from ssr.gateway.settings import GatewaySettings
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.runtime.settings import ServiceSettings
from ssr.selector.settings import SelectorSettings
from ssr.verifier.settings import VerifierSettings

PORTS = Ports(redis=1, draft_engine=2, target_engine=3, selector=4, drafter=5, verifier=6, orchestrator=7, gateway=8)
FILES = {name: Path(f"/models/{name}.gguf") for setup in SETUPS.values() for name in setup.models}
SETTINGS: dict[str, type[ServiceSettings]] = {
    "draft-engine": EngineServerSettings,
    "target-engine": EngineServerSettings,
    "selector": SelectorSettings,
    "drafter": DrafterSettings,
    "verifier": VerifierSettings,
    "orchestrator": OrchestratorSettings,
    "gateway": GatewaySettings,
}


def parts_of(preset: Preset) -> dict[str, Part]:
    return {part.name: part for part in ssr_parts(SETUPS[preset], PORTS, FILES, "redis://127.0.0.1:1/0", cores=8)}


def reported(part: Part, monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """The settings that the part's process reads."""
    with monkeypatch.context() as patch:
        for name, value in part.environment.items():
            patch.setenv(name, value)
        return SETTINGS[part.name].from_environment(part.environment)


@pytest.mark.parametrize("preset", Preset)
def test_every_part_is_reported_settings_it_knows(preset: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of(preset)
    assert set(parts) == set(SETTINGS)
    for part in parts.values():
        settings = reported(part, monkeypatch)
        assert (settings.host, settings.port) == ("127.0.0.1", part.port)
        assert part.environment["SSR_TETHER"] == "1"


def test_the_services_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of(Preset.LOCAL)
    settings = {name: reported(part, monkeypatch) for name, part in parts.items()}
    urls = {name: settings[name].engine.urls for name in ("selector", "drafter", "verifier")}  # type: ignore[attr-defined]
    target, draft = (f"http://{parts[name].address}" for name in ("target-engine", "draft-engine"))
    assert urls == {"selector": (target,), "drafter": (draft,), "verifier": (target,)}
    orchestrator = settings["orchestrator"]
    assert isinstance(orchestrator, OrchestratorSettings)
    assert orchestrator.redis_url == "redis://127.0.0.1:1/0"
    services = {"selector": orchestrator.selector, "drafter": orchestrator.drafter, "verifier": orchestrator.verifier}
    assert services == {name: parts[name].address for name in services}


def test_a_step_may_take_longer_than_its_engine_call(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of(Preset.LOCAL)
    verifier, orchestrator = reported(parts["verifier"], monkeypatch), reported(parts["orchestrator"], monkeypatch)
    assert isinstance(verifier, VerifierSettings)
    assert isinstance(orchestrator, OrchestratorSettings)
    assert verifier.engine.timeout_s < orchestrator.step_timeout_s


@pytest.mark.parametrize(("cores", "split"), [(1, (1, 1)), (2, (1, 2)), (3, (1, 2)), (8, (2, 6)), (16, (5, 11))])
def test_engines_share_the_cores(cores: int, split: tuple[int, int]) -> None:
    assert split_cores(cores) == split


@pytest.mark.parametrize(
    ("preset", "models", "scorer"),
    [
        (Preset.LOCAL, ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"), ScorerName.ARITHMETIC_JUDGE),
        (Preset.SMOKE, ("smollm2-135m", "smollm2-135m"), ScorerName.ARITHMETIC_JUDGE),
    ],
)
def test_embedded_presets(
    preset: Preset, models: tuple[str, str], scorer: ScorerName, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = parts_of(preset)
    engines = [reported(parts[name], monkeypatch) for name in ("draft-engine", "target-engine")]
    for settings, model in zip(engines, models, strict=True):
        assert isinstance(settings, EngineServerSettings)
        assert settings.kind is EngineKind.EMBEDDED
        assert settings.embedded.model_path == FILES[model]
        assert settings.embedded.model_id == model
    assert [e.embedded.threads for e in engines if isinstance(e, EngineServerSettings)] == [2, 6]
    orchestrator = reported(parts["orchestrator"], monkeypatch)
    assert isinstance(orchestrator, OrchestratorSettings)
    assert orchestrator.defaults.strategy_set == "school"
    assert orchestrator.defaults.max_path_tokens < Options().max_path_tokens
    verifier = reported(parts["verifier"], monkeypatch)
    assert isinstance(verifier, VerifierSettings)
    assert verifier.scorer == scorer
    assert SETUPS[preset].models == tuple(dict.fromkeys(models))


def test_the_simulated_preset_has_a_weak_and_a_strong_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of(Preset.SIMULATED)
    draft, target = (reported(parts[name], monkeypatch) for name in ("draft-engine", "target-engine"))
    assert isinstance(draft, EngineServerSettings)
    assert isinstance(target, EngineServerSettings)
    assert draft.simulated.quality.error_rate > target.simulated.quality.error_rate
    assert SETUPS[Preset.SIMULATED].models == ()


def test_nobody_ends_before_those_who_need_it() -> None:
    valkey = valkey_part(PORTS.redis, Path("/bin/valkey-server"), Path("/tmp/x"))
    ended = in_ending_order([valkey, *parts_of(Preset.SIMULATED).values()])
    assert [{part.name for part in group} for group in ended] == [
        {"gateway"},
        {"orchestrator"},
        {"selector", "drafter", "verifier"},
        {"draft-engine", "target-engine"},
        {"redis"},
    ]


def test_valkey_is_tethered_and_keeps_what_a_restart_needs() -> None:
    command = valkey_part(PORTS.redis, Path("/bin/valkey-server"), Path("/tmp/x")).command
    assert "ssr.runtime.process.tether" in command
    program = command[command.index("--") + 1 :]
    options = dict(zip(program[1::2], program[2::2], strict=True))
    assert program[0] == "/bin/valkey-server"
    assert options == {"--port": "1", "--bind": "127.0.0.1", "--dir": "/tmp/x", "--save": "", "--appendonly": "yes"}
