"""Every prompt SSR sends, before the model's chat template.

Two kinds: *solving* (the path so far continues the assistant's turn) and *questions* (one token of a fresh dialogue is
read). All of them grow at their end only, so that a prefix cache serves what one step adds. A model judges another's
work better than what looks like its own, so a step is judged in a fresh dialogue, as a student's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ssr.core.control_tokens import neutralised
from ssr.core.steps import BOUNDARY, join_path
from ssr.core.thinking import CLOSE, OPEN, opens, without_begun_close, without_tags
from ssr.core.types import PathContext, Strategy

PROBLEM_HEAD = "Problem:\n"
APPROACH_HEAD = "Approach: "
WORK_HEAD = "The student's work:\n\n"
APPROACHES_HEAD = "Approaches:\n"

SOLVING_SYSTEM = "You solve mathematics problems in words and formulas, without code."
SOLVING_REQUEST = (
    "Solve it step by step: short steps with their calculation, an empty line after each. Write the final answer as "
    "\\boxed{answer}."
)
#: How a turn that ended without a boxed answer is asked for it.
CLOSING = "The final answer is \\boxed{"
JUDGING_SYSTEM = "You check students' solutions of mathematics problems, one step at a time."
SELECTING_SYSTEM = "You choose how to attack mathematics problems."

QUALITY_QUESTION = (
    "How good is the last step of this work? Judge only whether it is factually and logically right and helps to solve "
    "the problem. Answer with one digit from 0 (wrong or useless) to 9 (certainly right)."
)
#: What the authors ask, in our words: whether the step is of use must not matter.
VALIDITY_QUESTION = (
    "Is the last step of this work right? Judge nothing but its facts and its logic: whether what it states is true, "
    "and whether it follows from the steps before it. How it is written, and whether it is of any use, must not count. "
    "Answer with one digit from 0 (certainly wrong) to 9 (certainly right)."
)
YES_NO_QUESTION = "Is the last step right, and does it help? Answer Yes or No."
SELECT_QUESTION = "Which approach suits this problem best? Answer with its letter."
#: Before how many letters are wanted.
CODES_HEAD = "Approaches to choose: "
CODES_QUESTION = (
    "Which of them promise most for this problem? Answer with so many letters, best first, with commas between them, "
    "and write nothing else."
)
#: How thinking ends that has used up its budget; the answer follows.
THINKING_ENDS = f"I stop thinking here and answer.\n{CLOSE}"


def closed_thinking(text: str) -> str:
    """The text of a step that was in its thinking, ended."""
    return f"{without_begun_close(text).rstrip()}\n{THINKING_ENDS}"


@dataclass(frozen=True, slots=True)
class DomainPrompts:
    """What a domain has of its own in the dialogues.

    What the model is, what is asked of it, what it is as a judge, and what it is as the one who chooses strategies.
    """

    solving_system: str
    solving_request: str
    judging_system: str
    selecting_system: str = "You choose how to attack problems."


MATHEMATICS = DomainPrompts(SOLVING_SYSTEM, SOLVING_REQUEST, JUDGING_SYSTEM, SELECTING_SYSTEM)


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of a dialogue, before the chat template."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Question:
    """A dialogue whose answer is one token, and the words the assistant's turn already begins with.

    The token is read behind them, in a prompt that ends there: no text in the dialogue can answer in the model's place.
    """

    messages: tuple[ChatMessage, ...]
    prefill: str

    def prompt(self, opening: str, *, thinks: bool = False) -> str:
        """The text to read the next token after; `opening` is the dialogue in the chat template of the model.

        A thinking model does not think before it answers: the answer is wanted, not the deliberation.
        """
        return continued(opening, "", thinks=thinks or is_opened(opening), think=False) + self.prefill


def fold_system(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The dialogue for a template without a system role: its text at the head of the first user's turn."""
    match messages:
        case [ChatMessage("system", text), ChatMessage("user", content), *rest]:
            return (ChatMessage("user", f"{text}\n\n{content}"), *rest)
    return tuple(messages)


def is_opened(rendered: str) -> bool:
    """Whether a rendered dialogue ends inside thinking that the template opened."""
    return rendered.rstrip().endswith(OPEN)


def is_closed(rendered: str) -> bool:
    """Whether a rendered dialogue ends behind thinking that the template closed: the model is not to think."""
    return rendered.rstrip().endswith(CLOSE)


def as_written(text: str) -> str:
    """What a model wrote of its turn, to go on from within one call: its thinking keeps the tags that it has."""
    thought, end, answer = text.partition(CLOSE)
    begin = thought.index(OPEN) + len(OPEN) if opens(thought) else 0
    return f"{thought[:begin]}{neutralised(thought[begin:])}{end}{neutralised(answer)}"


def continued(opening: str, turn: str, *, thinks: bool, think: bool = True, marks: Sequence[str] = ()) -> str:
    """The prompt in which a model goes on with a turn, in its own way of thinking.

    `opening` is the dialogue in the model's chat template, `turn` the assistant's turn so far, which another model may
    have begun; `thinks` whether this one is a thinking model, `think` False keeps it from beginning to think; `marks`
    are the template's, which the turn must not hold. A turn that has not thought and has steps is not thought about any
    more; a model that does not think gets thinking as plain steps.
    """
    opened = is_opened(opening)
    head = opening.rstrip() if opened else opening + OPEN
    closed = opening if is_closed(opening) else f"{head}\n\n{CLOSE}\n\n"
    if not turn:
        return opening if think or not thinks else closed
    if not (opens(turn) or CLOSE in turn):
        return (closed if opened or (thinks and not think) else opening) + neutralised(turn, marks)
    if not thinks:
        return opening + neutralised(without_tags(turn), marks)
    thought, end, answer = turn.lstrip().removeprefix(OPEN).lstrip("\n").partition(CLOSE)
    return f"{head}\n{neutralised(thought, marks)}{end}{neutralised(answer, marks)}"


def solving(problem: str, strategy: Strategy, prompts: DomainPrompts = MATHEMATICS) -> tuple[ChatMessage, ...]:
    """The dialogue in which a path is written; the path so far (`join_path`) follows its rendering.

    The strategy's worked examples come first, as turns that have been: equal for all problems, so a prefix cache has
    them.
    """
    turns = [ChatMessage("system", prompts.solving_system)]
    for example in strategy.examples:
        turns.append(_solving_turn(example.problem, strategy, prompts))
        turns.append(ChatMessage("assistant", example.solution.strip()))
    return (*turns, _solving_turn(problem, strategy, prompts))


def _solving_turn(problem: str, strategy: Strategy, prompts: DomainPrompts) -> ChatMessage:
    return ChatMessage("user", "\n\n".join((*_posed(problem, strategy), prompts.solving_request)))


def _posed(problem: str, strategy: Strategy) -> tuple[str, ...]:
    """How a user's turn begins: the problem, and the approach to it if there is one."""
    head = PROBLEM_HEAD + problem.strip()
    return (head, APPROACH_HEAD + strategy.hint) if strategy.hint else (head,)


def judging(
    context: PathContext, step: str, question: str, prefill: str, prompts: DomainPrompts = MATHEMATICS
) -> Question:
    """A question about `step`, the one that follows the context's steps."""
    written = without_tags(join_path((*context.steps, step))).removesuffix(BOUNDARY)
    work = WORK_HEAD + written + BOUNDARY + question
    content = "\n\n".join((*_posed(context.problem, context.strategy), work))
    return Question((ChatMessage("system", prompts.judging_system), ChatMessage("user", content)), prefill)


def selecting(problem: str, strategies: Sequence[Strategy], prompts: DomainPrompts = MATHEMATICS) -> Question:
    """Which of the strategies suits the problem; the answer is a strategy's code."""
    return _selecting(problem, strategies, SELECT_QUESTION, "Letter:", prompts)


def selecting_codes(
    problem: str,
    strategies: Sequence[Strategy],
    count: int,
    none: Strategy | None,
    prompts: DomainPrompts = MATHEMATICS,
) -> Question:
    """Which `count` strategies suit the problem; the answer is a list of codes.

    `none` stands for "none of these", and may be named again and again.
    """
    again = f" The letter {none.code} may come more than once, where you are not sure." if none else ""
    asked = f"{CODES_HEAD}{count}.{again}\n{CODES_QUESTION}"
    return _selecting(problem, strategies, asked, "Letters:", prompts)


def _selecting(
    problem: str, strategies: Sequence[Strategy], asked: str, prefill: str, prompts: DomainPrompts
) -> Question:
    lines = "\n".join(f"{s.code}. {s.name}. {s.hint}".rstrip() for s in strategies)
    content = f"{APPROACHES_HEAD}{lines}\n\n{PROBLEM_HEAD}{problem.strip()}\n\n{asked}"
    return Question((ChatMessage("system", prompts.selecting_system), ChatMessage("user", content)), prefill)
