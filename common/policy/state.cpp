// SPDX-License-Identifier: MIT
#include "common/policy/state.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::policy {

namespace {

constexpr std::uint64_t kMostBytes = 256u << 20;
constexpr std::size_t kMostKey = 300;
constexpr std::int64_t kSeenEvery = 86400;  // how exactly "last seen" is written down
constexpr std::int64_t kNever = 1LL << 50;

std::string key_of(std::string_view kind, std::string_view network, std::string_view domain) {
    return fmt::format("{} {} {}", kind, network, domain);
}

}  // namespace

std::string format_line(const State::Line& line) {
    return fmt::format("{} {} {} {} {} {}", line.kind, line.network,
                       line.domain.empty() ? "-" : text::percent_encode(line.domain), line.first_s, line.last_s,
                       line.passed ? 1 : 0);
}

std::optional<State::Line> parse_line(std::string_view text) {
    const auto words = text::split(text, ' ');
    if (words.size() != 6 || words[1].empty() || words[1].size() > kMostKey || words[2].empty()) return std::nullopt;
    if (words[0] != "grey" && words[0] != "authentic" && words[0] != "block") return std::nullopt;
    const auto domain = words[2] == "-" ? std::optional(std::string()) : text::percent_decode(words[2]);
    const auto first = text::to_int(words[3]), last = text::to_int(words[4]);
    if (!domain || domain->size() > kMostKey || !first || !last || (words[5] != "0" && words[5] != "1"))
        return std::nullopt;
    if (*first < 0 || *last < 0 || *first > kNever || *last > kNever) return std::nullopt;
    return State::Line{std::string(words[0]), std::string(words[1]), *domain, *first, *last, words[5] == "1"};
}

Result<std::unique_ptr<State>> State::open(std::string file, const StateLimits& limits, bool read_only) {
    std::unique_ptr<State> state(new State(std::move(file), limits, read_only));
    if (!os::exists(state->file_)) return state;
    GK_TRY(const std::string text, os::read_file(state->file_, kMostBytes));
    for (const auto line : text::split(text, '\n')) {
        // A line that a full disk cut short is lost, and no more.
        if (auto parsed = parse_line(line)) {
            auto key = key_of(parsed->kind, parsed->network, parsed->domain);
            if (state->lines_.size() < limits.remembered || state->lines_.contains(key))
                state->lines_.insert_or_assign(std::move(key), std::move(*parsed));
        }
        ++state->appended_;
    }
    return state;
}

bool State::is_over(const Line& line, std::int64_t now_s) const noexcept {
    if (line.kind == "block") return line.last_s <= now_s;
    if (line.kind == "grey" && !line.passed) return now_s - line.first_s > limits_.window_s;
    return now_s - line.last_s > limits_.keep_s;
}

void State::make_room(std::int64_t now_s) {
    if (lines_.size() < limits_.remembered) return;
    std::erase_if(lines_, [&](const auto& one) { return is_over(one.second, now_s); });
    if (lines_.size() < limits_.remembered) return;
    // A tenth at once, so that this is rare. Who waits is cheaper to forget than who passed.
    std::vector<std::pair<std::int64_t, const std::string*>> ages;
    for (const auto& [key, line] : lines_) ages.emplace_back(line.last_s + (line.passed ? limits_.keep_s : 0), &key);
    const auto tenth = std::max<std::size_t>(lines_.size() / 10, 1);
    std::nth_element(ages.begin(), ages.begin() + static_cast<std::ptrdiff_t>(tenth - 1), ages.end());
    std::vector<std::string> gone;
    for (std::size_t i = 0; i < tenth; ++i) gone.push_back(*ages[i].second);
    for (const auto& key : gone) lines_.erase(key);
}

void State::put(Line line, std::int64_t now_s) {
    std::string text = format_line(line) + "\n";
    auto key = key_of(line.kind, line.network, line.domain);
    if (!lines_.contains(key)) make_room(now_s);
    lines_.insert_or_assign(std::move(key), std::move(line));
    if (read_only_) return;
    if (++appended_ > 2 * lines_.size() + 1000) {
        std::erase_if(lines_, [&](const auto& one) { return is_over(one.second, now_s); });
        if (write_anew()) return;
    }
    (void)os::append_regular_file(file_, text, 0640);
}

Status State::write_anew() {
    std::string text;
    for (const auto& [key, line] : lines_) text += format_line(line) + "\n";
    GK_CHECK(os::replace_file(file_, text, 0640));
    appended_ = lines_.size();
    return ok();
}

State::Grey State::greylist(const std::string& network, std::string_view sender_domain, std::int64_t now_s) {
    const std::lock_guard lock(mutex_);
    const std::string domain = text::lower(sender_domain.substr(0, kMostKey));
    if (const auto known = lines_.find(key_of("authentic", network, ""));
        known != lines_.end() && !is_over(known->second, now_s)) {
        if (now_s - known->second.last_s > kSeenEvery)
            put({"authentic", network, "", known->second.first_s, now_s, true}, now_s);
        return {true, 0, "its mail was authentic before"};
    }
    const auto found = lines_.find(key_of("grey", network, domain));
    if (found == lines_.end() || is_over(found->second, now_s)) {
        put({"grey", network, domain, now_s, now_s, false}, now_s);
        return {false, limits_.delay_s, "not seen before"};
    }
    const Line line = found->second;
    if (line.passed) {
        if (now_s - line.last_s > kSeenEvery) put({"grey", network, domain, line.first_s, now_s, true}, now_s);
        return {true, 0, "it came back before"};
    }
    const std::int64_t waited = now_s - line.first_s;
    if (waited < limits_.delay_s) return {false, limits_.delay_s - std::max<std::int64_t>(waited, 0), "back too soon"};
    put({"grey", network, domain, line.first_s, now_s, true}, now_s);
    return {true, 0, fmt::format("back after {} s", waited)};
}

void State::authentic(const std::string& network, std::int64_t now_s) {
    const std::lock_guard lock(mutex_);
    const auto found = lines_.find(key_of("authentic", network, ""));
    if (found != lines_.end() && now_s - found->second.last_s < kSeenEvery) return;
    put({"authentic", network, "", found == lines_.end() ? now_s : found->second.first_s, now_s, true}, now_s);
}

bool State::is_known(const std::string& network, std::int64_t now_s) const {
    const std::lock_guard lock(mutex_);
    for (const std::string_view kind : {"authentic", "grey"}) {
        const std::string all = key_of(kind, network, "");
        for (auto at = lines_.lower_bound(all); at != lines_.end() && at->first.starts_with(all); ++at)
            if (at->second.passed && !is_over(at->second, now_s)) return true;
    }
    return false;
}

void State::block(const std::string& network, std::int64_t until_s, std::int64_t now_s) {
    const std::lock_guard lock(mutex_);
    put({"block", network, "", now_s, until_s, true}, now_s);
}

std::optional<std::int64_t> State::blocked(const std::string& network, std::int64_t now_s) const {
    const std::lock_guard lock(mutex_);
    const auto found = lines_.find(key_of("block", network, ""));
    if (found == lines_.end() || is_over(found->second, now_s)) return std::nullopt;
    return found->second.last_s;
}

std::vector<State::Line> State::lines() const {
    const std::lock_guard lock(mutex_);
    std::vector<Line> all;
    for (const auto& [key, line] : lines_) all.push_back(line);
    return all;
}

Result<std::size_t> State::prune(std::int64_t now_s) {
    const std::lock_guard lock(mutex_);
    const auto gone = std::erase_if(lines_, [&](const auto& one) { return is_over(one.second, now_s); });
    if (!read_only_) GK_CHECK(write_anew());
    return gone;
}

void State::set_limits(const StateLimits& limits) {
    const std::lock_guard lock(mutex_);
    limits_ = limits;
}

}  // namespace gk::policy
