// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/spam/features.hpp"
#include "common/spam/table.hpp"

// What features and weights say together: a logistic regression, learned message by message.
namespace gk::spam {

// A weight is a whole number of these, so that what was added can be taken away again to the last bit.
inline constexpr double kUnit = 1.0 / (1 << 20);

// How much one feature of each group counts in a message with that many of them. Long messages must not shout.
std::array<double, kGroups> scales_of(const Features& features) noexcept;

// The sum of weights, in logits: below 0 rather wanted, above 0 rather spam.
double logit(const Features& features, std::span<const Table* const> tables) noexcept;

// What learning FEATURES as SPAM adds to the weight of each of its features, by group; all 0 where the tables say that
// already, and clearly: learning only from what was doubtful keeps models small and decides better.
using Steps = std::array<std::int64_t, kGroups>;
Steps steps_for(const Features& features, double logit, bool spam) noexcept;

struct Reason {
    std::string feature;
    double weight = 0;  // in logits; above 0 for spam
};

enum class Verdict { Ham, Spam, Unsure };
std::string_view verdict_name(Verdict verdict) noexcept;

struct Judgement {
    Verdict verdict = Verdict::Unsure;
    double score = 0.5;           // 0 to 1
    std::vector<Reason> reasons;  // the heaviest first
};

struct Rules {
    double threshold = 0.9;    // a score of that much is spam
    std::uint64_t least = 50;  // of each kind that the tables must have learned, together, before they judge
    std::size_t reasons = 5;
};

Judgement judge(const Features& features, std::span<const Table* const> tables, const Rules& rules);

}  // namespace gk::spam
