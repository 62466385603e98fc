"""All groups and histories of a drafter, within one bound; what was used longest ago is forgotten first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from ssr.consensus.group import Group
from ssr.consensus.history import History
from ssr.consensus.settings import ConsensusSettings
from ssr.core.errors import Conflict, NotFound

#: What a group, and each sample that runs, costs beside its tokens, in tokens.
_SAMPLE_TOKENS = 16


class GroupStore:
    """Running samples are found by name. `settle` after every change keeps the bound."""

    def __init__(self, settings: ConsensusSettings) -> None:
        self._settings = settings
        self._groups: OrderedDict[Hashable, Group] = OrderedDict()  #: the one used last is the last; histories too
        self._histories: OrderedDict[Hashable, History] = OrderedDict()
        self._group_of: dict[Hashable, Hashable] = {}
        self._counted: dict[int, int] = {}  #: tokens of each group and history when last settled
        self.tokens = 0  #: the sum of them

    def __contains__(self, sample: Hashable) -> bool:
        return sample in self._group_of

    def __len__(self) -> int:
        return len(self._groups)

    def join(self, sample: Hashable, name: Hashable, tenant: Hashable) -> Group:
        """The group of this name, new where there is none, which `sample` belongs to from now on.

        Raises: Conflict if the sample has a group already, or the group another tenant.
        """
        if sample in self._group_of:
            raise Conflict(f"sample {sample!r} has been started already")
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group(tenant, self._settings)
        elif group.tenant != tenant:
            raise Conflict(f"group {name!r} belongs to another tenant")
        self._group_of[sample] = name
        return group

    def group(self, sample: Hashable) -> Group:
        """Of a sample. Raises: NotFound."""
        name = self._group_of.get(sample)
        if name is None:
            raise NotFound(f"there is no sample {sample!r}; start it first")
        return self._groups[name]

    def finish(self, sample: Hashable) -> None:
        """The sample runs no more; its group has what it wrote. Raises: NotFound."""
        group = self.group(sample)
        group.finish(sample)
        self._count(group, _cost(group))
        del self._group_of[sample]

    def remove(self, sample: Hashable) -> None:
        """Forget the sample; and its group, where there was no other. Raises: NotFound."""
        group = self.group(sample)
        group.remove(sample)
        name = self._group_of.pop(sample)
        if group.samples or group.finished:
            self._count(group, _cost(group))
        else:
            self._drop(name)

    def end(self, name: Hashable) -> None:
        """The group becomes history of its tenant. Raises: NotFound."""
        group = self._groups.get(name)
        if group is None:
            raise NotFound(f"there is no group {name!r}")
        if self._settings.history_weight:
            history = self._histories.get(group.tenant)
            if history is None:
                history = self._histories[group.tenant] = History(self._settings)
            history.take(group.written())
            self._count(history, history.tokens)
        self._drop(name)
        self._shrink(None)

    def history(self, tenant: Hashable) -> History | None:
        """Of a tenant; None where nothing has finished yet."""
        history = self._histories.get(tenant)
        if history is not None:
            self._histories.move_to_end(tenant)
        return history

    def settle(self, sample: Hashable) -> None:
        """The sample's group or its tenant's history has grown: count it, and forget others where there is too much."""
        name = self._group_of[sample]
        group = self._groups[name]
        self._groups.move_to_end(name)
        self._count(group, _cost(group))
        history = self._histories.get(group.tenant)
        if history is not None:
            self._count(history, history.tokens)
        if self.tokens > self._settings.total_tokens:
            self._shrink(group)

    def _count(self, part: Group | History, tokens: int) -> None:
        self.tokens += tokens - self._counted.get(id(part), 0)
        self._counted[id(part)] = tokens

    def _shrink(self, keep: Group | None) -> None:
        """Forget until the bound is kept; `keep` is in use.

        First groups, those that still run only their texts; then histories; at last groups that run.
        """
        for name, group in list(self._groups.items()):
            if self.tokens <= self._settings.total_tokens:
                return
            if group is not keep:
                self._empty(name, group)
        for tenant in list(self._histories):
            if self.tokens <= self._settings.total_tokens:
                return
            if keep is None or tenant != keep.tenant:
                self._forget(self._histories.pop(tenant))
        for name, group in list(self._groups.items()):
            if self.tokens <= self._settings.total_tokens:
                return
            if group is not keep:
                self._drop(name)

    def _empty(self, name: Hashable, group: Group) -> None:
        if group.samples:
            group.clear()
            self._count(group, _cost(group))
        else:
            self._drop(name)

    def _drop(self, name: Hashable) -> None:
        group = self._groups.pop(name)
        for sample in group.samples:
            self._group_of.pop(sample, None)
        self._forget(group)

    def _forget(self, part: Group | History) -> None:
        self.tokens -= self._counted.pop(id(part), 0)


def _cost(group: Group) -> int:
    return group.memory.tokens + _SAMPLE_TOKENS * (1 + len(group.samples))
