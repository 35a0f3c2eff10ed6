// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Private to the store: numbers and strings in few bytes, for what is kept of many messages in one value of the index.
namespace gk::store {

inline void pack_number(std::string& out, std::uint64_t n) {
    while (n >= 0x80) {
        out += static_cast<char>(0x80 | (n & 0x7f));
        n >>= 7;
    }
    out += static_cast<char>(n);
}
// The distance of two numbers, either of which may be the greater: short where they are near.
inline void pack_distance(std::string& out, std::uint64_t from, std::uint64_t to) {
    const std::uint64_t distance = to - from;
    pack_number(out, distance >> 63 ? ~(distance << 1) : distance << 1);
}

class Unpacker {
public:
    explicit Unpacker(std::string_view bytes) noexcept : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    std::uint64_t number() noexcept {
        std::uint64_t n = 0;
        for (unsigned shift = 0; shift < 64 && at_ != end_; shift += 7) {
            const auto c = static_cast<unsigned char>(*at_++);
            n |= std::uint64_t{c & 0x7fu} << shift;
            if (c < 0x80) return n;
        }
        good_ = false;
        return 0;
    }
    std::uint64_t distance_from(std::uint64_t from) noexcept {
        const std::uint64_t n = number();
        return from + (n & 1 ? ~(n >> 1) : n >> 1);
    }
    std::string_view bytes(std::uint64_t size) noexcept {
        if (size > static_cast<std::uint64_t>(end_ - at_)) {
            good_ = false;
            return {};
        }
        const std::string_view found(at_, static_cast<std::size_t>(size));
        at_ += size;
        return found;
    }
    bool done() const noexcept { return !good_ || at_ == end_; }
    bool good() const noexcept { return good_; }  // false: what was read last was not there

private:
    const char* at_;
    const char* end_;
    bool good_ = true;
};

}  // namespace gk::store
