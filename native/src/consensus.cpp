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

/// Places behind the suffix, from its longest order to the shortest; then those an edit of the last token away.
void occurrences(const Settings& settings, const Token* suffix, int length, Owner sample, const SuffixMemory& memory,
                 std::vector<Place>& found) {
  for (const int order : settings.orders) {
    if (order <= length) memory.find(suffix, length, order, found);
  }
  if (!settings.edits) return;
  std::vector<Place> before;
  for (const int order : settings.orders) {
    if (order > length - 1) continue;
    before.clear();
    memory.find(suffix, length - 1, order, before);
    for (const Place& one : before) {
      found.push_back({one.text, one.place + 1});
      const bool is_our_last = one.text->owner == sample &&
                               one.place + 1 >= static_cast<std::int64_t>(one.text->tokens.size());
      if (!is_our_last) found.push_back(one);
    }
  }
}

struct Match {
  Place at;
  int agreed;
};

/// The best matches in `memory`: none twice, `most` of them looked at.
void matches(const Settings& settings, const Token* suffix, int length, Owner sample, const SuffixMemory& memory,
             int most, std::vector<Match>& best) {
  std::vector<Place> found;
  occurrences(settings, suffix, length, sample, memory, found);
  std::vector<Place> seen;
  for (const Place& one : found) {
    if (one.place >= static_cast<std::int64_t>(one.text->tokens.size())) continue;
    const auto same = [&](const Place& other) { return other.text == one.text && other.place == one.place; };
    if (std::any_of(seen.begin(), seen.end(), same)) continue;
    seen.push_back(one);
    const int agreed =
        fuzzy_agreement(suffix, length, one.text->tokens, one.place, kLongestAgreement, settings.edits);
    if (agreed > 0) best.push_back({one, agreed});
    if (static_cast<int>(seen.size()) >= most) return;
  }
}

}  // namespace

void pooled(const Settings& settings, const Token* suffix, int length, Owner sample, const SuffixMemory& group,
            const SuffixMemory* history, std::vector<Continuation>& pool) {
  std::vector<Match> found;
  matches(settings, suffix, length, sample, group, settings.pool, found);
  for (const Match& one : found) {
    const bool own = one.at.text->owner == kPrompt || one.at.text->owner == sample;
    const double weight = own ? settings.own_weight : 1.0;
    if (weight != 0.0) {
      pool.push_back({one.at.text, one.at.place, one.agreed, weight, own ? Source::kOwn : Source::kSibling});
    }
  }
  if (!history || settings.history_weight == 0.0) return;
  const int rest = std::max(settings.pool - static_cast<int>(pool.size()), settings.pool / kHistoryPart);
  found.clear();
  matches(settings, suffix, length, kNobody, *history, rest, found);
  for (const Match& one : found) {
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
