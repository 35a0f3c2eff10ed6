// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/mailauth/dkim/key_dns.hpp"
#include "common/mailauth/dkim/key_store.hpp"

// The life of keys as a plan: made and published, active once every server shows it, retired by its successor, removed
// once the mail that it signed has arrived, forgotten once its record has left DNS. What comes next follows from the
// states on disk and from DNS alone, so that a run may end anywhere and be repeated.
namespace gk::mailauth::dkim {

struct RotationSettings {
    std::int64_t rotate_after_s = 0;  // an active key of that age gets a successor; 0: never by itself
    std::int64_t remove_after_s = 0;  // a retired key of that age is removed
    unsigned rsa_bits = 2048;
};

struct Step {
    StoredKey key;           // in the state that it has now
    std::string action;      // created, activated, retired, removed, forgotten; waits; keeps
    std::string reason;      // for people: why, and what is to be done by whom
    bool temporary = false;  // DNS could not be asked
    bool waits() const noexcept { return action == "waits"; }
};

class Rotation {
public:
    Rotation(const KeyStore& store, LookEverywhere look, RotationSettings settings, std::int64_t now_s, bool dry_run)
        : store_(store), look_(std::move(look)), settings_(settings), now_s_(now_s), dry_run_(dry_run) {}

    // Does all that can be done for DOMAIN now, and says so of every key. BEGIN: active keys get a successor whatever
    // their age, unless a round is under way. The caller holds the store's lock.
    Result<std::vector<Step>> advance(const std::string& domain, bool begin) const;

private:
    Result<Agreement> seen(const StoredKey& key) const;
    Status change(StoredKey& key, KeyState state) const;
    Status settle(Algorithm algorithm, std::vector<StoredKey>& keys, std::vector<Step>& steps) const;
    Status succeed(Algorithm algorithm, bool begin, std::vector<StoredKey>& keys, std::vector<Step>& steps) const;
    Status clear(std::vector<StoredKey>& keys, std::vector<Step>& steps) const;

    const KeyStore& store_;
    const LookEverywhere look_;
    const RotationSettings settings_;
    const std::int64_t now_s_;
    const bool dry_run_;
};

// What comes next for a key, without asking DNS.
std::string next_of(const StoredKey& key, const RotationSettings& settings);
// Makes a key and stores it under a selector that is free.
Result<StoredKey> create_key(const KeyStore& store, const std::string& domain, Algorithm algorithm, unsigned rsa_bits,
                             KeyState state, std::int64_t now_s);
inline std::string dns_name(const StoredKey& key) { return key.selector + "._domainkey." + key.domain; }

}  // namespace gk::mailauth::dkim
