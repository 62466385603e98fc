"""What cannot be in a reply, however well-formed it is. Pure.

An engine that claims such things is broken: its reply is garbage (`BadReply`), and another replica is asked.
"""

from __future__ import annotations

from ssr.core.errors import BadReply
from ssr.core.steps import well_formed

#: More characters than the tokens of any text average; single tokens (of blanks) have up to 128, so a few are allowed.
_CHARS_PER_TOKEN = 64
_CHARS_MORE = 256
#: Tokens that an engine may add to a prompt's own (beginning of sequence, say), of which each is a byte at least.
_TOKENS_MORE = 64
#: Rounding: log probabilities are computed with 16 or 32 bits.
_ABOVE_ZERO = 1e-3
#: Names of models; those that are paths of files are the longest.
_NAME_CHARS = 1000
#: Of the largest model that there may ever be.
_PARAMETERS = 10**15
#: Servers' numbers for a probability of zero are -9999, -3.4e38 and -inf.
_LEAST = -1e300


def model_name(url: str, claimed: object) -> str:
    """What a model is called. Raises `BadReply`."""
    if not isinstance(claimed, str) or not 0 < len(claimed) <= _NAME_CHARS or well_formed(claimed) != claimed:
        raise BadReply(f"{url} claims {claimed!r:.50} as its model's name")
    return claimed


def parameters(claimed: object) -> int | None:
    """A model's size; None where there is none that can be."""
    return claimed if type(claimed) is int and 0 < claimed <= _PARAMETERS else None


def context(claimed: object) -> int | None:
    """A model's context in tokens; None where there is none that can be."""
    return claimed if type(claimed) is int and 0 < claimed < 2**31 else None


def prompt(url: str, claimed: str) -> str:
    """A rendered dialogue. Raises `BadReply`."""
    if not claimed or well_formed(claimed) != claimed:
        raise BadReply(f"{url} renders a dialogue as {claimed!r:.50}")
    return claimed


def generated_tokens(url: str, claimed: object, characters: int, most: int) -> int:
    """The number of tokens generated for so many characters, of which `most` were asked for. Raises `BadReply`."""
    if type(claimed) is not int or not 0 <= claimed <= most:
        raise BadReply(f"{url} claims {claimed!r:.50} generated tokens; at most {most} were asked for")
    if characters > _CHARS_PER_TOKEN * claimed + _CHARS_MORE:
        raise BadReply(f"{url} answered {characters} characters and claims that these are {claimed} tokens")
    return claimed


def prompt_tokens(url: str, claimed: int | None, prompt: str) -> int | None:
    """The number of `prompt`'s tokens, where the engine gives it. Raises `BadReply`."""
    if claimed is None:
        return None
    if claimed < 0 or (claimed > len(prompt) and claimed > len(prompt.encode(errors="replace")) + _TOKENS_MORE):
        raise BadReply(f"{url} claims {claimed!r:.50} tokens of a prompt of {len(prompt)} characters")
    return claimed


def cached_tokens(url: str, claimed: int | None, prompt: int | None) -> int | None:
    """How many of the prompt's tokens were cached. Raises `BadReply`.

    A request that was preempted may count some twice.
    """
    if claimed is None:
        return None
    if claimed < 0:
        raise BadReply(f"{url} claims {claimed!r:.50} cached tokens")
    return claimed if prompt is None else min(claimed, prompt)


def logprob(url: str, claimed: object) -> float:
    """A natural-log probability. Raises `BadReply`."""
    if not isinstance(claimed, int | float) or isinstance(claimed, bool) or not claimed <= _ABOVE_ZERO:
        raise BadReply(f"{url} claims the log probability {claimed!r:.50}")
    return float(max(_LEAST, min(0, claimed)))
