"""How much of the prompts a job's own earlier calls had left in the engines' prefix caches.

A job is compared with a baseline for a problem that is new. So of what an engine reports as cached only that counts
which the job itself had put there: at most what an earlier call of the path sent and got, or another path's opening.

An engine that reports nothing (TGI) is taken to keep what each path has sent and got, as prefix caches do: an estimate.
It counts neither another path's opening, which paths that begin together do not find, nor what was left behind: drafts
that were rejected, and the questions behind a path that is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ssr.core.types import Call, CallKind

#: Whose text it is: a path (`SELECTION` for none), a model, and whether it is judged, which is another dialogue.
_Key = tuple[int, str, bool]
#: The place of the selection among the paths.
SELECTION = -1


@dataclass(frozen=True, slots=True)
class Prefixes:
    """What of each text has passed through a cache, in tokens.

    `sent`: all of it; `common`: what later prompts begin with. `openings`: any path's first prompt, by model and
    dialogue.
    """

    sent: Mapping[_Key, int] = field(default_factory=dict)
    common: Mapping[_Key, int] = field(default_factory=dict)
    openings: Mapping[tuple[str, bool], int] = field(default_factory=dict)

    def after(self, path: int, calls: Sequence[Call], *, rewritten: bool = False) -> tuple[tuple[int, ...], Prefixes]:
        """The prompt tokens that each of a step's calls found in the cache, and the prefixes behind the step.

        `rewritten`: the step replaces the draft that the calls are about.
        """
        sent, common, openings = dict(self.sent), dict(self.common), dict(self.openings)
        now = dict(self.common)  # with what the step's own calls have added, for good or not
        drafted = sum(call.generated_tokens for call in calls if call.kind is CallKind.DRAFT)
        left_behind, reused, known = drafted if rewritten else 0, [], set[_Key]()
        for call in calls:
            key = path, call.model, call.kind is CallKind.SCORE
            if call.cache_unreported:
                reused.append(min(now.get(key, 0), call.prompt_tokens))
            else:
                reused.append(min(call.cached_tokens, max(sent.get(key, 0), openings.get(key[1:], 0))))
            before = call.prompt_tokens or sent.get(key, 0)  # a stream goes on behind what it had
            sent[key] = max(sent.get(key, 0), before + call.generated_tokens)
            now[key] = (call.prompt_tokens or now.get(key, 0)) + call.generated_tokens
            if call.prompt_tokens:
                openings.setdefault(key[1:], call.prompt_tokens)
            if key not in known or _stands(call, rewritten=rewritten):
                common[key] = _common(call, common.get(key, 0), now[key], left_behind)
                known.add(key)
        return tuple(reused), Prefixes(sent, common, openings)


def _stands(call: Call, *, rewritten: bool) -> bool:
    """Whether the path goes on from what the call wrote."""
    return call.kind in (CallKind.WRITE, CallKind.REWRITE) or (call.kind is CallKind.DRAFT and not rewritten)


def _common(call: Call, before: int, text: int, left_behind: int) -> int:
    """What the path's next prompts have in common with a call's, in tokens; `text` is its prompt and its reply."""
    if call.kind is CallKind.SCORE:
        return max(0, call.prompt_tokens - call.tail_tokens - left_behind)
    if _stands(call, rewritten=left_behind > 0):
        return text
    return max(before, call.prompt_tokens)
