// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"
#include "common/spam/model.hpp"
#include "common/spam/options.hpp"

namespace gk::spam_tool {

struct Arguments {
    std::string root, account, home, directory, file = "-";
    std::vector<std::string> messages;
    bool json = false, spam = false, ham = false, pending = false;
    std::int64_t passes = 6;
};

// Where the models are that the arguments name.
struct Place {
    config::Config config;
    std::string shared;  // directory; empty: none
    std::string own;     // of an account, or --home; empty: the shared one alone
    const std::string& learned() const noexcept { return own.empty() ? shared : own; }
    spam::ModelOptions learned_options() const {
        return own.empty() ? spam::shared_options(config) : spam::account_options(config);
    }
};
// As the owner of the mail where we are root.
Result<Place> place_of(const Arguments& arguments);
// The error, or a wrong command line, as the exit code.
int failed(const Error& error);

// One message, and what to call it.
using Sink = std::function<Status(const std::string& name, std::string_view bytes)>;
// A source of messages: a file with one, an mbox, a Maildir or any directory of such, or "-" for standard input.
Status read_messages(const std::string& path, const Sink& sink);
// The message files below a directory, in order of their names.
Result<std::vector<std::string>> files_below(const std::string& directory);
// How many files that will be, for a progress bar.
std::size_t count_files(const std::vector<std::string>& paths);

int classify(const Arguments& arguments);
int learn(const Arguments& arguments);
// What owners moved to Junk and out of it.
int learn_pending(const Arguments& arguments);
int forget(const Arguments& arguments);
int train(const Arguments& arguments);
int stats(const Arguments& arguments);
int write_model(const Arguments& arguments);
int read_model(const Arguments& arguments);
int features(const Arguments& arguments);

}  // namespace gk::spam_tool
