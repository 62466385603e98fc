"""When a failed replica is tried again."""

from __future__ import annotations

import pytest

from ssr.engines.circuit import Circuit


def _fail(circuit: Circuit) -> float:
    """Fails a probe as soon as it is allowed; how long the replica is left alone then."""
    at = circuit.reopens_at
    circuit.started()
    circuit.failed(at)
    return circuit.reopens_at - at


def test_each_failure_in_a_row_closes_for_longer_up_to_a_limit() -> None:
    circuit = Circuit(first_delay_s=1.0, max_delay_s=5.0)
    assert [_fail(circuit) for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_calls_that_fail_together_are_one_failure() -> None:
    circuit = Circuit(first_delay_s=1.0)
    for _ in range(10):
        circuit.failed(0.5)
    assert circuit.reopens_at == 1.5


def test_one_probe_at_a_time() -> None:
    circuit = Circuit(first_delay_s=1.0)
    circuit.failed(0.0)
    assert not circuit.allows(0.9)
    assert circuit.allows(1.0)
    circuit.started()
    assert not circuit.allows(1.0)
    circuit.succeeded()
    assert circuit.allows(1.0)


def test_an_abandoned_probe_lets_the_next_one_go() -> None:
    circuit = Circuit(first_delay_s=1.0)
    circuit.failed(0.0)
    circuit.started()
    circuit.abandoned()
    assert circuit.allows(1.0)


def test_success_forgets_the_failures() -> None:
    circuit = Circuit(first_delay_s=1.0)
    _fail(circuit)
    _fail(circuit)
    circuit.succeeded()
    assert _fail(circuit) == 1.0


def test_an_overloaded_replica_is_left_alone_as_long_as_it_asks_but_has_not_failed() -> None:
    circuit = Circuit(max_delay_s=30.0)
    circuit.overloaded(0.0, 7.0)
    assert not circuit.allows(6.9)
    assert circuit.allows(7.0)
    circuit.started()
    assert circuit.allows(7.0)
    circuit.overloaded(7.0, 9999.0)
    assert circuit.reopens_at == pytest.approx(37.0)
