from __future__ import annotations

from dataclasses import dataclass

from ssr.engines.waiting import WaitingCalls


@dataclass(eq=False)
class Call:
    name: str
    priority: int = 0


def order(waiting: WaitingCalls[Call]) -> str:
    names = ""
    while turns := waiting.turns():
        waiting.took(turns[0])
        names += turns[0].name
    return names


def waiting(*calls: Call) -> WaitingCalls[Call]:
    line: WaitingCalls[Call] = WaitingCalls()
    for call in calls:
        line.add(call)
    return line


def test_batch_goes_behind_the_rest_and_is_not_starved() -> None:
    line = waiting(*(Call("b", -1) for _ in range(3)), *(Call("i") for _ in range(10)))
    assert len(line) == 13
    assert order(line) == "iiiibiiiibiib"
    assert (order(line), len(line)) == ("", 0)


def test_without_batch_the_first_come_is_the_first_served() -> None:
    assert order(waiting(*(Call(name) for name in "abcdefgh"))) == "abcdefgh"
    assert order(waiting(*(Call(name, -1) for name in "abcdefgh"))) == "abcdefgh"


def test_turns_count_only_while_batch_waits() -> None:
    line = waiting(*(Call("i") for _ in range(9)))
    assert order(line) == "iiiiiiiii"
    line.add(Call("b", -1))
    for _ in range(5):
        line.add(Call("i"))
    assert order(line) == "iiiibi"


def test_who_has_to_wait_for_a_turn() -> None:
    line = waiting(Call("b", -1))
    assert not line.before(0)
    assert line.before(-1)
    call = Call("i")
    line.add(call)
    assert line.before(0)
    line.remove(call)
    assert not line.before(0)
