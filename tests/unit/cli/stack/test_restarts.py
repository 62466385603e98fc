from __future__ import annotations

from ssr.cli.stack.restarts import RestartLimits, Restarts


def test_pauses_grow_until_it_is_given_up() -> None:
    restarts = Restarts(RestartLimits(deaths=3, window_s=60, first_s=0.5, max_s=4))
    assert [restarts.pause_after_death(now) for now in (0.0, 1.0, 2.0, 3.0)] == [0.5, 1.5, 4.0, None]


def test_deaths_are_forgotten_after_the_window() -> None:
    restarts = Restarts(RestartLimits(deaths=1, window_s=60, first_s=0.5))
    assert restarts.pause_after_death(0.0) == 0.5
    assert restarts.pause_after_death(60.0) == 0.5
    assert restarts.pause_after_death(119.9) is None
