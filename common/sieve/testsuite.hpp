// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/sieve/sieve.hpp"

// Test files in Sieve itself, as Pigeonhole's documentation describes the extension vnd.dovecot.testsuite: tests that
// set a message, compile and run scripts, and look at what they did, in a mail store that is only in memory.
namespace gk::sieve {

struct TestResult {
    Position at;
    std::string name;
    bool passed = false;
    std::string reason;  // why not
};

struct TestReport {
    std::vector<Problem> problems;  // the file itself does not compile; then there are no results
    std::vector<TestResult> results;
    bool passed() const noexcept;
};

// READ gives the text of a file that a test names, relative to the test file; it also serves include.
using ReadFile = std::function<std::optional<std::string>(std::string_view name)>;

TestReport run_testsuite(std::string_view text, const ReadFile& read, const Limits& limits = {});

}  // namespace gk::sieve
