// SPDX-License-Identifier: MIT
#include "common/smtp/local_senders.hpp"

#include <pwd.h>
#include <algorithm>
#include <optional>

#include "common/base/text.hpp"

namespace gk::smtp {
namespace {

std::optional<unsigned> uid_of(const std::string& user) {
    if (const auto number = text::to_uint(user)) return static_cast<unsigned>(*number);
    std::string buffer(16 * 1024, '\0');
    passwd entry{}, *found = nullptr;
    if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return std::nullopt;
    return entry.pw_uid;
}

bool fits(const std::string& pattern, std::string_view address) {
    if (pattern == "*") return true;
    if (!pattern.starts_with('@')) return text::equals_nocase(pattern, address);
    const auto at = address.rfind('@');
    return at != std::string_view::npos && text::equals_nocase(pattern, address.substr(at));
}

}  // namespace

Result<LocalSenders> LocalSenders::from(const std::map<std::string, std::string>& table) {
    LocalSenders senders;
    for (const auto& [user, addresses] : table) {
        std::vector<std::string> patterns;
        for (const auto word : text::words(addresses)) patterns.emplace_back(word);
        if (user == "*") {
            senders.of_others_ = std::move(patterns);
            continue;
        }
        const auto uid = uid_of(user);
        if (!uid) return fail(Errc::Config, "sendmail.senders: no user '" + text::printable(user, 60) + "' here");
        senders.of_uid_[*uid] = std::move(patterns);
    }
    if (table.empty()) senders.of_others_ = {"*"};
    return senders;
}

Status LocalSenders::may_send_as(unsigned uid, std::string_view address) const {
    if (uid == 0) return ok();
    const auto own = of_uid_.find(uid);
    const auto& patterns = own != of_uid_.end() ? own->second : of_others_;
    if (std::any_of(patterns.begin(), patterns.end(), [&](const auto& p) { return fits(p, address); })) return ok();
    return fail(Errc::Denied, "not an address of this user");
}

}  // namespace gk::smtp
