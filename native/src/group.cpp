#include "group.hpp"

#include <algorithm>

namespace ssr {

void Sample::expect_nothing() {
  expected.clear();
  drafted = met = 0;
}

void Sample::meet(const Token* tokens, std::size_t count, AcceptanceCalibration& calibration) {
  for (std::size_t i = 0; i < count; ++i) {
    if (met == expected.size()) return;
    const Expected& one = expected[met];
    const bool right = one.token == tokens[i];
    calibration.learn(one.kind, right);
    if (!right) return settle();
    ++met;
  }
  if (drafted && met >= drafted) settle();
}

void Sample::settle() {
  if (drafted) throttle.observe(static_cast<double>(drafted), static_cast<double>(std::min(met, drafted)));
  expect_nothing();
}

Group::Group(Name tenant, const Settings& settings)
    : tenant(tenant), memory(settings.orders, settings.group_tokens, settings.pool), settings_(settings) {}

void Group::begin(Name name, const Token* prompt, std::size_t count, std::size_t known) {
  samples.emplace(name, Sample{Throttle(settings_.rest_below)});
  if (!prompt_.empty()) {
    const std::size_t shorter = std::min(count, prompt_.size());
    const auto common = static_cast<std::size_t>(std::mismatch(prompt, prompt + shorter, prompt_.begin()).first - prompt);
    known = std::min(std::max(known, common), count);
  } else {
    prompt_.assign(prompt, prompt + count);
    known = count;
    memory.append(kPrompt, prompt, count, nullptr);
  }
  memory.begin(name, prompt, known);
  memory.append(name, prompt + known, count - known, nullptr);
}

void Group::finish(Name name) {
  samples.erase(name);
  ++finished;
}

void Group::remove(Name name) {
  samples.erase(name);
  memory.forget(name);
}

void Group::clear() { memory = SuffixMemory(settings_.orders, settings_.group_tokens, settings_.pool); }

History::History(const Settings& settings)
    : memory(settings.orders, settings.history_tokens, settings.pool), most_waiting_(settings.history_tokens) {}

void History::take(std::vector<std::vector<Token>> texts) {
  for (auto& text : texts) {
    waiting_tokens_ += static_cast<std::int64_t>(text.size());
    waiting_.push_back(std::move(text));
  }
  while (waiting_tokens_ > most_waiting_) leave();
}

void History::enter(std::int64_t tokens) {
  while (tokens > 0 && !waiting_.empty()) {
    const auto& text = waiting_.front();
    if (!entered_) owner_ = next_++;
    const std::size_t part = std::min(static_cast<std::size_t>(tokens), text.size() - entered_);
    memory.append(owner_, text.data() + entered_, part, nullptr);
    entered_ += part;
    tokens -= static_cast<std::int64_t>(part);
    if (entered_ >= text.size()) leave();
  }
}

void History::leave() {
  waiting_tokens_ -= static_cast<std::int64_t>(waiting_.front().size());
  waiting_.pop_front();
  entered_ = 0;
}

}  // namespace ssr
