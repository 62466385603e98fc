#include "calibration.hpp"

#include <algorithm>

namespace ssr {
namespace {

constexpr double kPriorTokens = 8.0, kPriorTrust = 0.8, kEnough = 4096.0;

int share_of(double weight, int parts) { return std::min(static_cast<int>(weight * parts), parts - 1); }

}  // namespace

double AcceptanceCalibration::probability(const Edge& edge, Kind& kind) const {
  kind.coarse = std::min(edge.agreed, kLongestCoarse) * kSharesCoarse + share_of(edge.weight, kSharesCoarse);
  kind.fine = (std::min(edge.agreed, kLongest) * kShares + share_of(edge.weight, kShares)) * kSources +
              static_cast<int>(edge.source);
  return fine_[kind.fine].estimate(coarse_[kind.coarse].estimate(kPriorTrust * edge.weight));
}

void AcceptanceCalibration::learn(Kind kind, bool accepted) {
  coarse_[kind.coarse].learn(accepted);
  fine_[kind.fine].learn(accepted);
}

double AcceptanceCalibration::Count::estimate(double guess) const {
  return (accepted + kPriorTokens * guess) / (seen + kPriorTokens);
}

void AcceptanceCalibration::Count::learn(bool right) {
  if (seen >= kEnough) {
    accepted /= 2;
    seen /= 2;
  }
  accepted += right;
  seen += 1;
}

}  // namespace ssr
