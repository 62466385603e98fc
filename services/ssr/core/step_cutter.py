r"""Where a reasoning step ends, in a text that arrives in pieces. Pure.

A step ends at a blank line, whatever blanks are in that and however lines end, but not at one inside a LaTeX
environment, a displayed formula (`\[ \]`, `$$`), a box or a code fence, not right behind a row of a table, and not
before the step says anything. A formula or fence that is never closed must not swallow a path: past `MAX_BLANK_LINES`
blank lines in one step every blank line ends it.
"""

from __future__ import annotations

import re

from ssr.core.answers import box_is_open
from ssr.core.steps import HALF_CHARACTER, CutText, well_formed
from ssr.core.thinking import without_tags

#: Blank lines inside one step.
MAX_BLANK_LINES = 16

#: A fence may stand in a list's item or a quotation; what follows three backticks on their line holds none. Marks in
#: code within a line are none.
_MARK = re.compile(
    r"^[ \t]*+(?:(?:[-*+>]|\d{1,9}[.)])[ \t]++)*+(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})(?P<behind>[^\n]*)"
    r"|`[^`\n]*`|\\verb\*?(?P<quote>[^A-Za-z*\s])[^\n]{0,200}?(?P=quote)"
    r"|\\begin[ \t]*\{(?P<begin>[A-Za-z]+\*?)\}|\\end[ \t]*\{(?P<end>[A-Za-z]+\*?)\}"
    r"|\\(?P<bracket>[][])|(?P<dollars>\$\$)|\\.",
    re.MULTILINE,
)
#: Environments in which nothing means anything but their end.
_VERBATIM = frozenset({"verbatim", "verbatim*", "Verbatim", "lstlisting", "minted", "comment"})
_BLANK_LINE = re.compile(r"\n[^\S\n]*+\n")
_BLANK_FIRST_LINES = re.compile(r"(?:[^\S\n]*+\n)++")
_TABLE_ROW = re.compile(r"[ \t]*\|(?:[^|\n]*\|){2,}[^\S\n]*")
#: How a table's row begins, but not |x| + |y|.
_TABLE_CELL = re.compile(r"[ \t]*\|[ \t:-]")
#: A box is looked for in so many characters before a blank line: one whose brace is forgotten is open for good.
_BOX_CHARS = 200


class StepCutter:
    """Takes a turn's text as it arrives and gives its steps as they are complete.

    `before` is what the turn's last step holds already where its token limit cut it (`core.steps.open_text`): what it
    opened is open still, and the first step given goes on right behind it. Where that step was at its end already, the
    first one given begins with the blank line between them.
    """

    def __init__(self, before: str = "") -> None:
        self._text, self._given = before, len(before)  # the step under way, and how much of it is an earlier one's
        self._searched = 0  # up to where the text has no blank line that was not looked at
        self._blanks = len(before)  # at the text's end, in which a blank line may have begun; or more of them
        self._held = ""
        self._surroundings = _Surroundings()

    def feed(self, text: str) -> list[str]:
        """The steps that are complete now that `text` has come, normalised, none of them empty."""
        text = self._held + text
        end = _whole(text)
        whole, self._held = well_formed(text[:end]), text[end:]
        searched = max(self._searched, len(self._text) - self._blanks)
        self._text += whole
        blanks = len(whole) - len(whole.rstrip())
        self._blanks = self._blanks + blanks if blanks == len(whole) else blanks
        if "\n" not in whole:
            return []
        steps = []
        while blank := _BLANK_LINE.search(self._text, searched):
            end, searched = blank.span()
            if self._given and not self._text[self._given : end].strip():
                continue  # what ends there was there before: nothing of ours has ended
            if not self._begun(end):
                searched = self._skip_blank_lines(searched)
            elif self._surroundings.allow_end(self._text, end):
                steps.append(self._step(end))
                self._text, self._given, searched = self._text[searched:], 0, 0
                self._surroundings = _Surroundings()
        self._searched = min(searched, len(self._text))
        return steps

    @property
    def unfinished(self) -> str:
        """What has come of the step under way, as it came; half a character is not in it."""
        return self._text[self._given :]

    def rest(self, *, cut: bool) -> str:
        """The last step, "" if there is nothing of it: complete, or `cut` where it stands (a `CutText`).

        Half a character is left out: whoever goes on writes it anew.
        """
        if not cut:
            return self._step(len(self._text))
        text = self._text[self._given :] if self._given else _without_blank_lines(self._text)
        return CutText(text) if self._given or text.strip() else ""

    def _step(self, end: int) -> str:
        text = self._text[self._given : end].rstrip()
        return text if self._given else _without_blank_lines(text)

    def _begun(self, end: int) -> bool:
        """Whether the step says anything: a tag that opens or closes the model's thinking does not."""
        return bool(without_tags(self._text[:end]).strip())

    def _skip_blank_lines(self, end: int) -> int:
        """Drops what has come where it is blank; gives where to look on."""
        if self._given or self._text[:end].strip():
            return end
        self._text = self._text[end:]
        return 0


class _Surroundings:
    """What is open at a place in a step: environments, a displayed formula, a fence."""

    def __init__(self) -> None:
        self._read = self._blank_lines = 0
        self._environments: list[str] = []
        self._formula = self._fence = ""

    def allow_end(self, text: str, end: int) -> bool:
        """Whether the step may end at `end`; called with growing ends of a growing text."""
        for mark in _MARK.finditer(text, self._read, end):
            self._take(mark)
        self._read = end
        table = _is_table_row(text, end)
        self._blank_lines += 1
        if self._blank_lines > MAX_BLANK_LINES:
            return True
        open_now = self._environments or self._formula or self._fence or table
        return not open_now and not box_is_open(text[max(0, end - _BOX_CHARS) : end])

    def _take(self, mark: re.Match[str]) -> None:
        inside = self._environments[-1] if self._environments else ""
        if inside in _VERBATIM and mark["end"] != inside:
            return
        if fence := mark["fence"]:
            if not self._fence:
                self._fence = fence
            elif fence.startswith(self._fence) and not mark["behind"].strip():
                self._fence = ""
        elif self._fence:
            return
        elif mark["begin"]:
            self._environments.append(mark["begin"])
        elif mark["end"]:
            if mark["end"] in self._environments:
                del self._environments[self._environments.index(mark["end"]) :]
        elif not self._environments and (sign := mark["bracket"] or mark["dollars"]):
            self._take_formula(sign)

    def _take_formula(self, sign: str) -> None:
        if not self._formula and sign != "]":
            self._formula = sign
        elif (self._formula, sign) in (("[", "]"), ("$$", "$$")):
            self._formula = ""


def normalise_step(text: str) -> str:
    """A whole step as it is stored: no blank lines before it and no blanks after it.

    The first line's indentation stays, it may be code's. The empty string means that nothing was written.
    """
    return _without_blank_lines(text.rstrip())


def _without_blank_lines(text: str) -> str:
    blank = _BLANK_FIRST_LINES.match(text)
    return text[blank.end() :] if blank else text


def _whole(text: str) -> int:
    """How much of the text is before half a character at its end."""
    end = len(text)
    while end and (text[end - 1] == HALF_CHARACTER or "\ud800" <= text[end - 1] <= "\udbff"):
        end -= 1
    return end


def _is_table_row(text: str, end: int) -> bool:
    """Whether the line before `end` is a table's row: a line like one, behind another or with a blank in its cell."""
    begin = text.rfind("\n", 0, end) + 1
    if not _TABLE_ROW.fullmatch(text, begin, end):
        return False
    above = text.rfind("\n", 0, max(0, begin - 1)) + 1
    behind_row = begin > 0 and _TABLE_ROW.fullmatch(text, above, begin - 1) is not None
    return behind_row or _TABLE_CELL.match(text, begin, end) is not None
