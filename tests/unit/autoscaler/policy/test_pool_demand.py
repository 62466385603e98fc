from __future__ import annotations

from dataclasses import replace

import pytest

from ssr.autoscaler.policy.demand import Demand, pool_demand, service_demand
from ssr.autoscaler.policy.forecast import Forecast, PathWork
from ssr.autoscaler.policy.settings import ScalingLimits
from ssr.autoscaler.policy.signals import Engines, PoolSignals, Service
from ssr.engines.load import Load, Pool

WORK = PathWork(drafted_steps=10, drafted_tokens=600, rewrite_tokens=59, rewrite_rate=0.5, selection_tokens=0)
LIMITS = {
    pool: ScalingLimits(slots=10, slot_tokens_per_s=speed, drain_s=60, startup_s=50)
    for pool, speed in ((Pool.DRAFT, 60.0), (Pool.TARGET, 30.5))
}
#: Seconds of one path: 600 / 60 in the draft pool, 10 x (1 + 0.5 x 59) / 30.5 in the target pool.
SECONDS = 10.0
IDLE = Forecast(at=0, work=WORK)


def signals(
    draft: Load = Load(),  # noqa: B008 - frozen
    target: Load = Load(),  # noqa: B008
    engines: Engines = Engines(1),  # noqa: B008
) -> dict[Pool, PoolSignals]:
    return {
        Pool.DRAFT: PoolSignals(Pool.DRAFT, {Service.DRAFTER: draft}, engines),
        Pool.TARGET: PoolSignals(Pool.TARGET, {Service.VERIFIER: target, Service.SELECTOR: Load()}, engines),
    }


def demands(seen: dict[Pool, PoolSignals], forecast: Forecast | None) -> tuple[Demand, Demand]:
    return (
        pool_demand(Pool.DRAFT, seen, forecast, LIMITS),
        pool_demand(Pool.TARGET, seen, forecast, LIMITS),
    )


def test_no_work_is_no_demand_and_known() -> None:
    for demand in demands(signals(), IDLE):
        assert demand.slots == 0
        assert demand.known


def test_while_nothing_waits_demand_is_what_runs() -> None:
    draft, target = demands(signals(Load(requests_running=7)), replace(IDLE, paths_per_s=99.0))
    assert (draft.slots, target.slots) == (7.0, 0.0)


def test_when_work_waits_littles_law_reports_the_need() -> None:
    full = Load(requests_running=10, requests_waiting=1)
    draft, _ = demands(signals(full), replace(IDLE, paths_per_s=4.0))
    assert draft.steady == pytest.approx(4.0 * SECONDS)
    grown = (40.0 - 10) * 50  # slot-seconds, until a replica that is asked for now serves
    assert draft.slots == pytest.approx(40.0 + (SECONDS + grown) / 60)


def test_what_engines_work_off_before_others_would_serve_is_not_asked_for() -> None:
    full = Load(requests_running=10, requests_waiting=30)
    assert demands(signals(full), IDLE)[0].waiting == 0, "30 paths of 10 s, and 10 slots for 50 s"
    assert demands(signals(full, engines=Engines(2)), replace(IDLE, paths_per_s=1.5))[0].waiting == pytest.approx(
        50 / 60
    )


def test_what_is_starting_is_not_asked_for_again() -> None:
    """It counts for half of the time: when it was asked for is not known."""
    full, forecast = Load(requests_running=10, requests_waiting=30), replace(IDLE, paths_per_s=4.0)
    before, then = (demands(signals(full, engines=engines), forecast)[0] for engines in (Engines(1), Engines(1, 4)))
    assert before.waiting - then.waiting == pytest.approx(4 * 10 * 50 / 2 / 60)
    assert (before.steady, before.draining) == (then.steady, then.draining)


def test_the_target_grows_in_the_same_decision_for_what_waits_for_drafts() -> None:
    burst = signals(Load(requests_running=10, requests_waiting=60), Load(requests_running=2))
    draft, target = demands(burst, replace(IDLE, paths_per_s=4.0))
    assert target.steady == draft.steady == pytest.approx(4.0 * SECONDS)
    # 60 paths and 4 a second, 1 a second drafted for 50 s: these are stuck until then, and the others are through.
    stuck, through = 60 + (4 - 1) * 50, 1 * 50
    assert draft.waiting == pytest.approx(stuck * SECONDS / 60)
    assert target.waiting == pytest.approx((through * SECONDS - 10 * 50 + stuck * SECONDS) / 60)
    assert target.draining == 0


def test_the_target_grows_no_further_than_drafts_can_come() -> None:
    """With as many draft engines as there may be; those that nobody counts go on as they do."""
    few = {**LIMITS, Pool.DRAFT: LIMITS[Pool.DRAFT].model_copy(update={"max_replicas": 2})}
    full, forecast = Load(requests_running=10, requests_waiting=900), replace(IDLE, paths_per_s=4.0)
    target = pool_demand(Pool.TARGET, signals(full), forecast, few)
    assert (target.steady, target.waiting) == pytest.approx((2 * 10, 0.0))
    seen = signals(full)
    seen[Pool.DRAFT] = replace(seen[Pool.DRAFT], engines=Engines())
    target = pool_demand(Pool.TARGET, seen, forecast, LIMITS)
    assert (target.steady, target.waiting) == pytest.approx((10, 0.0))


def test_what_runs_beyond_the_need_works_off_a_backlog() -> None:
    full = Load(requests_running=10, requests_waiting=60)
    draft, _ = demands(signals(full), replace(IDLE, paths_per_s=0.4))
    assert (draft.steady, draft.draining, draft.waiting) == pytest.approx((4.0, 6.0, (600 - 6 * 50) / 60))


def test_a_backlog_of_the_other_pool_adds_nothing() -> None:
    seen = signals(Load(requests_running=10), Load(requests_running=10, requests_waiting=80))
    assert demands(seen, replace(IDLE, paths_per_s=9.0))[0] == Demand(steady=10.0)
    assert demands(seen, replace(IDLE, paths_per_s=0.4))[0].slots == 10.0


def test_pools_without_engines_wake_together() -> None:
    """What waits for drafts is verified next: the target's engines start beside the draft's."""
    waiting = Load(requests_waiting=120)
    draft, target = demands(signals(waiting, engines=Engines()), IDLE)
    assert draft.slots == target.slots == pytest.approx(120 * SECONDS / 60)
    draft, target = demands(signals(waiting, engines=Engines(0, 1)), IDLE)
    for demand in (draft, target):
        assert demand.slots == pytest.approx((120 * SECONDS - 10 * 50 / 2) / 60), "one has been asked for"
    behind = signals(Load(), waiting, Engines())
    assert demands(behind, IDLE)[0].slots == pytest.approx(120 * SECONDS / 60), "they come back for drafts"
    behind[Pool.DRAFT] = replace(behind[Pool.DRAFT], engines=Engines(0, 1))
    assert demands(behind, IDLE)[0].slots == 0, "one has been asked for"
    alone = replace(IDLE, work=replace(WORK, drafted_tokens=0.0, drafted_steps=0.0, written_tokens=600.0))
    assert demands(signals(Load(), waiting, Engines()), alone)[0].slots == 0, "nobody drafts"


def test_what_waits_is_to_be_done_within_the_horizon() -> None:
    draft, target = demands(signals(Load(requests_running=10, requests_waiting=120)), IDLE)
    assert draft.waiting == pytest.approx((120 * SECONDS - 10 * 50) / 60)
    assert target.waiting == pytest.approx(draft.waiting), "it comes there next"


@pytest.mark.parametrize(
    ("drain_s", "startup_s", "horizon_s"),
    [(60.0, 30.0, 60.0), (30.0, 90.0, 90.0), (1.0, 1.0, 2 * SECONDS)],
    ids=["drain", "start-up", "a path's time"],
)
def test_the_horizon_is_the_longest_of_drain_startup_and_path(
    drain_s: float, startup_s: float, horizon_s: float
) -> None:
    limits = {
        pool: each.model_copy(update={"drain_s": drain_s, "startup_s": startup_s}) for pool, each in LIMITS.items()
    }
    asleep, queue = signals(engines=Engines()), replace(IDLE, queued_jobs=9, queued_paths=45)
    demand = pool_demand(Pool.DRAFT, asleep, queue, limits)
    assert demand.queued == pytest.approx(45 * SECONDS / horizon_s)


def test_queued_jobs_ask_both_pools_by_the_time_spent_there() -> None:
    slow = {**LIMITS, Pool.TARGET: LIMITS[Pool.TARGET].model_copy(update={"slot_tokens_per_s": 30.5 / 3})}
    queue = replace(IDLE, queued_jobs=12, queued_paths=60)
    asleep = signals(engines=Engines())
    assert pool_demand(Pool.DRAFT, asleep, queue, slow).slots == pytest.approx(10.0)
    assert pool_demand(Pool.TARGET, asleep, queue, slow).slots == pytest.approx(30.0)


def test_more_rewrites_ask_the_target_pool_only() -> None:
    queue = replace(IDLE, queued_jobs=12, queued_paths=60)
    half, all_of_them = (Load(verified_per_s=10, rewritten_per_s=rewritten) for rewritten in (5, 10))
    draft, target = demands(signals(target=half, engines=Engines()), queue)
    draft_then, target_then = demands(signals(target=all_of_them, engines=Engines()), queue)
    assert draft_then == draft
    assert target_then.slots == pytest.approx(target.slots * 60 / 30.5)


def test_a_burst_of_rewrites_in_flight_is_the_targets_alone() -> None:
    draft, target = demands(signals(Load(requests_running=2), Load(requests_running=10, requests_waiting=80)), IDLE)
    assert draft.slots == 2.0
    assert target.slots > 10


def test_long_contexts_take_more_slots_than_calls() -> None:
    limits = {pool: each.model_copy(update={"cache_tokens": 20_000}) for pool, each in LIMITS.items()}
    seen = signals(Load(requests_running=4, tokens_running=16_000))
    assert pool_demand(Pool.DRAFT, seen, IDLE, limits).steady == 8.0
    seen = signals(Load(requests_running=4, tokens_running=160))
    assert pool_demand(Pool.DRAFT, seen, IDLE, limits).steady == 4.0


@pytest.mark.parametrize(("tokens_per_s", "seconds"), [(300.0, 20.0), (0.0, 10.0), (1.0, 40.0), (1e6, 2.5)], ids=str)
def test_the_speed_is_as_measured_within_reason(tokens_per_s: float, seconds: float) -> None:
    seen = signals(Load(requests_running=3, tokens_per_s=tokens_per_s, busy_slots=10))
    demand = pool_demand(Pool.DRAFT, seen, replace(IDLE, queued_paths=6, paths_per_s=1.0), LIMITS)
    assert demand.steady == pytest.approx(seconds)


def test_who_does_not_report_is_named() -> None:
    seen = signals()
    seen[Pool.TARGET] = PoolSignals(Pool.TARGET, {Service.VERIFIER: Load(requests_running=3)})
    draft, target = demands(seen, None)
    assert draft.unknown == ("orchestrator",)
    assert target.unknown == ("selector", "orchestrator")
    assert target.slots == 3.0


def test_a_service_has_a_demand_of_its_own() -> None:
    seen = signals(target=Load(requests_running=3, requests_waiting=4))[Pool.TARGET]
    assert service_demand(Service.VERIFIER, seen).slots == 7.0
    assert service_demand(Service.SELECTOR, seen).known
    assert service_demand(Service.DRAFTER, seen).unknown == ("drafter",)


def test_it_reports_what_it_is_made_of() -> None:
    assert str(Demand(steady=30, waiting=8.3, queued=3)) == ("demand 41.3 slots (steady 30.0, waiting 8.3, queued 3.0)")
    assert str(Demand()) == "demand 0.0 slots"
