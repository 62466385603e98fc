"""Who is woken by which wake-up."""

from __future__ import annotations

from ssr.orchestrator.queue.wakeups import CANCEL, EVENT, Wakeups


def test_a_notice_wakes_those_who_wait_for_it_and_nobody_else() -> None:
    wakeups = Wakeups()
    with wakeups.of(EVENT, "a") as first, wakeups.of(EVENT, "a") as second, wakeups.of(CANCEL, "a") as other:
        wakeups.heard(b"event a")
        wakeups.heard(b"event b")
        assert (first.is_set(), second.is_set(), other.is_set()) == (True, True, False)
        first.clear()
        wakeups.notify(CANCEL, "a")
        assert (first.is_set(), other.is_set()) == (False, True)


def test_everybody_looks_after_wakeups_may_have_been_lost() -> None:
    wakeups = Wakeups()
    with wakeups.of(EVENT, "a") as first, wakeups.of(CANCEL, "b") as second:
        wakeups.notify_all()
        assert first.is_set()
        assert second.is_set()


def test_who_stops_waiting_is_woken_no_more() -> None:
    wakeups = Wakeups()
    with wakeups.of(EVENT, "a") as gone:
        pass
    wakeups.heard(b"event a")
    wakeups.notify_all()
    assert not gone.is_set()
