"""What is asked of every server."""

from __future__ import annotations

from dataclasses import dataclass

from ssr.core.errors import InvalidRequest
from ssr.core.limits import MAX_PATH_TOKENS, MAX_SEED, MAX_TEMPERATURE, check_within

#: A day.
_MAX_S = 86_400


@dataclass(frozen=True, slots=True)
class EndToEndPlan:
    """`problems` is the fingerprint of the chosen ones. `serve` is the servers' command, "" if they run already.

    The samples of a problem are asked for together, or `stagger_s` after each other. `at_a_time` problems are at work;
    the next begins when all samples of one have ended. Samples have seeds of their own, or, without `seed`, none.
    With `logprobs` the server is asked for the tokens' log-probabilities too, and they are recorded. `replay` is the
    fingerprint of the recordings that the server is to write, "" where it samples.
    Raises: InvalidRequest naming the field.
    """

    dataset: str
    problems: str
    serve: str = ""
    samples: int = 8
    at_a_time: int = 2
    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = 512
    seed: int | None = None
    stagger_s: float = 0.0
    logprobs: bool = False
    replay: str = ""

    def __post_init__(self) -> None:
        check_within("samples-per-problem", self.samples, 1, 1024)
        check_within("problems-at-a-time", self.at_a_time, 1, 1024)
        check_within("temperature", self.temperature, 0, MAX_TEMPERATURE)
        if not 0 < self.top_p <= 1:
            raise InvalidRequest("top-p", f"must be over 0 and at most 1; got {self.top_p:g}")
        check_within("max-tokens", self.max_tokens, 1, MAX_PATH_TOKENS)
        check_within("seed", self.seed or 0, 0, MAX_SEED - 2**32)
        check_within("stagger-s", self.stagger_s, 0, _MAX_S)


@dataclass(frozen=True, slots=True)
class Patience:
    """The most, in seconds, that a server may take to start, a request to be answered, and counters to be complete."""

    start_s: float = 600.0
    request_s: float = 3600.0
    counters_s: float = 10.0

    def __post_init__(self) -> None:
        check_within("start-timeout", self.start_s, 0.001, _MAX_S)
        check_within("request-timeout", self.request_s, 0.001, _MAX_S)
