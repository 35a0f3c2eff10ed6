// SPDX-License-Identifier: MIT
#include "common/queue/stats.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::queue {

std::size_t age_column(TimePoint at, TimePoint then) noexcept {
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(at - then).count();
    return static_cast<std::size_t>(
        std::upper_bound(kAgeMinutes.begin(), kAgeMinutes.end(), std::max<std::int64_t>(minutes, 0),
                         [](std::int64_t age, unsigned limit) { return age < static_cast<std::int64_t>(limit); }) -
        kAgeMinutes.begin());
}

Tally::Tally(By by, TimePoint at, std::vector<Stat> counted) : by_(by), at_(at) {
    for (auto& stat : counted) {
        const std::string name = stat.name;
        stats_.emplace(name, std::move(stat));
    }
}

void Tally::add(const Summary& s) {
    std::set<std::string> names;
    if (by_ == By::Sender) names.insert(s.sender);
    else if (by_ == By::Account) names.insert(s.account);
    else
        for (const auto& address : s.recipients) names.insert(domain_of(address));
    const auto column = age_column(at_, s.arrival);
    for (const auto& name : names) {
        Stat& stat = stats_[name];
        stat.name = name;
        ++stat.messages;
        stat.held += s.status == "held";
        stat.size += s.size;
        if (by_ == By::Age) ++stat.ages[column];
        if (stat.oldest == TimePoint{} || s.arrival < stat.oldest) stat.oldest = s.arrival;
        const bool has_next = (by_ == By::Destination || by_ == By::Age) && s.status != "held" && s.next;
        if (has_next && (!stat.next || *s.next < *stat.next)) stat.next = s.next;
        // Whose next attempt lies furthest ahead was tried last, or nearly so.
        auto& known = reason_at_[name];
        const TimePoint due = s.next.value_or(s.arrival);
        if (!s.reason.empty() && due >= known) {
            known = due;
            stat.reason = s.reason;
        }
    }
}

std::vector<Stat> Tally::rows() const {
    std::vector<Stat> rows;
    for (const auto& [name, stat] : stats_) {
        rows.push_back(stat);
        if (name.empty()) rows.back().name = by_ == By::Sender ? "<>" : "-";
    }
    std::stable_sort(rows.begin(), rows.end(), [](const Stat& a, const Stat& b) { return a.messages > b.messages; });
    return rows;
}

Result<Drained> read_drained(const std::string& spool_dir) {
    const auto bytes = os::read_file(spool_dir + "/drained", 1 << 20);
    if (!bytes && bytes.error().code == Errc::NotFound) return Drained();
    if (!bytes) return fail(bytes.error());
    Drained drained;
    for (const auto line : text::split(*bytes, '\n'))
        if (const auto name = text::trim(line); !name.empty()) drained.emplace(name);
    return drained;
}

Status write_drained(const std::string& spool_dir, const Drained& drained) {
    const std::string path = spool_dir + "/drained";
    if (drained.empty()) {
        if (!os::exists(path)) return ok();
        GK_CHECK(os::unlink(path));
        return os::sync_directory(spool_dir);
    }
    std::string lines;
    for (const auto& name : drained) lines += name + '\n';
    return os::replace_file(path, lines, 0660);
}

Status apply(Drained& drained, const DrainChange& change) {
    constexpr std::size_t kMost = 10'000;  // domains; the file is read whole
    if (change.domain.empty()) {
        if (change.on) drained.insert("*");
        else drained.clear();
        return ok();
    }
    GK_CHECK(address::check_domain(change.domain));
    const std::string domain = domain_of("@" + change.domain);
    if (!change.on) {
        if (drained.erase(domain) == 0) return fail(Errc::NotFound, fmt::format("'{}' is not drained", domain));
        return ok();
    }
    if (drained.size() >= kMost) return fail(Errc::BadInput, fmt::format("{} domains are drained already", kMost));
    drained.insert(domain);
    return ok();
}

}  // namespace gk::queue
