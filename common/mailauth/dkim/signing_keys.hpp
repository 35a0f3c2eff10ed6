// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/mailauth/dkim/key_store.hpp"

namespace gk::mailauth::dkim {

// The active keys of a store, in memory for who signs with them. A question costs one stat(2); a domain's keys are read
// again when its folder has changed. Thread-safe.
class SigningKeys {
public:
    explicit SigningKeys(KeyStore store) : store_(std::move(store)) {}

    struct Key {
        std::string selector;
        std::uint64_t inode = 0;  // with CHANGED_NS: which file it was read from
        std::int64_t changed_ns = 0;
        std::shared_ptr<const PrivateKey> key;
    };
    using Keys = std::shared_ptr<const std::vector<Key>>;  // never null

    // Empty where DOMAIN has none. BadInput for what is no domain, else what the disk says.
    Result<Keys> active(const std::string& domain);
    // NotFound where SELECTOR is no active key of DOMAIN.
    Result<std::string> sign(const std::string& domain, const std::string& selector, std::string_view digest);

private:
    struct Entry {
        std::int64_t changed_ns = 0;  // of the folder, when it was read
        bool sure = false;            // it was at rest by then: an equal time means equal content
        Keys keys;
    };
    Result<Keys> read(const std::string& domain, const Keys& before) const;

    const KeyStore store_;
    std::mutex mutex_;
    std::map<std::string, Entry> entries_;  // no more than there are folders
};

}  // namespace gk::mailauth::dkim
