// The samples of one problem and what they wrote; and what a tenant's finished problems leave: `group`, `history`.
#pragma once

#include <deque>
#include <unordered_map>

#include "calibration.hpp"
#include "memory.hpp"
#include "throttle.hpp"

namespace ssr {

using Name = std::int64_t;

/// What is expected to be written next.
struct Expected {
  Token token;
  Kind kind;
};

/// One sample: `drafted` tokens are being verified; they are the first of `expected`, of which `met` have come true.
struct Sample {
  Throttle throttle;
  std::size_t drafted = 0;
  std::vector<Expected> expected;
  std::size_t met = 0;

  void expect_nothing();
  void meet(const Token* tokens, std::size_t count, AcceptanceCalibration& calibration);

 private:
  void settle();
};

/// Of one tenant. `samples` are those that run; of the finished ones only what they wrote is kept.
class Group {
 public:
  Group(Name tenant, const Settings& settings);

  void begin(Name name, const Token* prompt, std::size_t count, std::size_t known);
  void finish(Name name);
  void remove(Name name);
  void clear();

  Name tenant;
  std::unordered_map<Name, Sample> samples;
  std::size_t finished = 0;
  std::int64_t counted = 0;  // tokens when last settled
  SuffixMemory memory;

 private:
  const Settings& settings_;
  std::vector<Token> prompt_;
};

/// Finished texts wait here, and are entered bit by bit so that no call pays for a whole group.
class History {
 public:
  explicit History(const Settings& settings);

  std::int64_t tokens() const { return memory.tokens() + waiting_tokens_; }
  void take(std::vector<std::vector<Token>> texts);
  void enter(std::int64_t tokens);

  SuffixMemory memory;
  std::int64_t counted = 0;

 private:
  void leave();

  std::int64_t most_waiting_;
  std::deque<std::vector<Token>> waiting_;
  std::int64_t waiting_tokens_ = 0;
  Owner next_ = 0;
  Owner owner_ = 0;
  std::size_t entered_ = 0;  // tokens of the first waiting text
};

}  // namespace ssr
