// SPDX-License-Identifier: MIT
// Stands in for libFuzzer where the compiler has none: every file of the corpus, then mutations of them that depend on
// nothing but the seed. Usage: PROGRAM CORPUS-DIRECTORY|FILE… ; GK_FUZZ_SECONDS and GK_FUZZ_SEED change the defaults.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kMutations = 5000;
constexpr std::size_t kMaxInput = 64 * 1024;

struct Random {
    std::uint64_t state;
    std::uint64_t next() noexcept {  // xorshift64*: the same everywhere
        state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
        return state * 0x2545F4914F6CDD1Dull;
    }
    std::size_t below(std::size_t n) noexcept { return n == 0 ? 0 : static_cast<std::size_t>(next() % n); }
};

std::string read(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string mutate(const std::vector<std::string>& corpus, Random& random) {
    static const std::string kTokens[] = {"\r\n",
                                          "\n",
                                          "\r",
                                          std::string(1, '\0'),
                                          "\"",
                                          "(",
                                          ")",
                                          "<",
                                          ">",
                                          "@",
                                          ":",
                                          ";",
                                          ",",
                                          "--",
                                          "=?",
                                          "?=",
                                          "=",
                                          "{1}",
                                          "{4294967296}",
                                          "\\",
                                          "*",
                                          "%",
                                          "\xFF",
                                          "\xC3",
                                          "\xE2\x82\xAC",
                                          " ",
                                          "\t",
                                          "&",
                                          "-"};
    std::string s = corpus[random.below(corpus.size())];
    for (std::size_t n = 1 + random.below(8); n > 0; --n) {
        const std::size_t at = random.below(s.size() + 1);
        switch (random.below(8)) {
            case 0: s.insert(at, 1, static_cast<char>(random.next())); break;
            case 1: s.insert(at, kTokens[random.below(std::size(kTokens))]); break;
            case 2: s.erase(at, 1 + random.below(16)); break;
            case 3:
                if (at < s.size()) s[at] = static_cast<char>(random.next());
                break;
            case 4:
                if (at < s.size()) s[at] = static_cast<char>(s[at] ^ (1 << random.below(8)));
                break;
            case 5: s.insert(at, s.substr(random.below(s.size() + 1), 1 + random.below(64))); break;
            case 6: {
                const std::string& other = corpus[random.below(corpus.size())];
                s = s.substr(0, at) + other.substr(random.below(other.size() + 1));
                break;
            }
            case 7: s.insert(at, 1 + random.below(300), at < s.size() ? s[at] : 'a'); break;
        }
    }
    if (s.size() > kMaxInput) s.resize(kMaxInput);
    return s;
}

void run(const std::string& s) {
    // An exact copy on the heap, so that a sanitizer sees a read past the end.
    const std::vector<std::uint8_t> bytes(s.begin(), s.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::filesystem::path> paths;
    for (int i = 1; i < argc; ++i) {
        if (!std::filesystem::is_directory(argv[i])) {
            paths.emplace_back(argv[i]);
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator(argv[i]))
            if (entry.is_regular_file()) paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<std::string> corpus;
    for (const auto& path : paths) {
        if (!std::filesystem::exists(path)) {
            std::fprintf(stderr, "cannot read '%s'\n", path.c_str());
            return 66;
        }
        corpus.push_back(read(path));
        run(corpus.back());
    }
    if (corpus.empty()) {
        std::fprintf(stderr, "no corpus: every fuzz target needs seeds\n");
        return 66;
    }
    const char* seconds = std::getenv("GK_FUZZ_SECONDS");
    const char* seed = std::getenv("GK_FUZZ_SEED");
    const std::chrono::duration<double> bound(seconds ? std::atof(seconds) : 2.0);
    Random random{seed ? std::strtoull(seed, nullptr, 10) | 1 : 0x9E3779B97F4A7C15ull};
    const auto started = std::chrono::steady_clock::now();
    std::size_t done = 0;
    while ((seconds != nullptr || done < kMutations) && std::chrono::steady_clock::now() - started < bound) {
        run(mutate(corpus, random));
        ++done;
    }
    std::printf("%zu seeds, %zu mutations\n", corpus.size(), done);
    return 0;
}
