#include "consensus.hpp"

#include <algorithm>

namespace ssr {
namespace {

constexpr int kBeyond = 3;       // tokens that agree beyond an edit count so much less than those before it
constexpr int kHistoryPart = 3;  // of the pool, one part is for history at least

/// The number of last tokens of `mine` that equal those of `theirs` before `place`; at most `most`.
int agreement(const Token* mine, int length, const std::vector<Token>& theirs, std::int64_t place, int most) {
  const int reach = static_cast<int>(std::min<std::int64_t>({most, place, length}));
  int agreed = 0;
  while (agreed < reach && mine[length - 1 - agreed] == theirs[place - 1 - agreed]) ++agreed;
  return agreed;
}

/// As `agreement`, with up to `edits` tokens replaced, missing or added; tokens beyond an edit count a third.
int fuzzy_agreement(const Token* mine, int length, const std::vector<Token>& theirs, std::int64_t place, int most,
                    int edits) {
  const int exact = agreement(mine, length, theirs, place, most);
  if (!edits || exact >= most) return exact;
  int best = exact;
  constexpr int skips[3][2] = {{1, 1}, {1, 0}, {0, 1}};
  for (const auto& skip : skips) {
    const int rest = std::max(0, length - exact - skip[0]);
    const std::int64_t start = place - exact - skip[1];
    if (rest && start > 0) {
      best = std::max(best, exact + fuzzy_agreement(mine, rest, theirs, start, most - exact, edits - 1) / kBeyond);
    }
  }
  return best;
}

struct Match {
  Place at;
  int agreed;
};

/// The best matches in a memory: none twice, `most` of them looked at.
class Matches {
 public:
  Matches(const Settings& settings, const Token* suffix, int length, Owner sample, const SuffixMemory& memory, int most)
      : settings_(settings), suffix_(suffix), length_(length), sample_(sample), memory_(memory), most_(most) {}

  /// Places behind the suffix, from its longest order to the shortest; then those an edit of the last token away.
  const std::vector<Match>& found() {
    for (const int order : settings_.orders) {
      for (const Place& one : places(length_, order)) {
        if (consider(one)) return best_;
      }
    }
    if (!settings_.edits) return best_;
    for (const int order : settings_.orders) {
      for (const Place& one : places(length_ - 1, order)) {
        if (consider({one.text, one.place + 1})) return best_;
        if (!is_our_last(one) && consider(one)) return best_;
      }
    }
    return best_;
  }

 private:
  const std::vector<Place>& places(int length, int order) {
    places_.clear();
    if (order <= length) memory_.find(suffix_, length, order, places_);
    return places_;
  }

  bool is_our_last(const Place& one) const {
    return one.text->owner == sample_ && one.place + 1 >= static_cast<std::int64_t>(one.text->tokens.size());
  }

  /// Whether that are enough.
  bool consider(const Place& one) {
    if (one.place >= static_cast<std::int64_t>(one.text->tokens.size())) return false;
    const auto same = [&](const Place& other) { return other.text == one.text && other.place == one.place; };
    if (std::any_of(seen_.begin(), seen_.end(), same)) return false;
    seen_.push_back(one);
    const int agreed =
        fuzzy_agreement(suffix_, length_, one.text->tokens, one.place, kLongestAgreement, settings_.edits);
    if (agreed > 0) best_.push_back({one, agreed});
    return static_cast<int>(seen_.size()) >= most_;
  }

  const Settings& settings_;
  const Token* suffix_;
  int length_;
  Owner sample_;
  const SuffixMemory& memory_;
  int most_;
  std::vector<Place> places_, seen_;
  std::vector<Match> best_;
};

}  // namespace

void pooled(const Settings& settings, const Token* suffix, int length, Owner sample, const SuffixMemory& group,
            const SuffixMemory* history, std::vector<Continuation>& pool) {
  Matches in_group(settings, suffix, length, sample, group, settings.pool);
  for (const Match& one : in_group.found()) {
    const bool own = one.at.text->owner == kPrompt || one.at.text->owner == sample;
    const double weight = own ? settings.own_weight : 1.0;
    if (weight != 0.0) {
      pool.push_back({one.at.text, one.at.place, one.agreed, weight, own ? Source::kOwn : Source::kSibling});
    }
  }
  if (!history || settings.history_weight == 0.0) return;
  const int rest = std::max(settings.pool - static_cast<int>(pool.size()), settings.pool / kHistoryPart);
  Matches in_history(settings, suffix, length, kNobody, *history, rest);
  for (const Match& one : in_history.found()) {
    pool.push_back({one.at.text, one.at.place, one.agreed, settings.history_weight, Source::kHistory});
  }
}

bool ConsensusGraph::heaviest(Edge& edge) {
  candidates_.clear();
  for (const Continuation& one : pool_) {
    if (!one.agreed || one.place >= static_cast<std::int64_t>(one.text->tokens.size())) continue;
    const double vote = one.weight * votes_[std::min(one.agreed, kLongestAgreement)];
    const Token token = one.text->tokens[one.place];
    const auto known = std::find_if(candidates_.begin(), candidates_.end(),
                                    [&](const Candidate& other) { return other.token == token; });
    if (known == candidates_.end()) {
      candidates_.push_back({token, vote, vote, &one});
    } else {
      known->votes += vote;
      if (vote > known->loudest) {
        known->loudest = vote;
        known->speaker = &one;
      }
    }
  }
  if (candidates_.empty()) return false;
  double total = 0.0;
  for (const Candidate& one : candidates_) total += one.votes;
  if (alpha_ != 0.0) {
    for (Candidate& one : candidates_) one.votes /= total;
    with_probabilities();
    total = 1.0;
  }
  const Candidate* best = &candidates_.front();  // of equals the first: the longer and later match
  for (const Candidate& one : candidates_) {
    if (one.votes > best->votes) best = &one;
  }
  edge = {best->token, best->votes / total, best->speaker->agreed, best->speaker->source};
  return true;
}

void ConsensusGraph::advance(Token token) {
  for (Continuation& one : pool_) {
    const auto& tokens = one.text->tokens;
    const bool here = one.place < static_cast<std::int64_t>(tokens.size()) && tokens[one.place] == token;
    one.agreed = here ? one.agreed + 1 : 0;
    ++one.place;
  }
}

void ConsensusGraph::with_probabilities() {
  for (Candidate& candidate : candidates_) {
    double sum = 0.0;
    int count = 0;
    for (const Continuation& one : pool_) {
      if (one.agreed && one.text->reported && one.place < static_cast<std::int64_t>(one.text->probabilities.size()) &&
          one.text->tokens[one.place] == candidate.token) {
        sum += one.text->probabilities[one.place];
        ++count;
      }
    }
    if (count) candidate.votes = alpha_ * sum / count + (1 - alpha_) * candidate.votes;
  }
}

}  // namespace ssr
