// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/mailauth/dkim/crypto.hpp"
#include "common/os/fd.hpp"

namespace gk::mailauth::dkim {

// Where a key stands between its making and its end. A key is put into DNS while it is Published, signs while it is
// Active, and stays in DNS while it is Retired, so that mail under way can still be checked. Of a Revoked key DNS is to
// show an empty p=, so that nothing signed with it counts any more (RFC 6376, 3.6.1). A Removed key is gone but for its
// name, which is kept until its record has left DNS. The private keys of the last two are destroyed.
enum class KeyState { Published, Active, Retired, Revoked, Removed };
std::string_view state_name(KeyState state) noexcept;

struct StoredKey {
    std::string domain;  // in A-labels
    std::string selector;
    Algorithm algorithm = Algorithm::RsaSha256;
    unsigned bits = 0;
    KeyState state = KeyState::Published;
    std::int64_t created_s = 0, changed_s = 0;  // when it was made; when it came into this state
    std::string key_path;                       // DOMAIN/SELECTOR.key below the directory of the store
};

// keys/dkim: DOMAIN/SELECTOR.key (PEM, 0600) and beside it SELECTOR.state, a text of "name value" lines. The .state
// file is written last: a key without one does not exist. One writer at a time (lock); readers may look at any time.
class KeyStore {
public:
    explicit KeyStore(std::string directory) : directory_(std::move(directory)) {}

    // By domain, then time of making; those of one domain, or of all where DOMAIN is empty.
    Result<std::vector<StoredKey>> list(const std::string& domain = {}) const;
    Result<StoredKey> find(const std::string& domain, const std::string& selector) const;  // NotFound
    Result<PrivateKey> load(const StoredKey& key) const;
    // Durable when it returns. Exists where the selector is in use; BadInput for names that are none.
    Result<StoredKey> create(const std::string& domain, const std::string& selector, const PrivateKey& key,
                             KeyState state, std::int64_t now_s) const;
    // Durable. Revoked and Removed destroy the private key, after the state is on disk.
    Status set_state(const StoredKey& key, KeyState state, std::int64_t now_s) const;
    // Of a Removed key: its last trace.
    Status forget(const StoredKey& key) const;
    // What DNS is to show: the public key, or for a revoked one an empty p=. NotFound for a Removed key: nothing.
    Result<std::string> record(const StoredKey& key) const;

    // For whoever changes keys, as long as the descriptor lives. Temporary where another one does.
    Result<os::Fd> lock() const;
    // Where the keys of DOMAIN lie, there or not; its time of change moves with every key and state. BadInput for what
    // is no domain.
    Result<std::string> folder_of(const std::string& domain) const;

private:
    std::string folder(const std::string& domain) const { return directory_ + '/' + domain; }
    Result<StoredKey> read(const std::string& domain, const std::string& selector) const;
    Status write_state(const StoredKey& key) const;

    std::string directory_;
};

// "202611a-rsa": the month, a letter that is free, and the kind of key.
std::string default_selector(Algorithm algorithm, std::int64_t now_s, const std::vector<StoredKey>& taken);
// The name and record to be published, as lines of a zone file: strings of at most 255 octets.
std::string zone_lines(const StoredKey& key, std::string_view record);

}  // namespace gk::mailauth::dkim
