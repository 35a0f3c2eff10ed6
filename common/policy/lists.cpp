// SPDX-License-Identifier: MIT
#include "common/policy/lists.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <algorithm>
#include <cstring>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/os/file.hpp"

namespace gk::policy {

namespace {

constexpr std::size_t kMostEntries = 100'000;
constexpr std::string_view kHelo = "helo:";

bool is_below(std::string_view name, std::string_view domain) {
    return name == domain ||
           (name.size() > domain.size() && name.ends_with(domain) && name[name.size() - domain.size() - 1] == '.');
}

bool fits(const ListEntry& entry, std::string_view helo, std::string_view sender) {
    const std::string_view what = entry.entry;
    if (what.starts_with(kHelo)) return is_below(helo, what.substr(kHelo.size()));
    if (what.starts_with('@')) {
        const auto at = sender.rfind('@');
        return at != std::string_view::npos && is_below(sender.substr(at + 1), what.substr(1));
    }
    return what == sender;
}

}  // namespace

Result<std::string> canonical_entry(std::string_view given) {
    const auto entry = text::trim(given);
    const auto domain = [](std::string_view name) -> Result<std::string> {
        GK_CHECK(address::check_domain(name, true, false));
        return address::to_a_labels(name);
    };
    if (text::starts_with_nocase(entry, kHelo)) {
        GK_TRY(const auto name, domain(entry.substr(kHelo.size())));
        return std::string(kHelo) + name;
    }
    if (entry.starts_with('@')) {
        GK_TRY(auto name, domain(entry.substr(1)));
        return name.insert(0, 1, '@');
    }
    if (entry.find('@') != std::string_view::npos) {
        GK_TRY(const auto parsed, address::parse_address(entry));
        return address::canonical(parsed);
    }
    if (net::Network::parse(entry)) return std::string(entry);
    return fail(Errc::BadInput,
                fmt::format("'{}' is no network, sender, @domain or helo:NAME", text::printable(entry)));
}

Result<std::vector<ListEntry>> parse_lists(std::string_view text) {
    std::vector<ListEntry> entries;
    for (const auto line : text::split(text, '\n')) {
        const auto words = text::words(line.substr(0, line.find('#')));
        if (words.empty()) continue;
        const bool known = words[0] == "allow" || words[0] == "block";
        if (!known || words.size() < 2 || words.size() > 3 || entries.size() >= kMostEntries)
            return fail(Errc::BadInput, fmt::format("'{}' is no line of a list", text::printable(line)));
        ListEntry entry{words[0] == "allow", {}, 0};
        GK_TRY(entry.entry, canonical_entry(words[1]));
        if (words.size() == 3) {
            const auto until = parse_rfc3339(words[2]);
            if (!until) return fail(Errc::BadInput, fmt::format("'{}' is no time", text::printable(words[2])));
            entry.until_s = to_unix_s(*until);
        }
        entries.push_back(std::move(entry));
    }
    return entries;
}

std::string format_lists(const std::vector<ListEntry>& entries) {
    std::string text;
    for (const auto& entry : entries)
        text += fmt::format("{} {}{}\n", entry.allow ? "allow" : "block", entry.entry,
                            entry.until_s == 0 ? "" : " " + format_rfc3339(from_unix_s(entry.until_s)));
    return text;
}

bool Lists::Network::contains(const net::AddressBytes& ip) const noexcept {
    if (std::memcmp(ip.data(), prefix.data(), bits / 8) != 0) return false;
    return bits % 8 == 0 || ((ip[bits / 8] ^ prefix[bits / 8]) >> (8 - bits % 8)) == 0;
}

Lists::Lists(std::vector<ListEntry> entries) : entries_(std::move(entries)), networks_(entries_.size()) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        const std::string_view what = entries_[i].entry;
        const auto slash = what.find('/');
        const auto prefix = net::parse_ip(what.substr(0, slash));
        if (!prefix || !net::Network::parse(what)) continue;
        unsigned bits = 128;
        if (slash != std::string_view::npos)
            bits = static_cast<unsigned>(text::to_uint(what.substr(slash + 1)).value_or(0)) +
                   (what.find(':') == std::string_view::npos ? 96 : 0);
        networks_[i] = Network{*prefix, bits};
    }
}

const ListEntry* Lists::find(std::string_view ip, std::string_view helo_given, std::string_view sender_given,
                             std::int64_t now_s) const {
    if (entries_.empty()) return nullptr;
    const std::string helo = text::lower(helo_given);
    std::string sender = text::lower(sender_given);
    if (const auto parsed = address::parse_address(sender_given)) sender = address::canonical(*parsed);
    const auto address = net::parse_ip(ip);
    const ListEntry* blocked = nullptr;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        const ListEntry& entry = entries_[i];
        if (entry.until_s != 0 && entry.until_s <= now_s) continue;
        if (!entry.allow && blocked != nullptr) continue;
        if (networks_[i] ? !(address && networks_[i]->contains(*address)) : !fits(entry, helo, sender)) continue;
        if (entry.allow) return &entry;
        blocked = &entry;
    }
    return blocked;
}

std::shared_ptr<const Lists> ListFile::read(std::string* error) {
    const std::lock_guard lock(mutex_);
    struct stat status {};
    if (::stat(path_.c_str(), &status) != 0) {
        mtime_ns_ = inode_ = -1;
        return lists_ = std::make_shared<const Lists>();
    }
    const std::int64_t mtime_ns = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
    if (mtime_ns == mtime_ns_ && static_cast<std::int64_t>(status.st_ino) == inode_) return lists_;
    auto text = os::read_file(path_);
    auto entries = text ? parse_lists(*text) : Result<std::vector<ListEntry>>(fail(text.error()));
    if (entries) lists_ = std::make_shared<const Lists>(std::move(*entries));
    else if (error != nullptr) *error = entries.error().text;
    mtime_ns_ = mtime_ns;
    inode_ = static_cast<std::int64_t>(status.st_ino);
    return lists_;
}

Status ListFile::put(const std::string& given, const std::optional<ListEntry>& wanted) {
    GK_TRY(const std::string entry, canonical_entry(given));
    std::vector<ListEntry> entries;
    if (os::exists(path_)) {
        GK_TRY(const std::string text, os::read_file(path_));
        GK_TRY(entries, parse_lists(text));
    }
    const auto removed = std::erase_if(entries, [&](const auto& one) { return one.entry == entry; });
    if (!wanted && removed == 0) return fail(Errc::NotFound, fmt::format("'{}' is on no list", entry));
    if (wanted) entries.push_back({wanted->allow, entry, wanted->until_s});
    return os::replace_file(path_, format_lists(entries), 0640);
}

}  // namespace gk::policy
