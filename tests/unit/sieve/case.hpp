// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/sieve/sieve.hpp"

// Scripts and what they do, as text: tests/unit/sieve/cases/NAME.txt, one file an extension.
//
//   == what the case shows
//   fact value               zero or more: from, to, own, flags, mailbox, spam, … (see case.cpp)
//   --- script
//   …
//   --- include NAME         zero or more scripts to include; "--- include global NAME"
//   --- message              where it is not the one of all cases
//   --- result               describe() of each action; "remark: …", "error: …"
//   --- problems             or: LINE:COLUMN: text of each error of compile()
//   --- edited               the header of the message as the last edition has it
namespace gk::sieve::testing {

struct Case {
    std::string file, name;
    std::size_t line = 0;
    std::vector<std::pair<std::string, std::string>> facts;
    std::map<std::string, std::string> sections;  // "script", "result", "include NAME"
};

std::vector<Case> read_cases(const std::string& path);

class TestHost : public Host {
public:
    std::set<std::string> mailboxes{"INBOX"};
    std::map<std::string, std::string> annotations;   // "MAILBOX ANNOTATION"
    std::map<std::string, std::string> special_uses;  // mailbox: "\\Junk"
    std::map<std::string, std::string> items;
    std::map<std::string, std::set<std::string>> lists;
    std::set<std::string> ids;
    std::optional<double> spam;
    std::optional<int> virus;

    bool mailbox_exists(std::string_view mailbox) override { return mailboxes.count(std::string(mailbox)) > 0; }
    std::optional<std::string> metadata(std::string_view mailbox, std::string_view annotation) override;
    bool special_use_exists(std::string_view mailbox, std::string_view attribute) override;
    bool seen(std::string_view id) override { return ids.count(std::string(id)) > 0; }
    std::optional<double> spam_percent() override { return spam; }
    std::optional<int> virus_value() override { return virus; }
    std::optional<std::string> environment(std::string_view name) override;
    std::optional<bool> in_list(std::string_view list, std::string_view value) override;
};

// What the case's script does, in the notation of its sections.
std::map<std::string, std::string> perform(const Case& each);

}  // namespace gk::sieve::testing
