// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/signing_keys.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace gk::mailauth::dkim {
namespace {

// The kernel's clock of files stands still for some milliseconds at a time: two changes within one tick look like one.
constexpr std::int64_t kRestNs = 2'000'000'000;

std::int64_t in_ns(const timespec& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; }

std::int64_t clock_ns() {
    timespec t{};
    ::clock_gettime(CLOCK_REALTIME, &t);
    return in_ns(t);
}

const SigningKeys::Key* find(const std::vector<SigningKeys::Key>& keys, std::string_view selector) {
    const auto found =
        std::find_if(keys.begin(), keys.end(), [&](const SigningKeys::Key& key) { return key.selector == selector; });
    return found == keys.end() ? nullptr : &*found;
}

}  // namespace

Result<SigningKeys::Keys> SigningKeys::read(const std::string& domain, const Keys& before) const {
    GK_TRY(const auto stored, store_.list(domain));
    auto keys = std::make_shared<std::vector<Key>>();
    for (const auto& each : stored) {
        if (each.state != KeyState::Active) continue;
        struct stat status {};
        if (::stat(each.key_path.c_str(), &status) != 0)
            return fail_errno(fmt::format("cannot look at '{}'", each.key_path));
        // Key files are written once: what is loaded of the same file stays.
        const Key* known = before ? find(*before, each.selector) : nullptr;
        if (known && known->inode == status.st_ino && known->changed_ns == in_ns(status.st_mtim)) {
            keys->push_back(*known);
            continue;
        }
        GK_TRY(auto loaded, store_.load(each));
        keys->push_back(
            {each.selector, status.st_ino, in_ns(status.st_mtim), std::make_shared<PrivateKey>(std::move(loaded))});
    }
    // Some verifiers look at the first signature only, and not all know Ed25519.
    std::stable_sort(keys->begin(), keys->end(),
                     [](const Key& x, const Key& y) { return x.key->algorithm() < y.key->algorithm(); });
    return keys;
}

Result<SigningKeys::Keys> SigningKeys::active(const std::string& domain) {
    GK_TRY(const std::string folder, store_.folder_of(domain));
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0) {
        if (errno != ENOENT) return fail_errno(fmt::format("cannot look at '{}'", folder));
        const std::lock_guard guard(mutex_);
        entries_.erase(domain);
        return std::make_shared<const std::vector<Key>>();
    }
    const std::int64_t changed_ns = in_ns(status.st_mtim);
    Keys before;
    {
        const std::lock_guard guard(mutex_);
        if (const auto found = entries_.find(domain); found != entries_.end()) {
            if (found->second.sure && found->second.changed_ns == changed_ns) return found->second.keys;
            before = found->second.keys;
        }
    }
    const bool sure = clock_ns() - changed_ns > kRestNs;
    GK_TRY(const Keys keys, read(domain, before));
    const std::lock_guard guard(mutex_);
    entries_[domain] = {changed_ns, sure, keys};
    return keys;
}

Result<std::string> SigningKeys::sign(const std::string& domain, const std::string& selector, std::string_view digest) {
    GK_TRY(const Keys keys, active(domain));
    const Key* const key = find(*keys, selector);
    if (!key) return fail(Errc::NotFound, fmt::format("{} is no active key of {}", selector, domain));
    return key->key->sign(digest);
}

}  // namespace gk::mailauth::dkim
