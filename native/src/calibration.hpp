// How often a draft token is really accepted, learnt from what became of the drafts: `ssr.consensus.calibration`.
#pragma once

#include <array>
#include <cstdint>

#include "consensus.hpp"

namespace ssr {

/// Evidence of one kind, as the indices of its two counts.
struct Kind {
  std::int32_t coarse, fine;
};

class AcceptanceCalibration {
 public:
  /// The estimate that the edge is what the model will write, given that all before it was; and its kind.
  double probability(const Edge& edge, Kind& kind) const;

  /// A draft token of this kind was reached, and accepted or not.
  void learn(Kind kind, bool accepted);

 private:
  static constexpr int kLongestCoarse = 10, kLongest = 12;
  static constexpr int kSharesCoarse = 5, kShares = 8;
  static constexpr int kSources = 3;
  struct Count {
    double accepted = 0.0, seen = 0.0;

    double estimate(double guess) const;
    void learn(bool right);
  };
  std::array<Count, (kLongestCoarse + 1) * kSharesCoarse> coarse_{};
  std::array<Count, (kLongest + 1) * kShares * kSources> fine_{};
};

}  // namespace ssr
