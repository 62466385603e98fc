// Parallel samples of one problem draft for each other: `ssr.consensus.drafter`, which this is checked against.
#pragma once

#include <utility>
#include <vector>

#include "store.hpp"

namespace ssr {

struct Draft {
  std::vector<Token> tokens;
  std::vector<double> confidences;
  std::vector<Source> sources;
};

/// A sample's part of a pass: what the model wrote since the last one, and how many tokens may be drafted now.
struct Row {
  Name sample;
  std::vector<Token> tokens;
  std::vector<double> probabilities;  // as many as there are tokens, or none
  int most;
};

/// The caller checks names: a sample or group that is not known here is the caller's error, but for `pass`.
class Drafter {
 public:
  explicit Drafter(Settings settings);
  Drafter(const Drafter&) = delete;  // its parts refer to its settings
  Drafter& operator=(const Drafter&) = delete;

  void start(Name sample, Name group, Name tenant, const std::vector<Token>& prompt, std::size_t known);
  void add(Name sample, const Token* tokens, std::size_t count, const double* probabilities);
  Draft draft(Name sample, int most, double least);
  void finish(Name sample) { store_.finish(sample); }
  void remove(Name sample) { store_.remove(sample); }
  void end_group(Name group) { store_.end(group); }

  /// Add all tokens, then draft for all; `budget` is for all rows together, none below 0. Rows of samples that were
  /// forgotten get no draft.
  std::vector<Draft> pass(const std::vector<Row>& rows, std::int64_t budget, double least);

  std::int64_t tokens() const { return store_.tokens; }
  Forgotten take_forgotten() { return std::exchange(store_.forgotten, {}); }
  bool has_forgotten() const { return !store_.forgotten.samples.empty() || !store_.forgotten.groups.empty(); }

 private:
  Draft extract(Sample& sample, std::vector<Continuation>& pool, int most, double least) const;
  void share(const std::vector<Row>& rows, std::vector<Draft>& drafts, std::size_t budget);

  Settings settings_;
  std::vector<double> votes_;
  AcceptanceCalibration calibration_;
  GroupStore store_;
  std::vector<Continuation> pool_;
};

}  // namespace ssr
