// When to stop drafting for a sample, and when to try again: `ssr.consensus.throttle`.
#pragma once

#include <algorithm>

namespace ssr {

class Throttle {
 public:
  explicit Throttle(double price) : price_(price) {}

  /// Whether to draft in this pass; to be asked once a pass.
  bool on() {
    if (!rest_) return true;
    --rest_;
    return false;
  }

  void observe(double drafted, double accepted) {
    drafted_ = drafted_ * kFade + drafted;
    accepted_ = accepted_ * kFade + accepted;
    if (drafted_ < kTrialTokens) return;
    if (accepted_ >= price_ * drafted_) {
      next_rest_ = kShortestRest;
    } else {
      rest_ = next_rest_;
      next_rest_ = std::min(2 * next_rest_, kLongestRest);
      drafted_ = accepted_ = 0.0;
    }
  }

 private:
  static constexpr double kFade = 0.95, kTrialTokens = 64;
  static constexpr int kShortestRest = 16, kLongestRest = 256;

  double price_, drafted_ = 0.0, accepted_ = 0.0;
  int rest_ = 0, next_rest_ = kShortestRest;
};

}  // namespace ssr
