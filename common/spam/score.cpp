// SPDX-License-Identifier: MIT
#include "common/spam/score.hpp"

#include <algorithm>
#include <cmath>

namespace gk::spam {

namespace {

// Found by trying on the oldest two fifths of the benchmark's corpus (bench/README.md), and flat around these values.
constexpr double kRate = 10;
constexpr double kDoubt = 0.05;  // what differs less from the truth is not learned from
constexpr double kFew = 20;      // so that one word of three does not decide

double probability(double logit) noexcept { return 1 / (1 + std::exp(-std::clamp(logit, -700.0, 700.0))); }

std::int64_t weight_of(std::uint64_t id, std::span<const Table* const> tables) noexcept {
    std::int64_t sum = 0;
    for (const Table* table : tables) sum += table->weight(id);
    return sum;
}

}  // namespace

std::array<double, kGroups> scales_of(const Features& features) noexcept {
    std::array<double, kGroups> scales{};
    for (std::size_t g = 0; g < kGroups; ++g)
        scales[g] = 1 / std::sqrt(static_cast<double>(features.count(static_cast<Group>(g))) + kFew);
    return scales;
}

double logit(const Features& features, std::span<const Table* const> tables) noexcept {
    std::array<std::int64_t, kGroups> sums{};
    for (std::size_t i = 0; i < features.size(); ++i)
        sums[static_cast<std::size_t>(features.group(i))] += weight_of(features.id(i), tables);
    const auto scales = scales_of(features);
    double out = 0;
    for (std::size_t g = 0; g < kGroups; ++g) out += static_cast<double>(sums[g]) * kUnit * scales[g];
    return out;
}

Steps steps_for(const Features& features, double logit, bool spam) noexcept {
    const double error = (spam ? 1 : 0) - probability(logit);
    if (std::abs(error) < kDoubt) return {};
    const auto scales = scales_of(features);
    Steps steps{};
    for (std::size_t g = 0; g < kGroups; ++g)
        steps[g] = static_cast<std::int64_t>(std::llround(kRate * error * scales[g] / kUnit));
    return steps;
}

std::string_view verdict_name(Verdict verdict) noexcept {
    return verdict == Verdict::Spam ? "spam" : verdict == Verdict::Ham ? "ham" : "unsure";
}

Judgement judge(const Features& features, std::span<const Table* const> tables, const Rules& rules) {
    Judgement out;
    std::uint64_t spam = 0, ham = 0;
    for (const Table* table : tables) {
        spam += table->learned().spam;
        ham += table->learned().ham;
    }
    out.score = probability(logit(features, tables));
    if (spam >= rules.least && ham >= rules.least)
        out.verdict = out.score >= rules.threshold ? Verdict::Spam : Verdict::Ham;

    const auto scales = scales_of(features);
    std::vector<std::pair<double, std::size_t>> weights;
    weights.reserve(features.size());
    for (std::size_t i = 0; i < features.size(); ++i) {
        const double weight = static_cast<double>(weight_of(features.id(i), tables)) * kUnit *
                              scales[static_cast<std::size_t>(features.group(i))];
        if (weight != 0) weights.emplace_back(weight, i);
    }
    const std::size_t most = std::min(rules.reasons, weights.size());
    std::partial_sort(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(most), weights.end(),
                      [](const auto& a, const auto& b) {
                          return std::abs(a.first) != std::abs(b.first) ? std::abs(a.first) > std::abs(b.first)
                                                                        : a.second < b.second;
                      });
    for (std::size_t i = 0; i < most; ++i)
        out.reasons.push_back({std::string(features.text(weights[i].second)), weights[i].first});
    return out;
}

}  // namespace gk::spam
