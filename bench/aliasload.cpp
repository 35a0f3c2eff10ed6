// SPDX-License-Identifier: MIT
// Looks up addresses of a directory as gk-deliver does: aliasload ROOT ALIASES LOOK-UPS. Each address is another, so
// that no answer is kept from before; then the same again, kept. bench/alias makes the directory.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/directory/directory.hpp"

using namespace gk;
using Clock = std::chrono::steady_clock;

namespace {

// Microseconds of each look-up of u0 to uCOUNT, in random order.
bool run(directory::Directory& directory, const std::vector<std::string>& addresses, const char* what) {
    std::vector<double> took;
    took.reserve(addresses.size());
    for (const auto& address : addresses) {
        const auto begin = Clock::now();
        const auto found = directory.resolve(address);
        took.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
        if (!found || found->accounts.size() != 1) {
            fmt::print(stderr, "{} leads nowhere\n", address);
            return false;
        }
    }
    double sum = 0;
    for (const double one : took) sum += one;
    std::sort(took.begin(), took.end());
    const auto at = [&](double share) {
        return took[static_cast<std::size_t>(share * static_cast<double>(took.size() - 1))];
    };
    fmt::print("{:<8} {} look-ups: mean {:.1f} us, median {:.1f}, 99 % {:.1f}, most {:.1f}\n", what, took.size(),
               sum / static_cast<double>(took.size()), at(0.5), at(0.99), took.back());
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return fmt::print(stderr, "usage: aliasload ROOT ALIASES LOOK-UPS\n"), 64;
    const auto paths = config::Paths::under(argv[1]);
    const auto directory = directory::Directory::open(paths, true);
    if (!directory) return fmt::print(stderr, "{}\n", directory.error().text), 1;
    const auto aliases = text::to_uint(argv[2]).value_or(1), wanted = text::to_uint(argv[3]).value_or(1);
    std::vector<std::uint64_t> numbers(aliases);
    for (std::uint64_t i = 0; i < aliases; ++i) numbers[i] = i;
    std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(1));
    std::vector<std::string> addresses;
    for (std::uint64_t i = 0; i < std::min(wanted, aliases); ++i)
        addresses.push_back(fmt::format("u{}@a.test", numbers[i]));
    return run(**directory, addresses, "fresh") && run(**directory, addresses, "again") ? 0 : 1;
}
