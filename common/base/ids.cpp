// SPDX-License-Identifier: MIT
#include "common/base/ids.hpp"

#include <openssl/crypto.h>
#include <sys/random.h>
#include <cerrno>
#include <cstdlib>

#include "common/base/time.hpp"

namespace gk {

std::string random_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t have = 0;
    while (have < count) {
        const ssize_t n = ::getrandom(bytes.data() + have, count - have, 0);
        if (n > 0) have += static_cast<std::size_t>(n);
        else if (errno != EINTR) std::abort();  // a kernel without getrandom: nothing can be trusted
    }
    return bytes;
}

std::uint64_t random_u64() {
    // One system call serves 64 numbers: ids are made for every session and message.
    thread_local std::uint64_t pool[64];
    thread_local std::size_t left = 0;
    if (left == 0) {
        const std::string bytes = random_bytes(sizeof pool);
        bytes.copy(reinterpret_cast<char*>(pool), sizeof pool);
        left = 64;
    }
    return pool[--left];
}

std::string new_id() {
    constexpr char kAlphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    auto clock = static_cast<std::uint64_t>(now().time_since_epoch().count());
    std::uint64_t random = random_u64();
    std::string id(20, '0');
    for (std::size_t i = 10; i-- > 0; clock >>= 5) id[i] = kAlphabet[clock & 31];
    for (std::size_t i = 20; i-- > 10; random >>= 5) id[i] = kAlphabet[random & 31];
    return id;
}

bool equals_constant_time(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace gk
