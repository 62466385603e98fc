"""How much of the prompts a job's own earlier calls had left in the engines' prefix caches.

A job is compared with a baseline for a problem that is new. So of what an engine reports as cached only that counts
which the job itself had put there: at most what the path's prompts have in common, or the opening of another path. An
engine that solved the problem before would make the job look cheaper than it is.

An engine that reports nothing (TGI) is taken to keep what a path's prompts have in common, as prefix caches do: an
estimate. Another path's opening does not count then: paths that begin together need not find it.
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
    """What later prompts begin with that has passed through a cache, in tokens: `common` to a path's own prompts.

    What a path leaves behind is no part of it: drafts that were rejected, and the questions of a judge. `openings` are
    the first prompts of any path, by model and dialogue.
    """

    common: Mapping[_Key, int] = field(default_factory=dict)
    openings: Mapping[tuple[str, bool], int] = field(default_factory=dict)

    def after(self, path: int, calls: Sequence[Call], *, rewritten: bool = False) -> tuple[tuple[int, ...], Prefixes]:
        """The prompt tokens that each of a step's calls found in the cache, and the prefixes behind the step.

        `rewritten`: the step replaces the draft that the calls are about.
        """
        common, openings = dict(self.common), dict(self.openings)
        now = dict(self.common)  # with what the step's own calls have added, for good or not
        drafted = sum(call.generated_tokens for call in calls if call.kind is CallKind.DRAFT)
        reused, known = [], set[_Key]()
        for call in calls:
            key = path, call.model, call.kind is CallKind.SCORE
            if call.cache_unreported:
                reused.append(min(now.get(key, 0), call.prompt_tokens))
            else:
                reused.append(min(call.cached_tokens, max(now.get(key, 0), openings.get(key[1:], 0))))
            now[key] = (call.prompt_tokens or now.get(key, 0)) + call.generated_tokens  # a stream goes on
            if call.prompt_tokens:
                openings.setdefault(key[1:], _shared(call, drafted))
            if key not in known or _stands(call, rewritten=rewritten):
                common[key] = _common(call, common.get(key, 0), now[key], drafted, rewritten=rewritten)
                known.add(key)
        return tuple(reused), Prefixes(common, openings)


def _stands(call: Call, *, rewritten: bool) -> bool:
    """Whether the path goes on from what the call wrote."""
    return call.kind in (CallKind.WRITE, CallKind.REWRITE) or (call.kind is CallKind.DRAFT and not rewritten)


def _common(call: Call, before: int, text: int, drafted: int, *, rewritten: bool) -> int:
    """What the path's next prompts have in common with a call's, in tokens; `text` is its prompt and its reply."""
    if call.kind is CallKind.SCORE:
        return _shared(call, drafted if rewritten else 0)
    return text if _stands(call, rewritten=rewritten) else max(before, call.prompt_tokens)


def _shared(call: Call, drafted: int) -> int:
    """Of a prompt, what others begin with: a judge's ends with the draft and the question about it."""
    left_behind = call.tail_tokens + drafted if call.kind is CallKind.SCORE else 0
    return max(0, call.prompt_tokens - left_behind)
