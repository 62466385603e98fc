from __future__ import annotations

from typing import Any

import pytest

from ssr.core.errors import InvalidRequest
from ssr.core.presets import preset_options
from ssr.core.types import (
    Mode,
    Options,
    StopRule,
    chosen,
)
from ssr.runtime.rpc.options_wire import asked_options, options_from_wire, options_to_wire
from ssr.v1 import reasoning_pb2


def test_options_survive_the_wire() -> None:
    options = Options(
        mode=Mode.SSD, paths=1, threshold=0.0, seed=0, early_stop=False, scorer="judge", deadline_s=1.5, max_tokens=9
    )
    assert options_from_wire(options_to_wire(options), fallback_seed=9) == options


def test_newer_options_survive_the_wire() -> None:
    options = Options(paths=3, reserve=2, early_stop=False, max_thinking_tokens=0)
    assert options_from_wire(options_to_wire(options), fallback_seed=9) == options


def test_the_options_of_a_preset_survive_the_wire() -> None:
    options = Options(**preset_options("paper"), preset="paper")
    assert options_from_wire(options_to_wire(options), fallback_seed=0) == options


def test_the_options_of_evidence_and_domains_survive_the_wire() -> None:
    options = Options(
        mode=Mode.CASCADE,
        paths=6,
        stop_rule=StopRule.EVIDENCE,
        early_stop=False,
        draft_paths=3,
        repair_paths=2,
        estimate="beta",
        confidence=0.5,
        min_gain=0.0,
        batch=3,
        vote="best-last",
        domain="code",
        tests="assert True",
        strategy_set="code",
    )
    assert options_from_wire(options_to_wire(options), fallback_seed=9) == options


def test_a_cascade_that_says_little_gets_its_shape_and_rule() -> None:
    options = options_from_wire(reasoning_pb2.Options(mode=reasoning_pb2.MODE_CASCADE), 0)
    assert (options.paths, options.draft_paths, options.stop_rule) == (7, 3, StopRule.EVIDENCE)
    assert options_from_wire(reasoning_pb2.Options(domain="choice"), 0).strategy_set == "choice"


@pytest.mark.parametrize(
    ("given", "reserve"),
    [
        ({}, 2),
        ({"reserve": 0}, 0),
        ({"paths": 2}, 1),
        ({"paths": 1}, 0),
        ({"paths": 2, "reserve": 5}, 5),
        ({"mode": reasoning_pb2.MODE_PARALLEL}, 0),
        ({"mode": reasoning_pb2.MODE_BASELINE}, 0),
    ],
)
def test_a_default_reserve_suits_what_is_asked_for(given: dict[str, Any], reserve: int) -> None:
    found = options_from_wire(reasoning_pb2.Options(**given), 0, Options(paths=4, reserve=2))
    assert found.reserve == reserve


def test_absent_options_get_their_defaults() -> None:
    assert options_from_wire(reasoning_pb2.Options(), fallback_seed=9) == Options(seed=9)
    baseline = options_from_wire(reasoning_pb2.Options(mode=reasoning_pb2.MODE_BASELINE), 0)
    assert baseline.paths == 1


def test_a_seed_turns_the_early_stop_off() -> None:
    assert not options_from_wire(reasoning_pb2.Options(seed=0), 9).early_stop
    assert options_from_wire(reasoning_pb2.Options(seed=0, early_stop=True), 9).early_stop


def test_an_unknown_mode_is_named() -> None:
    message = reasoning_pb2.Options.FromString(b"\x08\x63")  # mode = 99, as a newer client might send
    with pytest.raises(InvalidRequest, match=r"mode: 99 is unknown; known are baseline"):
        asked_options(message, 0)


def test_what_is_unknown_cannot_be_asked_for() -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked_options(reasoning_pb2.Options(mode=99, stop_rule=98), 0)  # type: ignore[arg-type]
    assert [violation.field for violation in caught.value.violations] == ["mode", "stop_rule"]
    assert "unknown; known are baseline" in str(caught.value)
    assert not str(caught.value).endswith("unknown")
    with pytest.raises(ValueError):
        chosen(Mode, "unknown")
