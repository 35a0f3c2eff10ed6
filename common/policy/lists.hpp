// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/net/network.hpp"

namespace gk::policy {

// What an administrator said: a line each, "allow|block ENTRY [UNTIL]". ENTRY is a network, a sender ("x@b.test"), all
// senders of a domain and below it ("@b.test"), or a name in HELO ("helo:mx.b.test").
struct ListEntry {
    bool allow = false;
    std::string entry;         // canonical
    std::int64_t until_s = 0;  // 0: for good
};
Result<std::string> canonical_entry(std::string_view entry);
Result<std::vector<ListEntry>> parse_lists(std::string_view text);
std::string format_lists(const std::vector<ListEntry>& entries);

class Lists {
public:
    explicit Lists(std::vector<ListEntry> entries = {});
    // The first that fits; those that allow come first.
    const ListEntry* find(std::string_view ip, std::string_view helo, std::string_view sender,
                          std::int64_t now_s) const;
    const std::vector<ListEntry>& entries() const noexcept { return entries_; }

private:
    struct Network {
        net::AddressBytes prefix{};
        unsigned bits = 0;
        bool contains(const net::AddressBytes& ip) const noexcept;
    };
    std::vector<ListEntry> entries_;
    std::vector<std::optional<Network>> networks_;  // each entry's, where it is one: each recipient asks all
};

// A file of lists, read again when it changed. Thread-safe.
class ListFile {
public:
    explicit ListFile(std::string path) : path_(std::move(path)) {}
    // A file that is missing is empty; of one that is malformed, what was read before stays, and ERROR says why.
    std::shared_ptr<const Lists> read(std::string* error = nullptr);
    // Puts ENTRY there or, with nothing, takes it out. Durable. NotFound where it is not there to be taken.
    Status put(const std::string& entry, const std::optional<ListEntry>& wanted);

private:
    std::string path_;
    std::mutex mutex_;
    std::shared_ptr<const Lists> lists_ = std::make_shared<const Lists>();
    std::int64_t mtime_ns_ = -1, inode_ = -1;
};

}  // namespace gk::policy
