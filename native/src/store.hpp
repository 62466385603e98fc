// All groups and histories of a drafter, within one bound; what was used longest ago is forgotten first: `store`.
#pragma once

#include <list>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "group.hpp"

namespace ssr {

/// Values by name, the one used last at the end.
template <typename Value>
class Ordered {
 public:
  using Entry = std::pair<Name, std::unique_ptr<Value>>;

  Value* find(Name name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? nullptr : found->second->second.get();
  }
  Value* put(Name name, std::unique_ptr<Value> value) {
    entries_.emplace_back(name, std::move(value));
    places_[name] = std::prev(entries_.end());
    return entries_.back().second.get();
  }
  void use(Name name) { entries_.splice(entries_.end(), entries_, places_.at(name)); }
  void erase(Name name) {
    entries_.erase(places_.at(name));
    places_.erase(name);
  }
  std::vector<Name> names() const {
    std::vector<Name> all;
    for (const Entry& entry : entries_) all.push_back(entry.first);
    return all;
  }

 private:
  std::list<Entry> entries_;
  std::unordered_map<Name, typename std::list<Entry>::iterator> places_;
};

/// What was forgotten for lack of room, or with its group: the caller's names are free.
struct Forgotten {
  std::vector<Name> samples, groups;
};

class GroupStore {
 public:
  explicit GroupStore(const Settings& settings) : settings_(settings) {}

  Group& join(Name sample, Name name, Name tenant);
  Group* group(Name sample) const;
  void finish(Name sample);
  void remove(Name sample);
  void end(Name name);
  History* history(Name tenant);
  void settle(Name sample);

  std::int64_t tokens = 0;
  Forgotten forgotten;

 private:
  template <typename Part>
  void count(Part& part, std::int64_t now);
  void shrink(const Group* keep);
  bool fits() const { return tokens <= settings_.total_tokens; }
  void empty(Name name, Group& group);
  void drop(Name name);

  const Settings& settings_;
  Ordered<Group> groups_;
  Ordered<History> histories_;
  std::unordered_map<Name, Name> group_of_;
};

}  // namespace ssr
