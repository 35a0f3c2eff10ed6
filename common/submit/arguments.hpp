// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace gk::submit {

// The command line that programs have called sendmail by since the 1980s. Options of others that mean nothing here are
// read past, with their values, as Postfix does.
struct Arguments {
    enum class Mode {
        Deliver,    // -bm: a message on stdin
        Smtp,       // -bs: the dialogue on stdin and stdout
        ListQueue,  // -bp, mailq
        Flush,      // -q
        Nothing     // -bi, newaliases: aliases need no building here
    } mode = Mode::Deliver;
    std::string root;
    bool recipients_from_header = false;  // -t
    bool dot_is_text = false;             // -i, -oi: a line with a dot alone does not end the message
    bool verbose = false;
    std::optional<std::string> sender;  // -f, -r; "" for the null one
    std::string full_name;              // -F
    bool eight_bit = false;             // -B 8BITMIME
    std::string notify, ret, envid;     // -N, -R, -V
    std::vector<std::string> recipients;
};

// PROGRAM is argv[0]'s last part: mailq and newaliases choose a mode. BadInput with a text for the caller.
Result<Arguments> parse_arguments(std::string_view program, const std::vector<std::string>& words);

}  // namespace gk::submit
