// SPDX-License-Identifier: MIT
#include "common/delivery/spam_filter.hpp"

#include <algorithm>

#include "common/base/log.hpp"

namespace gk::delivery {

namespace {

spam::Table table_in(const std::string& directory) {
    auto table = spam::Table::open(spam::Model::table_path(directory));
    if (table) return std::move(*table);
    if (table.error().code != Errc::NotFound)
        log::Event("delivery.spam_unread", log::Level::Warning).field("error", table.error().text);
    return {};
}

}  // namespace

SpamFilter::SpamFilter(const config::Config& config)
    : mark_(config.string("spam.delivery") != "off"),
      file_(config.string("spam.delivery") == "junk"),
      shared_(spam::shared_directory(config.paths())),
      limits_(spam::feature_limits(config)),
      rules_(spam::rules(config)) {}

SpamFilter::Opinion SpamFilter::of(const std::string& home, std::string_view front, std::string_view message) const {
    if (!mark_) return {};
    const spam::Table shared = table_in(shared_), own = table_in(home);
    if (shared.features() + own.features() == 0) return {};
    std::string begin(front);
    begin += message.substr(0, limits_.message - std::min(limits_.message, front.size()));
    const spam::Table* const tables[] = {&shared, &own};
    const auto judged = spam::judge(spam::features_of(begin, limits_), tables, rules_);
    return {spam::format_field(judged), file_ && judged.verdict == spam::Verdict::Spam};
}

}  // namespace gk::delivery
