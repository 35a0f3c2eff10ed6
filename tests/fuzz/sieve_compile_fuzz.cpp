// SPDX-License-Identifier: MIT
// links: sieve
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/sieve/listing.hpp"
#include "common/sieve/sieve.hpp"

namespace {

// Every name is some script: the one that is compiled, once or twice.
class Itself : public gk::sieve::Includes {
public:
    explicit Itself(std::string_view text) : text_(text) {}
    std::optional<std::string> find(Place, std::string_view name) override {
        if (name.size() > 2) return std::nullopt;
        return std::string(text_);
    }

private:
    std::string_view text_;
};

}  // namespace

// Any bytes are a program that can be listed, or problems with a place inside the text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::sieve;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    Itself includes(text);
    Dialect dialect;
    dialect.includes = &includes;
    dialect.testsuite = size % 2 == 0;
    dialect.limits.includes = 8;
    dialect.limits.regex_memory = 64 << 10;
    const auto script = compile(text, dialect);
    if (script) {
        list_program(**script);
        return 0;
    }
    std::uint32_t lines = 1;
    for (const char c : text) lines += c == '\n';
    if (script.error().empty()) std::abort();
    for (const Problem& problem : script.error())
        if (problem.text.empty() || problem.at.line == 0 || problem.at.column == 0 || problem.at.line > lines + 1)
            std::abort();
    return 0;
}
