"""The words around the calculations. No text here holds a blank line, and none states a calculation of its own."""

from __future__ import annotations

from ssr.engine_server.simulated.dice import Dice

_CALCULATION = (
    "We compute {equation}.",
    "Next, {equation}.",
    "Now {equation}, which we keep.",
    "That gives us {equation}.",
    "Carrying on, {equation}.",
    "From what we know, {equation}.",
    "This step is {equation}.",
    "So {equation} at this point.",
)
_OPENING = (
    "Let us take the numbers in order: {equation}.",
    "To begin, {equation}.",
    "First, {equation}.",
    "Start with what is given: {equation}.",
)
_MANNER = (
    "Writing it out,",
    "Following the approach,",
    "Looking at the quantities,",
    "Keeping track of the total,",
    "In the same manner,",
    "With the numbers at hand,",
)
_ANSWER = (
    "The answer is \\boxed{{{answer}}}.",
    "So the answer is \\boxed{{{answer}}}.",
    "That leaves us with \\boxed{{{answer}}}.",
    "Therefore the result is \\boxed{{{answer}}}.",
)
_UNANSWERED = (
    "That settles the question.",
    "And this is what was asked for.",
    "The rest follows at once.",
)
_RAMBLE = (
    "Wait, let me think about this again.",
    "Perhaps there is another way to look at it.",
    "Hmm, the wording of the problem matters here.",
    "We should be careful with the order of things.",
    "Alternatively, we could set up a table.",
    "But that would not change anything, would it?",
    "Let me reread the problem once more.",
    "In general such a quantity behaves as one expects.",
    "It is not obvious how this helps us.",
    "Still, it is worth keeping in mind.",
)
_RAMBLE_SENTENCES = (12, 40)


def calculation(equation: str, hint: str, *, opening: bool, dice: Dice) -> str:
    """A step that states `equation`; the strategy colours some of them."""
    if opening:
        return dice.pick("words", _OPENING).format(equation=equation)
    if hint and dice.chance("coloured", 0.3):
        return f"{Dice('manner', hint).pick('words', _MANNER)} {equation}."
    return dice.pick("words", _CALCULATION).format(equation=equation)


def numbered_calculation(equation: str, number: int) -> str:
    """A step that differs from all others of its path by its number."""
    return f"As calculation number {number}: {equation}."


def answer(value: str, dice: Dice) -> str:
    return dice.pick("words", _ANSWER).format(answer=value)


def supposed(value: str) -> str:
    """The end of the thinking; the box is not the answer yet."""
    return f"Hmm, that would make \\boxed{{{value}}}. I can answer now."


def unanswered(dice: Dice) -> str:
    """A last step without an answer."""
    return dice.pick("words", _UNANSWERED)


def ramble(dice: Dice) -> str:
    """A long step that says nothing."""
    shortest, longest = _RAMBLE_SENTENCES
    sentences = shortest + dice.below("sentences", longest - shortest + 1)
    return " ".join(ramble_sentence(dice, i) for i in range(sentences))


def ramble_sentence(dice: Dice, index: int) -> str:
    return dice.pick(f"sentence {index}", _RAMBLE)
