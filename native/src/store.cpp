#include "store.hpp"

namespace ssr {
namespace {

constexpr std::int64_t kSampleTokens = 16;  // what a group, and each sample that runs, costs beside its tokens

std::int64_t cost(const Group& group) {
  return group.memory.tokens() + kSampleTokens * static_cast<std::int64_t>(1 + group.samples.size());
}

}  // namespace

Group& GroupStore::join(Name sample, Name name, Name tenant) {
  Group* group = groups_.find(name);
  if (!group) group = groups_.put(name, std::make_unique<Group>(tenant, settings_));
  group_of_[sample] = name;
  return *group;
}

Group* GroupStore::group(Name sample) const {
  const auto found = group_of_.find(sample);
  return found == group_of_.end() ? nullptr : groups_.find(found->second);
}

void GroupStore::finish(Name sample) {
  Group& group = *this->group(sample);
  group.finish(sample);
  count(group, cost(group));
  group_of_.erase(sample);
}

void GroupStore::remove(Name sample) {
  Group& group = *this->group(sample);
  const Name name = group_of_.at(sample);
  group.remove(sample);
  group_of_.erase(sample);
  if (!group.samples.empty() || group.finished) {
    count(group, cost(group));
  } else {
    drop(name);
  }
}

void GroupStore::end(Name name) {
  Group& group = *groups_.find(name);
  if (settings_.history_weight != 0.0) {
    History* history = histories_.find(group.tenant);
    if (!history) history = histories_.put(group.tenant, std::make_unique<History>(settings_));
    history->take(group.memory.written());
    count(*history, history->tokens());
  }
  drop(name);
  shrink(nullptr);
}

History* GroupStore::history(Name tenant) {
  History* history = histories_.find(tenant);
  if (history) histories_.use(tenant);
  return history;
}

void GroupStore::settle(Name sample) {
  const Name name = group_of_.at(sample);
  Group& group = *groups_.find(name);
  groups_.use(name);
  count(group, cost(group));
  if (History* history = histories_.find(group.tenant)) count(*history, history->tokens());
  if (!fits()) shrink(&group);
}

template <typename Part>
void GroupStore::count(Part& part, std::int64_t now) {
  tokens += now - part.counted;
  part.counted = now;
}

void GroupStore::shrink(const Group* keep) {
  for (const Name name : groups_.names()) {
    if (fits()) return;
    Group& group = *groups_.find(name);
    if (&group != keep) empty(name, group);
  }
  for (const Name tenant : histories_.names()) {
    if (fits()) return;
    if (keep && keep->tenant == tenant) continue;
    tokens -= histories_.find(tenant)->counted;
    histories_.erase(tenant);
  }
  for (const Name name : groups_.names()) {
    if (fits()) return;
    if (groups_.find(name) != keep) drop(name);
  }
}

void GroupStore::empty(Name name, Group& group) {
  if (group.samples.empty()) return drop(name);
  group.clear();
  count(group, cost(group));
}

void GroupStore::drop(Name name) {
  Group& group = *groups_.find(name);
  for (const auto& [sample, state] : group.samples) {
    group_of_.erase(sample);
    forgotten.samples.push_back(sample);
  }
  forgotten.groups.push_back(name);
  tokens -= group.counted;
  groups_.erase(name);
}

}  // namespace ssr
