// A table from a suffix's hash to the latest places where it occurred.
#pragma once

#include <cstdint>
#include <cstddef>
#include <vector>

namespace ssr {

/// Open addressing; most suffixes occur once, and take one slot and nothing else.
class Occurrences {
 public:
  explicit Occurrences(std::size_t keep) : keep_(keep) {}

  void add(std::uint64_t key, std::uint64_t occurrence) {
    if ((used_ + 1) * 10 > slots_.size() * 6) grow();
    Slot& slot = slots_[index(key)];
    if (!slot.key) {
      slot = {key, occurrence};
      ++used_;
    } else if (!(slot.value & kMany)) {
      rings_.push_back({{slot.value, occurrence}, 0});
      if (keep_ < 2) rings_.back() = {{occurrence}, 0};
      slot.value = kMany | (rings_.size() - 1);
    } else {
      Ring& ring = rings_[slot.value & ~kMany];
      if (ring.places.size() < keep_) {
        ring.places.push_back(occurrence);
      } else {
        ring.places[ring.oldest] = occurrence;
        ring.oldest = (ring.oldest + 1) % keep_;
      }
    }
  }

  /// Calls `visit` with each, the latest first.
  template <typename Visit>
  void each(std::uint64_t key, Visit visit) const {
    if (slots_.empty()) return;
    const Slot& slot = slots_[index(key)];
    if (!slot.key) return;
    if (!(slot.value & kMany)) return visit(slot.value);
    const Ring& ring = rings_[slot.value & ~kMany];
    const std::size_t count = ring.places.size();
    for (std::size_t back = 1; back <= count; ++back) visit(ring.places[(ring.oldest + count - back) % count]);
  }

 private:
  struct Slot {
    std::uint64_t key;  // 0: empty
    std::uint64_t value;
  };
  struct Ring {
    std::vector<std::uint64_t> places;
    std::size_t oldest;
  };
  static constexpr std::uint64_t kMany = 1ull << 63;

  std::size_t index(std::uint64_t key) const {
    std::size_t at = key & (slots_.size() - 1);
    while (slots_[at].key && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  void grow() {
    std::vector<Slot> before(slots_.empty() ? 256 : slots_.size() * 2);
    before.swap(slots_);
    for (const Slot& slot : before) {
      if (slot.key) slots_[index(slot.key)] = slot;
    }
  }

  std::size_t keep_;
  std::size_t used_ = 0;
  std::vector<Slot> slots_;
  std::vector<Ring> rings_;
};

}  // namespace ssr
