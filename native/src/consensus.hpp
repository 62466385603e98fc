// Which continuations a draft is made of, and the path that most of them agree on: `ssr.consensus.pooling` and `dag`.
#pragma once

#include <vector>

#include "memory.hpp"
#include "settings.hpp"

namespace ssr {

/// What follows `place` in `text`; it moves on as the draft grows. `agreed` is 0 off the path.
struct Continuation {
  const Text* text;
  std::int64_t place;
  int agreed;
  double weight;
  Source source;
};

/// The heaviest edge that leaves the path's end; `agreed` and `source` are of the one that speaks for it most.
struct Edge {
  Token token;
  double weight;
  int agreed;
  Source source;
};

/// Up to `settings.pool` continuations from the group; from history what is left of it, a third at least.
void pooled(const Settings& settings, const Token* suffix, int length, Owner sample, const SuffixMemory& group,
            const SuffixMemory* history, std::vector<Continuation>& pool);

/// The path through the layered graph, taken one token at a time.
class ConsensusGraph {
 public:
  ConsensusGraph(std::vector<Continuation>& pool, double alpha, const std::vector<double>& votes)
      : pool_(pool), alpha_(alpha), votes_(votes) {}

  /// The edge to take next; false where no continuation goes on.
  bool heaviest(Edge& edge);

  void advance(Token token);

 private:
  struct Candidate {
    Token token;
    double votes;
    double loudest;
    const Continuation* speaker;
  };
  void with_probabilities();

  std::vector<Continuation>& pool_;
  double alpha_;
  const std::vector<double>& votes_;  // of an agreement of so many tokens
  std::vector<Candidate> candidates_;
};

}  // namespace ssr
