"""Where requests go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from ssr.engines.routing import ALWAYS_ROOM, crowded_at
from ssr.engines.routing import choose as choose_replica


@dataclass(frozen=True, slots=True)
class Load:
    url: str
    running: int


REPLICAS = [f"http://10.0.0.{n}:80" for n in range(1, 6)]
IDLE = [Load(name, 0) for name in REPLICAS]


def choose(loads: Sequence[Load], affinity: str, *, max_in_flight: int) -> str | None:
    """The chosen one's URL."""
    chosen = choose_replica(loads, affinity, max_in_flight=max_in_flight)
    return chosen.url if chosen else None


def _homes(loads: list[Load]) -> dict[str, str | None]:
    return {str(path): choose(loads, str(path), max_in_flight=64) for path in range(400)}


def test_equal_affinities_meet_whatever_the_order() -> None:
    assert _homes(IDLE) == _homes(IDLE[::-1])


def test_affinities_spread_over_all_replicas() -> None:
    counts = Counter(_homes(IDLE).values())
    assert len(counts) == len(REPLICAS)
    assert min(counts.values()) > 40


def test_only_the_affinities_of_a_leaving_replica_move() -> None:
    before, after = _homes(IDLE), _homes(IDLE[1:])
    assert {before[path] for path in before if before[path] != after[path]} == {REPLICAS[0]}


def test_without_affinity_the_least_loaded_is_chosen() -> None:
    loads = [Load("a", 3), Load("b", 1), Load("c", 2)]
    assert choose(loads, "", max_in_flight=64) == "b"


def test_a_crowded_home_is_left_and_found_again() -> None:
    home = choose(IDLE, "path", max_in_flight=64)
    crowded = [Load(name, 30 if name == home else 2) for name in REPLICAS]
    assert choose(crowded, "path", max_in_flight=64) not in (home, None)
    assert choose(IDLE, "path", max_in_flight=64) == home


def test_a_few_running_requests_do_not_move_a_path() -> None:
    home = choose(IDLE, "path", max_in_flight=64)
    busy = [Load(name, ALWAYS_ROOM - 1 if name == home else 0) for name in REPLICAS]
    assert choose(busy, "path", max_in_flight=64) == home


def test_no_replica_has_room() -> None:
    assert choose([Load("a", 2), Load("b", 2)], "path", max_in_flight=2) is None
    assert choose([], "path", max_in_flight=2) is None


@given(st.lists(st.integers(0, 20), min_size=1, max_size=8), st.text(max_size=8), st.integers(1, 20))
def test_a_choice_is_never_full_nor_crowded_when_another_is_neither(
    running: list[int], affinity: str, max_in_flight: int
) -> None:
    loads = [Load(str(n), count) for n, count in enumerate(running)]
    chosen = choose(loads, affinity, max_in_flight=max_in_flight)
    if chosen is None:
        assert min(running) >= max_in_flight
    else:
        assert running[int(chosen)] < max_in_flight
        if min(running) < crowded_at(loads):
            assert running[int(chosen)] < max(crowded_at(loads), min(running) + 1)


def _gathered(loads: Sequence[Load], affinity: str) -> str:
    chosen = choose_replica(loads, affinity, max_in_flight=64, gathered=True)
    assert chosen is not None
    return chosen.url


def test_gathered_paths_of_a_job_meet_and_jobs_spread() -> None:
    homes = {job: {_gathered(IDLE, f"job-{job}/{path}") for path in range(5)} for job in range(100)}
    assert all(len(met) == 1 for met in homes.values())
    assert len({home for met in homes.values() for home in met}) == len(REPLICAS)
    # What is asked for a whole job, its selection, goes there too.
    assert {job: {_gathered(IDLE, f"job-{job}")} for job in range(100)} == homes


def test_gathered_paths_leave_a_crowded_replica_for_those_of_their_own_and_come_back() -> None:
    home = _gathered(IDLE, "job/0")
    hot = [Load(name, 30 if name == home else 2) for name in REPLICAS]
    spilled = {path: _gathered(hot, f"job/{path}") for path in range(40)}
    assert home not in spilled.values()
    assert len(set(spilled.values())) == len(REPLICAS) - 1, "all go to the same one, which is hot next"
    assert all(_gathered(hot, f"job/{path}") == where for path, where in spilled.items())
    assert _gathered(IDLE, "job/0") == home
