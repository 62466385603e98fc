"""Who is woken by which notice."""

from __future__ import annotations

from ssr.orchestrator.notices import CANCEL, EVENT, Notices


def test_a_notice_wakes_those_who_wait_for_it_and_nobody_else() -> None:
    notices = Notices()
    with notices.of(EVENT, "a") as first, notices.of(EVENT, "a") as second, notices.of(CANCEL, "a") as other:
        notices.heard(b"event a")
        notices.heard(b"event b")
        assert (first.is_set(), second.is_set(), other.is_set()) == (True, True, False)
        first.clear()
        notices.notify(CANCEL, "a")
        assert (first.is_set(), other.is_set()) == (False, True)


def test_everybody_looks_after_notices_may_have_been_lost() -> None:
    notices = Notices()
    with notices.of(EVENT, "a") as first, notices.of(CANCEL, "b") as second:
        notices.notify_all()
        assert first.is_set()
        assert second.is_set()


def test_who_stops_waiting_is_woken_no_more() -> None:
    notices = Notices()
    with notices.of(EVENT, "a") as gone:
        pass
    notices.heard(b"event a")
    notices.notify_all()
    assert not gone.is_set()
