"""What is appended in this process comes to its followers in order and once; they look where that does not suffice."""

from __future__ import annotations

from contextlib import suppress

from ssr.orchestrator.queue.followers import Followers, Following
from ssr.orchestrator.queue.wakeups import EVENT, Wakeups
from ssr.v1.reasoning_pb2 import Event

PAYLOAD = Event().SerializeToString()


def append(followers: Followers, before: str, cursor: str, job: str = "a") -> None:
    with followers.appending(job) as hand_over:
        hand_over(before, cursor, PAYLOAD)


def caught_up(following: Following) -> None:
    following.look = False
    following.news.clear()


def cursors(following: Following, cursor: str) -> list[str]:
    return [event.cursor for event in following.behind(cursor)]


def test_an_event_comes_without_a_look_and_its_own_notice_wakes_nobody() -> None:
    wakeups = Wakeups()
    followers = Followers(wakeups)
    with followers.following("a") as one, followers.following("a") as other, followers.following("b") as not_its:
        for following in (one, other, not_its):
            caught_up(following)
        append(followers, "", "1-0")
        append(followers, "1-0", "1-1")
        for following in (one, other):
            assert following.news.is_set()
            assert cursors(following, "") == ["1-0", "1-1"]
            assert cursors(following, "1-1") == []
        wakeups.heard(b"event a")
        wakeups.heard(b"event a")
        assert not any(following.look for following in (one, other, not_its))
        assert not not_its.news.is_set()
        wakeups.heard(b"event a")  # somebody else's
        assert one.look
        assert other.look


def test_a_foreign_notice_among_ones_own_is_not_lost() -> None:
    """It may come first: then one of our own wakes in its place."""
    wakeups = Wakeups()
    followers = Followers(wakeups)
    with followers.following("a") as following:
        caught_up(following)
        append(followers, "1-0", "3-0")
        for _ in range(2):
            wakeups.heard(b"event a")
        assert following.look


def test_a_gap_is_a_reason_to_look() -> None:
    followers = Followers(Wakeups())
    with followers.following("a") as following:
        caught_up(following)
        append(followers, "5-0", "7-0")  # 6-0 was appended elsewhere, before 5-0 was read here
        append(followers, "7-0", "8-0")
        assert cursors(following, "4-0") == []
        assert following.look


def test_what_was_read_meanwhile_is_passed_over() -> None:
    followers = Followers(Wakeups())
    with followers.following("a") as following:
        caught_up(following)
        append(followers, "1-0", "9-9")
        append(followers, "9-9", "9-10")
        append(followers, "9-10", "10-0")
        assert cursors(following, "9-10") == ["10-0"]
        assert not following.look


def test_what_is_handed_over_out_of_order_is_looked_for() -> None:
    followers = Followers(Wakeups())
    with followers.following("a") as following:
        caught_up(following)
        append(followers, "2-0", "3-0")
        append(followers, "1-0", "2-0")
        assert cursors(following, "1-0") == []
        assert following.look


def test_an_append_that_failed_may_have_been_done() -> None:
    wakeups = Wakeups()
    followers = Followers(wakeups)
    with followers.following("a") as following:
        caught_up(following)
        with suppress(OSError), followers.appending("a"):
            raise OSError("the reply is lost")
        assert following.look
        caught_up(following)
        wakeups.heard(b"event a")  # it was done; nothing is expected any more
        assert following.look


def test_a_follower_that_is_far_behind_reads_the_rest() -> None:
    followers = Followers(Wakeups())
    with followers.following("a") as following:
        caught_up(following)
        for number in range(1, 200):
            append(followers, f"{number - 1}-0", f"{number}-0")
        found = cursors(following, "0-0")
        assert 0 < len(found) < 199
        assert following.look


def test_wakeups_that_were_lost_are_expected_no_more() -> None:
    wakeups = Wakeups()
    followers = Followers(wakeups)
    with followers.following("a") as following:
        append(followers, "", "1-0")
        wakeups.notify_all()  # the subscription began anew
        caught_up(following)
        wakeups.heard(b"event a")
        assert following.look


def test_who_has_left_gets_nothing() -> None:
    wakeups = Wakeups()
    followers = Followers(wakeups)
    with followers.following("a") as gone:
        caught_up(gone)
    append(followers, "", "1-0")
    wakeups.notify(EVENT, "a")
    assert not gone.news.is_set()
    assert cursors(gone, "") == []
