// What can be chosen about drafting: `ssr.consensus.settings` has the meaning and the limits of each, and checks them.
#pragma once

#include <cstdint>
#include <vector>

namespace ssr {

using Token = std::int32_t;

/// Agreement beyond so many tokens adds no certainty.
constexpr int kLongestAgreement = 12;

struct Settings {
  std::vector<int> orders;
  int pool;
  double sharpness;
  double alpha;
  int edits;
  double own_weight;
  double history_weight;
  int max_draft;
  double min_confidence;
  double rest_below;
  std::int64_t group_tokens;
  std::int64_t history_tokens;
  std::int64_t total_tokens;
};

/// Whose text a token comes from, in the order of `DraftSource`.
enum class Source : std::uint8_t { kSibling, kOwn, kHistory };

}  // namespace ssr
