// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/mailauth/dkim/canonical.hpp"
#include "common/mailauth/dkim/crypto.hpp"

namespace gk::mailauth {

// Digests of one body in each of the ways that signatures ask for: the body is canonicalised once a form, and hashed
// once a form and length.
class BodyHashes {
public:
    // The number by which to ask later; the same for the same way. Before the first feed.
    std::size_t add(Canon canon, std::optional<std::uint64_t> length = {});
    void feed(std::string_view bytes);
    void finish();

    struct Digest {
        std::string digest;  // SHA-256 of the first `hashed` octets
        std::uint64_t hashed = 0;
        std::uint64_t whole = 0;  // octets of the canonical body
    };
    const Digest& of(std::size_t number) const noexcept { return slots_[number].result; }  // after finish

private:
    struct Slot {
        Canon canon;
        std::optional<std::uint64_t> length;
        Sha256 hash;
        Digest result;
    };
    void take(Canon canon, std::string_view bytes);

    std::vector<Slot> slots_;
    std::unique_ptr<BodyCanonicaliser> simple_, relaxed_;
};

}  // namespace gk::mailauth
