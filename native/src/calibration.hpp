// How often a draft token is really accepted, learnt from what became of the drafts: `ssr.consensus.calibration`.
#pragma once

#include <array>
#include <cstdint>

#include "consensus.hpp"

namespace ssr {

/// Evidence of one kind, as an index.
using Kind = std::int32_t;

class AcceptanceCalibration {
 public:
  /// The estimate that the edge is what the model will write, given that all before it was; and its kind.
  double probability(const Edge& edge, Kind& kind) const;

  /// A draft token of this kind was reached, and accepted or not.
  void learn(Kind kind, bool accepted);

 private:
  static constexpr int kLongest = 10;
  static constexpr int kShares = 5;
  struct Count {
    double accepted = 0.0, seen = 0.0;
  };
  std::array<Count, (kLongest + 1) * kShares> counts_{};
};

}  // namespace ssr
