from __future__ import annotations

from ssr.engine_server.embedded.slots import SlotBook


def index_for(book: SlotBook, prompt: str, generated: str = "") -> int:
    with book.take(prompt) as slot:
        slot.text += generated
        return slot.index


def test_a_path_goes_on_where_its_prefix_is() -> None:
    book = SlotBook(3)
    first = index_for(book, "problem A: ", "step 1")
    other = index_for(book, "question B: ", "step 1")
    assert first != other
    assert index_for(book, "problem A: step 1\n\n", "step 2") == first
    assert index_for(book, "question B: step 1\n\n") == other


def test_requests_at_once_get_slots_of_their_own() -> None:
    book = SlotBook(2)
    with book.take("the same prompt") as one, book.take("the same prompt") as two:
        assert one.index != two.index


def test_a_new_text_takes_the_oldest_slot() -> None:
    book = SlotBook(3)
    a, b, c = (index_for(book, text) for text in ("aaaa", "bbbb", "cccc"))
    assert index_for(book, "aaaa more") == a
    assert index_for(book, "dddd") == b
    assert index_for(book, "eeee") == c


def test_a_common_beginning_alone_does_not_drop_a_long_text() -> None:
    book = SlotBook(2)
    long = index_for(book, "system: be brief. ", "a long path of many steps " * 10)
    assert index_for(book, "system: be brief. another problem") != long
