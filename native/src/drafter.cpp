#include "drafter.hpp"

#include <algorithm>

namespace ssr {
namespace {

constexpr std::int64_t kHistoryPace = 4;  // tokens of history that are entered with each token of a sample

}  // namespace

Drafter::Drafter(Settings settings) : settings_(std::move(settings)), votes_{0.0, settings_.sharpness}, store_(settings_) {
  while (static_cast<int>(votes_.size()) <= kLongestAgreement) votes_.push_back(votes_.back() * settings_.sharpness);
}

void Drafter::start(Name sample, Name group, Name tenant, const std::vector<Token>& prompt, std::size_t known) {
  store_.join(sample, group, tenant).begin(sample, prompt.data(), prompt.size(), known);
  store_.settle(sample);
}

void Drafter::add(Name sample, const Token* tokens, std::size_t count, const double* probabilities) {
  Group& group = *store_.group(sample);
  group.samples.at(sample).meet(tokens, count, calibration_);
  group.memory.append(sample, tokens, count, probabilities);
  if (History* history = store_.history(group.tenant)) history->enter(kHistoryPace * static_cast<std::int64_t>(count));
  store_.settle(sample);
}

Draft Drafter::draft(Name sample, int most, double least) {
  Group& group = *store_.group(sample);
  Sample& state = group.samples.at(sample);
  most = std::min(most, settings_.max_draft);
  if (most <= 0 || !state.throttle.on()) {
    state.expect_nothing();
    return {};
  }
  const auto [suffix, length] = group.memory.ending(sample);
  const History* history = store_.history(group.tenant);
  pool_.clear();
  pooled(settings_, suffix, length, sample, group.memory, history ? &history->memory : nullptr, pool_);
  return extract(state, pool_, most, least);
}

Draft Drafter::extract(Sample& sample, std::vector<Continuation>& pool, int most, double least) const {
  Draft draft;
  sample.expect_nothing();
  ConsensusGraph graph(pool, settings_.alpha, votes_);
  double confidence = 1.0;
  Edge edge;
  while (static_cast<int>(draft.tokens.size()) < most && graph.heaviest(edge)) {
    Kind kind;
    const double probability = calibration_.probability(edge, kind);
    sample.expected.push_back({edge.token, kind});
    confidence *= probability;
    if (confidence < least) break;
    draft.tokens.push_back(edge.token);
    draft.confidences.push_back(confidence);
    draft.sources.push_back(edge.source);
    graph.advance(edge.token);
  }
  sample.drafted = draft.tokens.size();
  return draft;
}

std::vector<Draft> Drafter::pass(const std::vector<Row>& rows, std::int64_t budget, double least) {
  for (const Row& row : rows) {
    if (!store_.group(row.sample)) continue;
    add(row.sample, row.tokens.data(), row.tokens.size(), row.probabilities.empty() ? nullptr : row.probabilities.data());
  }
  std::vector<Draft> drafts;
  drafts.reserve(rows.size());
  for (const Row& row : rows) drafts.push_back(store_.group(row.sample) ? draft(row.sample, row.most, least) : Draft{});
  if (budget >= 0) share(rows, drafts, static_cast<std::size_t>(budget));
  return drafts;
}

/// Confidences fall along a draft, so the most confident tokens of all are a beginning of each draft.
void Drafter::share(const std::vector<Row>& rows, std::vector<Draft>& drafts, std::size_t budget) {
  struct Place {
    double confidence;
    std::size_t row;
  };
  std::vector<Place> places;
  for (std::size_t row = 0; row < drafts.size(); ++row) {
    for (const double confidence : drafts[row].confidences) places.push_back({confidence, row});
  }
  if (places.size() <= budget) return;
  std::stable_sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.confidence > b.confidence; });
  std::vector<std::size_t> kept(drafts.size(), 0);
  for (std::size_t i = 0; i < budget; ++i) ++kept[places[i].row];
  for (std::size_t row = 0; row < drafts.size(); ++row) {
    Draft& draft = drafts[row];
    if (kept[row] >= draft.tokens.size()) continue;
    draft.tokens.resize(kept[row]);
    draft.confidences.resize(kept[row]);
    draft.sources.resize(kept[row]);
    Sample& sample = store_.group(rows[row].sample)->samples.at(rows[row].sample);
    sample.expected.resize(std::min(sample.expected.size(), kept[row] + 1));
    sample.drafted = kept[row];
  }
}

}  // namespace ssr
