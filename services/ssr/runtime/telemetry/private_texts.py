"""Problems, answers and steps stay out of the log, wherever a message or a traceback may quote them.

Whoever works on texts names them (`private`, and `log_context.about`); a filter of the log's handler takes what quotes
them out of every line of that task. Whether a line may show them is a setting of the service (LOG_TEXTS).
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

#: What stands for what was taken out.
WITHHELD = "[withheld]"
#: So many characters in a row that are a text's are a quotation of it; a shorter text is one as a whole.
_QUOTED_CHARS = 12
#: Shorter texts are in any line by chance.
_MIN_CHARS = 4

_texts: ContextVar[tuple[str, ...]] = ContextVar("ssr-private-texts", default=())


@contextmanager
def private(*texts: str) -> Iterator[None]:
    """Inside, the current task's log lines do not quote these texts, nor those of the blocks around it."""
    token = _texts.set((*_texts.get(), *texts))
    try:
        yield
    finally:
        _texts.reset(token)


class WithholdTexts(logging.Filter):
    """Of a handler: takes quotations of the current task's private texts out of every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        texts = _texts.get()
        if texts:
            record.msg, record.args = withheld(record.getMessage(), texts), None
            if record.exc_info:
                record.exc_text = withheld("".join(traceback.format_exception(*record.exc_info)).rstrip(), texts)
                record.exc_info = None
        return True


def withheld(line: str, texts: Sequence[str]) -> str:
    """The line without what it quotes of the texts, also where it has them escaped as `repr` does."""
    for text in texts:
        for form in (repr(text)[1:-1], text):
            line = _without(line, form)
    return line


def _without(line: str, text: str) -> str:
    least = min(_QUOTED_CHARS, len(text))
    if len(text) < _MIN_CHARS:
        return line
    kept, at = [], 0
    while at < len(line):
        if line[at : at + least] in text and len(line) - at >= least:
            end = at + least
            while end < len(line) and line[at : end + 1] in text:
                end += 1
            kept.append(WITHHELD)
            at = end
        else:
            kept.append(line[at])
            at += 1
    return "".join(kept)
