from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ssr.core.prompts import ChatMessage
from ssr.engine_server.simulated.template import parse, render
from ssr.engine_server.simulated.tokenizer import TokenisedText, piece_id, pieces


@given(st.text(alphabet=st.characters()))
def test_pieces_concatenate_to_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@given(st.text(alphabet=st.characters()))
def test_ids_are_non_negative_31_bit_numbers(text: str) -> None:
    assert all(0 <= piece_id(piece) < 2**31 for piece in pieces(text))


def test_ids_do_not_depend_on_the_process() -> None:
    assert [piece_id(piece) for piece in ("<|end|>", "\n\n", " the")] == [0, 1541608315, 1114817766]


def test_a_blank_line_is_one_token_of_its_own() -> None:
    assert pieces("It is 1234.\n\nSo") == ("It", " is", " 123", "4", ".", "\n\n", "So")


def test_markers_are_single_tokens() -> None:
    assert pieces("<|user|>hi<|end|><|assistant|>") == ("<|user|>", "hi", "<|end|>", "<|assistant|>")


def test_the_template_leads_to_the_assistants_turn() -> None:
    messages = (ChatMessage("system", "Be kind."), ChatMessage("user", "Hi"))
    assert render(messages) == "<|system|>Be kind.<|end|><|user|>Hi<|end|><|assistant|>"
    assert render(messages, add_generation_prompt=False).endswith("Hi<|end|>")


def test_a_last_message_of_the_assistant_is_continued() -> None:
    text = render((ChatMessage("user", "Hi"), ChatMessage("assistant", "Hel")))
    assert text == "<|user|>Hi<|end|><|assistant|>Hel"
    dialogue = parse(text)
    assert (dialogue.user, dialogue.written, dialogue.midway) == ("Hi", "Hel", True)


def test_a_new_question_puts_earlier_answers_aside() -> None:
    turns = (ChatMessage("user", "1+1"), ChatMessage("assistant", "2"), ChatMessage("user", "2+2"))
    dialogue = parse(render(turns))
    assert (dialogue.user, dialogue.written, dialogue.midway) == ("2+2", "", False)


def test_a_tokenised_text_spans_the_text() -> None:
    text = "<|user|>12345 apples, 2 × 3\n\nand on"
    tokens = TokenisedText(text)
    assert [text[token.start : token.stop] for token in tokens] == [token.text for token in tokens] == [*pieces(text)]
    assert [token.id for token in tokens] == [piece_id(piece) for piece in pieces(text)]
    assert (len(tokens), tokens[-1], tokens[1:3]) == (len(pieces(text)), list(tokens)[-1], list(tokens)[1:3])
