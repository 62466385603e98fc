"""When a generation ends: TGI's rule, for any backend.

TGI looks only at the end of the text after each whole token: a stop text in the middle of a token, with more text
behind it, does not end the generation; one line feed behind it does no harm, because TGI matches with a regular
expression's `$`. The stop text stays in the generated text.
"""

from __future__ import annotations

from collections.abc import Sequence

from ssr.engine_server.server.backend import FinishReason


class StopCriteria:
    """Follows one generation token by token.

    `max_new_tokens` is checked before the end-of-turn token, and that before the stop texts, as TGI does: the reason
    given is the first that holds.
    """

    def __init__(self, max_new_tokens: int, stop: Sequence[str] = ()) -> None:
        self._left = max_new_tokens
        self._stop = tuple(end for text in stop for end in (text, text + "\n"))
        self._keep = max((len(s) for s in self._stop), default=0)
        self._tail = ""

    def after(self, text: str, *, eos: bool = False) -> FinishReason | None:
        """The reason to end after the token `text`, or None to go on. `eos`: it is the model's end-of-turn token."""
        self._left -= 1
        if self._left <= 0:
            return FinishReason.LENGTH
        if eos:
            return FinishReason.EOS_TOKEN
        if not self._keep:
            return None
        self._tail = (self._tail + text)[-self._keep :] if text else self._tail
        return FinishReason.STOP_SEQUENCE if self._tail.endswith(self._stop) else None
