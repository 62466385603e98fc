"""The simulated model: a prompt in, tokens with their probabilities out. Pure: no clock, no state."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from ssr.core.steps import BOUNDARY
from ssr.core.thinking import CLOSE, OPEN
from ssr.engine_server.server.backend import Token
from ssr.engine_server.simulated import judge, wording
from ssr.engine_server.simulated.dice import Dice
from ssr.engine_server.simulated.reader import Judging, Scale, Selecting, Solving, read, without_blanks
from ssr.engine_server.simulated.settings import SimulatedSettings, Thinking
from ssr.engine_server.simulated.template import parse
from ssr.engine_server.simulated.tokenizer import END, SPECIAL_IDS, piece_id, pieces
from ssr.engine_server.simulated.writer import answer_so_far, next_step

#: One position: the token written there, and the most probable candidates for it, best first.
Position = tuple[Token, tuple[Token, ...]]

#: What else could have been written anywhere, in falling order of probability.
_ALTERNATIVES = (" the", " we", " so", "\n", " is", " then", ",", " that", " a", " this", ".", " to", " and", " it")
_LEAST_SURE, _SURENESS_RANGE = 0.62, 0.375  #: probability of a token of written text
_DOUBT = 1.5  #: what is taken from the log probability of each token of a step that is certainly wrong


class SimulatedModel:
    """Writes and judges as its settings say; equal requests get equal replies, in any process."""

    def __init__(self, settings: SimulatedSettings) -> None:
        self._quality = settings.quality
        self._identity = (settings.model_id, settings.seed)
        self._thinking = settings.thinking

    def reply(self, prompt: str, *, seed: int | None, temperature: float = 1.0, top_n: int = 0) -> Iterator[Position]:
        """The tokens that follow `prompt`, up to the end of the turn. Never fails, whatever the prompt.

        `seed` None is greedy. Sampling matters to which step is written and to a question's answer; `temperature`
        sharpens the latter only. `top_n` candidates are given at each position.
        """
        reading = read(prompt)
        match reading.task:
            case Solving() as path:
                if prompt.endswith("\\boxed{") and (answer := answer_so_far(path)):
                    return _last_words(f"{answer}}}.", top_n)
                own = self._thinking is Thinking.OWN and not reading.begun
                return self._path(replace(path, thinking=own or path.thinking), reading.lead, seed, top_n, opens=own)
            case Judging() as judged:
                dice = Dice("judge", *self._identity, judged.path.problem, *judged.path.steps, BOUNDARY, judged.step)
                shares = judge.judgement(judged, self._quality, dice)
                answer = _drawn(shares, seed, temperature, prompt)
                return _answer([answer], shares, reading.lead, top_n)
            case Selecting() as selecting:
                shares = judge.choice(selecting, self._quality, Dice("select", *self._identity, selecting.problem))
                first = _drawn(shares, seed, temperature, prompt)
                ranking = [first, *(code for code, _ in shares if code != first)]
                return _answer(ranking, shares, reading.lead, top_n)

    def prefill(self, prompt: str) -> Iterator[Token]:
        """The prompt's own tokens, each as probable as the model finds it: those of wrong steps are less so."""
        doubts, offset = self._doubts(prompt), 0
        for position, piece in enumerate(pieces(prompt)):
            token, _ = _written(piece, position)
            doubt = next((doubt for begin, end, doubt in doubts if begin <= offset < end), 0.0)
            yield token._replace(logprob=token.logprob - _DOUBT * doubt)
            offset += len(piece)

    def _doubts(self, prompt: str) -> list[tuple[int, int, float]]:
        """Where the steps of the model's own turn begin and end, and how sure it is that they are wrong."""
        task, written = read(prompt).task, parse(prompt).written
        if not (isinstance(task, Solving) and written and prompt.endswith(written)):
            return []
        doubts, earlier, begin = [], list[str](), len(prompt) - len(written)
        for step in written.split(BOUNDARY):
            judged = Judging(Solving(task.problem, task.hint, tuple(earlier)), step, Scale.YES_NO)
            dice = Dice("likelihood", *self._identity, task.problem, *earlier, BOUNDARY, step)
            doubts.append((begin, begin + len(step), 1 - judge.belief(judged, self._quality, dice)))
            earlier.append(step)
            begin += len(step) + len(BOUNDARY)
        return doubts

    def endless(self, prompt: str, *, top_n: int = 0) -> Iterator[Position]:
        """A text that comes to no end and to no blank line."""
        dice = Dice("endless", *self._identity, prompt)
        sentence = 0
        while True:
            yield from _text(" " + wording.ramble_sentence(dice, sentence), top_n)
            sentence += 1

    def _path(self, path: Solving, lead: str, seed: int | None, top_n: int, *, opens: bool) -> Iterator[Position]:
        if opens:
            yield from _text(f"{OPEN}\n", top_n)
        while True:
            dice = Dice("write", *self._identity, path.problem, path.hint, *path.all_steps, BOUNDARY, seed)
            step = next_step(path, self._quality, dice)
            if path.thinking and step.ends_turn:
                yield from _text(f"{lead}{step.text}\n{CLOSE}{BOUNDARY}", top_n)
                path, lead = replace(path, thought=(*path.thought, step.text), thinking=False), ""
                continue
            if step.text:
                yield from _text(lead + step.text, top_n)
            if step.ends_turn:
                yield _end(top_n)
                return
            yield from _text(BOUNDARY, top_n)
            if path.thinking:
                path, lead = replace(path, thought=without_blanks((*path.thought, step.text))), ""
            else:
                path, lead = replace(path, steps=without_blanks((*path.steps, step.text))), ""


def _answer(words: list[str], shares: judge.Distribution, lead: str, top_n: int) -> Iterator[Position]:
    """The first word out of its distribution, further ones as a list, then the end of the turn."""
    candidates = [_token(lead + text, share) for text, share in shares]
    spare = 1 - math.fsum(share for _, share in shares)
    if len(candidates) < top_n:
        candidates += _alternatives({token.text for token in candidates}, spare, top_n - len(candidates))
    ranked = sorted(candidates, key=lambda token: -token.logprob)
    chosen = next(token for token in candidates if token.text == lead + words[0])
    yield chosen, tuple(ranked[:top_n])
    for word in words[1:]:
        yield from _text(f", {word}", top_n)
    yield _end(top_n)


def _last_words(text: str, top_n: int) -> Iterator[Position]:
    yield from _text(text, top_n)
    yield _end(top_n)


def _text(text: str, top_n: int) -> Iterator[Position]:
    for position, piece in enumerate(pieces(text)):
        token, sureness = _written(piece, position)
        yield token, _candidates(token, sureness, top_n)


@lru_cache(maxsize=4096)
def _written(piece: str, position: int) -> tuple[Token, float]:
    """A token of written text and its probability."""
    identity = piece_id(piece)
    # Any even spread will do, as long as it depends on the text alone.
    sureness = _LEAST_SURE + _SURENESS_RANGE * ((identity * 2654435761 + position * 40503) % 1009 / 1009)
    return Token(identity, piece, math.log(sureness)), sureness


def _end(top_n: int) -> Position:
    sureness = 0.98
    token = Token(SPECIAL_IDS[END], END, math.log(sureness), special=True)
    return token, _candidates(token, sureness, top_n)


def _candidates(token: Token, probability: float, top_n: int) -> tuple[Token, ...]:
    if top_n <= 0:
        return ()
    return (token, *_alternatives({token.text}, 1 - probability, top_n - 1))


def _alternatives(taken: set[str], mass: float, count: int) -> list[Token]:
    """Up to `count` other candidates that share less than `mass`, each half as probable as the one before."""
    others = [text for text in _ALTERNATIVES if text not in taken][:count]
    return [_token(text, mass * 0.5 ** (rank + 1)) for rank, text in enumerate(others)]


def _drawn(shares: judge.Distribution, seed: int | None, temperature: float, prompt: str) -> str:
    if seed is None:
        return shares[0][0]
    best = shares[0][1]
    weights = [(share / best) ** (1 / temperature) for _, share in shares]
    return Dice("draw", seed, prompt).weighted("answer", [text for text, _ in shares], weights)


def _token(text: str, probability: float) -> Token:
    return Token(piece_id(text), text, math.log(max(probability, 1e-30)))
