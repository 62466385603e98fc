#include "memory.hpp"

#include <algorithm>

namespace ssr {
namespace {

// An occurrence is one integer below 2^63: the text's number, and in the low bits the place of the token that follows.
constexpr int kPlaceBits = 32;
constexpr std::uint64_t kPlace = (1ull << kPlaceBits) - 1;

constexpr std::uint64_t kStart = 0x9e3779b97f4a7c15ull;

/// Of a run of tokens, taken from its last to its first.
std::uint64_t mixed(std::uint64_t hash, Token token) {
  hash = (hash ^ static_cast<std::uint32_t>(token)) * 0xff51afd7ed558ccdull;
  return hash ^ (hash >> 32);
}

/// Orders are kept apart, and 0 is no key.
std::uint64_t key_of(std::uint64_t hash, int order) {
  hash = (hash + static_cast<std::uint64_t>(order)) * 0xc4ceb9fe1a85ec53ull;
  return (hash ^ (hash >> 29)) | 1;
}

}  // namespace

void Text::append(Token token, const double* probability) {
  if (probability && !reported) {
    reported = true;
    probabilities.assign(tokens.size(), 0.0);
  }
  tokens.push_back(token);
  if (reported) probabilities.push_back(probability ? *probability : 0.0);
}

Text* Generation::text(Owner owner) const {
  const auto found = numbers.find(owner);
  return found == numbers.end() ? nullptr : texts[found->second].get();
}

std::uint32_t Generation::open(std::unique_ptr<Text> text) {
  const auto number = static_cast<std::uint32_t>(texts.size());
  numbers[text->owner] = number;
  texts.push_back(std::move(text));
  return number;
}

SuffixMemory::SuffixMemory(const std::vector<int>& orders, std::int64_t limit, int keep)
    : rising_(orders.rbegin(), orders.rend()),
      half_(std::max<std::int64_t>(1, limit / 2)),
      keep_(static_cast<std::size_t>(keep)),
      young_(keep_),
      old_(keep_) {}

void SuffixMemory::begin(Owner owner, const Token* before, std::size_t count) {
  const std::size_t kept = std::min<std::size_t>(count, kLongestAgreement);
  auto text = std::make_unique<Text>();
  text->owner = owner;
  text->tokens.assign(before + (count - kept), before + count);
  young_.open(std::move(text));
}

void SuffixMemory::append(Owner owner, const Token* tokens, std::size_t count, const double* probabilities) {
  for (std::size_t i = 0; i < count; ++i) {
    if (young_.tokens >= half_) {
      old_ = std::move(young_);
      young_ = Generation(keep_);
    }
    std::uint32_t number;
    const auto known = young_.numbers.find(owner);
    if (known != young_.numbers.end()) {
      number = known->second;
    } else {
      auto text = std::make_unique<Text>();
      text->owner = owner;
      if (const Text* before = old_.text(owner)) {
        const std::size_t kept = std::min<std::size_t>(before->tokens.size(), kLongestAgreement);
        text->tokens.assign(before->tokens.end() - kept, before->tokens.end());
        text->reported = before->reported;
        if (before->reported) text->probabilities.assign(before->probabilities.end() - kept, before->probabilities.end());
      }
      number = young_.open(std::move(text));
    }
    Text& text = *young_.texts[number];
    note(young_, text.tokens, static_cast<std::uint64_t>(number) << kPlaceBits | text.tokens.size());
    text.append(tokens[i], probabilities ? probabilities + i : nullptr);
    ++young_.tokens;
  }
}

std::pair<const Token*, int> SuffixMemory::ending(Owner owner) const {
  const Text* text = young_.text(owner);
  if (!text) text = old_.text(owner);
  if (!text) return {nullptr, 0};
  const int kept = static_cast<int>(std::min<std::size_t>(text->tokens.size(), kLongestAgreement));
  return {text->tokens.data() + text->tokens.size() - kept, kept};
}

void SuffixMemory::find(const Token* suffix, int length, int order, std::vector<Place>& found) const {
  std::uint64_t hash = kStart;
  for (int back = 1; back <= order; ++back) hash = mixed(hash, suffix[length - back]);
  const std::uint64_t key = key_of(hash, order);
  for (const Generation* generation : {&young_, &old_}) {
    generation->occurrences.each(key, [&](std::uint64_t occurrence) {
      const Text* text = generation->texts[occurrence >> kPlaceBits].get();
      if (text) found.push_back({text, static_cast<std::int64_t>(occurrence & kPlace)});
    });
  }
}

void SuffixMemory::forget(Owner owner) {
  for (Generation* generation : {&young_, &old_}) {
    const auto known = generation->numbers.find(owner);
    if (known == generation->numbers.end()) continue;
    generation->texts[known->second].reset();
    generation->numbers.erase(known);
  }
}

std::vector<std::vector<Token>> SuffixMemory::written() const {
  std::vector<std::vector<Token>> all;
  for (const Generation* generation : {&old_, &young_}) {
    for (const auto& text : generation->texts) {
      if (text && text->owner != kPrompt) all.push_back(text->tokens);
    }
  }
  return all;
}

void SuffixMemory::note(Generation& young, const std::vector<Token>& tokens, std::uint64_t occurrence) {
  std::uint64_t hash = kStart;
  std::size_t hashed = 0;
  for (const int order : rising_) {
    const auto wanted = static_cast<std::size_t>(order);
    if (wanted > tokens.size()) break;
    while (hashed < wanted) hash = mixed(hash, tokens[tokens.size() - ++hashed]);
    young.occurrences.add(key_of(hash, order), occurrence);
  }
}

}  // namespace ssr
