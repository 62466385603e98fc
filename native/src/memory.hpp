// Texts, and where every k-token suffix occurred in them: filled token by token, never rebuilt, bounded in size.
#pragma once

#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "occurrences.hpp"
#include "settings.hpp"

namespace ssr {

/// Who wrote a text: a sample's number, or one of these.
using Owner = std::int64_t;
constexpr Owner kPrompt = -1;
constexpr Owner kNobody = -2;

/// What an owner wrote, as far as a generation remembers it. `probabilities` are the model's, where `reported`.
struct Text {
  Owner owner;
  std::vector<Token> tokens;
  std::vector<double> probabilities;
  bool reported = false;

  void append(Token token, const double* probability);
};

/// A text, and the place of the token that follows.
struct Place {
  const Text* text;
  std::int64_t place;
};

class Generation {
 public:
  explicit Generation(std::size_t keep) : occurrences(keep) {}

  Text* text(Owner owner) const;
  std::uint32_t open(std::unique_ptr<Text> text);

  std::vector<std::unique_ptr<Text>> texts;
  std::unordered_map<Owner, std::uint32_t> numbers;  // of each owner's text in `texts`
  Occurrences occurrences;
  std::int64_t tokens = 0;
};

/// At most about `limit` tokens; of each suffix the latest `keep` occurrences in each of two generations.
class SuffixMemory {
 public:
  SuffixMemory(const std::vector<int>& orders, std::int64_t limit, int keep);

  std::int64_t tokens() const { return young_.tokens + old_.tokens; }

  /// Start a text of `owner`, who has none, that continues what is before it (which is not remembered here).
  void begin(Owner owner, const Token* before, std::size_t count);

  /// Remember that `tokens` follow what `owner` has written; `probabilities` may be null.
  void append(Owner owner, const Token* tokens, std::size_t count, const double* probabilities);

  /// The last tokens of `owner`, as many as a match can agree with.
  std::pair<const Token*, int> ending(Owner owner) const;

  /// Where the last `order` tokens of a suffix occurred; about the latest first. The caller compares the tokens.
  void find(const Token* suffix, int length, int order, std::vector<Place>& found) const;

  void forget(Owner owner);

  /// All that owners other than the prompt's wrote, older first.
  std::vector<std::vector<Token>> written() const;

 private:
  void note(Generation& young, const std::vector<Token>& tokens, std::uint64_t occurrence);

  std::vector<int> rising_;  // the orders, shortest first
  std::int64_t half_;
  std::size_t keep_;
  Generation young_, old_;
};

}  // namespace ssr
