#include "calibration.hpp"

#include <algorithm>

namespace ssr {
namespace {
constexpr double kPriorTokens = 8.0, kPriorTrust = 0.8, kEnough = 4096.0;
}

double AcceptanceCalibration::probability(const Edge& edge, Kind& kind) const {
  const int share = std::min(static_cast<int>(edge.weight * kShares), kShares - 1);
  kind = std::min(edge.agreed, kLongest) * kShares + share;
  const Count& count = counts_[kind];
  return (count.accepted + kPriorTokens * kPriorTrust * edge.weight) / (count.seen + kPriorTokens);
}

void AcceptanceCalibration::learn(Kind kind, bool accepted) {
  Count& count = counts_[kind];
  if (count.seen >= kEnough) {
    count.accepted /= 2;
    count.seen /= 2;
  }
  count.accepted += accepted;
  count.seen += 1;
}

}  // namespace ssr
