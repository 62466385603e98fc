"""Text that a chat template's control tokens cannot come from.

A prompt is tokenised whole, so `<|im_end|>` in a problem, a strategy or a model's own step would become the real token
and end the turn. What looks like a control token gets a blank behind its first character (`< |im_end|>`): no tokeniser
takes it for one then, a reader and a model still see what was written, and mathematics means the same. A blank is put
in, nothing is taken out, so that no token can form from what is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: Words in angle brackets that are control tokens of some model family.
_WORDS = (
    "s|bos|eos|pad|unk|mask|cls|sep|sop|eop|eod|think|thinking|thought|reasoning|tool|tools|user|model|system|assistant|"
    "human|bot|image|img|video|audio|start|end|eo(?:h|a|m|c|r|t|sys|callback)|_?[a-z]+(?:[_▁][a-z0-9]+)+|_[a-z]+|"
    "(?:unused|ctrl)[0-9]+|0x[0-9a-f]{2}|role|(?:seed|minimax):[a-z_]+"
)
#: The first character of anything that is a control token of a known family, whatever the model at hand is.
_CONTROL = re.compile(
    rf"""
      <(?=[|｜][^<>\n]{{1,80}}?[|｜]>)                # <|im_end|>, <｜User｜>, <|User|>, <｜end▁of▁sentence｜>
    | <(?=[|｜][\w▁]{{1,40}}>|[\w▁]{{1,40}}[|｜]>)      # <|turn>, <turn|>
    | <(?=/?(?:{_WORDS})>)                            # <s>, </s>, <start_of_turn>, <think>, </tool_call>, <seed:bos>
    | <(?=</?SYS>>)                                   # <<SYS>>, <</SYS>>
    | \[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|CALL_ID|THINK|PREFIX|
            MIDDLE|SUFFIX|IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|MODEL_SETTINGS|gMASK|sMASK|
            BOS|EOS|PAD|UNK|SEP|CLS|MASK|EOT|(?:UNUSED_TOKEN|CONTROL|EXTRA_ID)_[0-9]+)\])      # [INST], [/INST], [BOS]
    | \[(?=[|｜][^\[\]\n]{{1,40}}?[|｜]\])             # [|user|], [|endofturn|]
    | \[(?=e~\[) | \](?=~!?b[\[\]])                   # [e~[, ]~b], ]~!b[
    | ◁(?=/?[a-z_]{{1,40}}▷)                           # ◁think▷
    | >(?=>(?:QUESTION|ANSWER|TITLE|ABSTRACT|INTRODUCTION|SUMMARY|COMMENT|DOMAIN|PREFIX|SUFFIX|MIDDLE)<<)
    | !(?=\[)                                        # ![text](url): a picture that TGI would fetch
    """,
    re.VERBOSE | re.IGNORECASE,
)
#: What a template's own marks look like in what it renders.
_MARK = re.compile(r"<<[^<>\n]{1,40}>>|<[^<>\n]{1,80}>|\[[^\[\]\n]{1,40}\]")
#: A template's words between two contents that are longer are an instruction rather than a mark; one may be its end.
_MAX_MARK_CHARS = 60
_LABEL = re.compile(r"\S{1,30}[:\uff1a]\Z")


def neutralised(text: str, marks: Iterable[str] = ()) -> str:
    """`text` without anything that could be a control token, nor any of the `marks`; the same text where there is none.

    Linear in the length of `text`.
    """
    text = _CONTROL.sub(lambda found: found[0] + " ", text) if _may_have(text) else text
    for mark in marks:
        while mark in text:  # again, where one ends in the beginning of another
            text = text.replace(mark, f"{mark[0]} {mark[1:]}")
    return text


def marks_in(frame: Sequence[str]) -> tuple[str, ...]:
    """The marks of a template, from what it renders between (and around) a dialogue's contents.

    They are its tokens, and its words where it has none ("ASSISTANT:"), the longest first.
    """
    found = {mark for piece in frame for mark in _MARK.findall(piece)}
    for piece in frame:
        parts = _MARK.split(piece)
        found.update(words for part in parts if (words := _words(part.strip(), alone=len(parts) == 1)))
    return tuple(sorted(found, key=lambda mark: (-len(mark), mark)))


def _words(words: str, *, alone: bool) -> str:
    """The mark that a template's words end in, "" where they are none; not `alone`: beside tokens, only a label is."""
    label = _LABEL.search(words)
    if len(words) > _MAX_MARK_CHARS:  # "... helpful answers. USER:", "...\n### Instruction:"
        line = words[words.rfind("\n") + 1 :]
        words = (line if len(line) <= _MAX_MARK_CHARS else label[0]) if label else ""
    elif not (alone or label):
        return ""
    long = len(words) > (2 if words.isascii() else 1)  # "A:" is a choice, too
    return words if long and any(map(str.isalpha, words)) else ""


def _may_have(text: str) -> bool:
    return "<" in text or "[" in text or "◁" in text or "]~" in text
