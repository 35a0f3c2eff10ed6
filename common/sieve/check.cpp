// SPDX-License-Identifier: MIT
#include <re2/re2.h>

#include <algorithm>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/sieve/compiler.hpp"
#include "common/sieve/dates.hpp"
#include "common/sieve/mailto.hpp"

// What a command's arguments must be beyond their types. Strings with variables in them are checked when they are used.
namespace gk::sieve {

namespace {

// RFC 5322, 3.6.8: ftext.
bool is_field_name(std::string_view name) noexcept {
    return !name.empty() &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7F && c != ':'; });
}

// RFC 5228, 5.1: headers with addresses, "and SHOULD include any other header that utilizes an address-list".
bool holds_addresses(std::string_view name) noexcept {
    constexpr std::string_view kNames[] = {"from",
                                           "to",
                                           "cc",
                                           "bcc",
                                           "sender",
                                           "reply-to",
                                           "resent-from",
                                           "resent-to",
                                           "resent-cc",
                                           "resent-bcc",
                                           "resent-sender",
                                           "resent-reply-to",
                                           "delivered-to",
                                           "return-path",
                                           "envelope-to",
                                           "errors-to",
                                           "x-original-to",
                                           "disposition-notification-to",
                                           "mail-reply-to",
                                           "approved",
                                           "mail-followup-to",
                                           "for-approval",
                                           "for-handling",
                                           "for-comment",
                                           "apparently-to",
                                           "original-recipient",
                                           "original-from",
                                           "envelope-from",
                                           "x-envelope-to",
                                           "x-envelope-from",
                                           "author",
                                           "return-receipt-to"};
    return std::any_of(std::begin(kNames), std::end(kNames),
                       [&](std::string_view each) { return text::equals_nocase(each, name); });
}

std::string shown(std::string_view s) { return "'" + text::printable(s, 80) + "'"; }

bool is_time_of_day_zone(std::string_view zone) noexcept { return parse_zone(zone).has_value(); }

}  // namespace

std::shared_ptr<const re2::RE2> compile_regex(std::string_view pattern, Comparator comparator, std::uint64_t memory,
                                              std::string& error) {
    // draft-ietf-sieve-regex: extended regular expressions of POSIX, in time linear in the text.
    re2::RE2::Options options;
    options.set_posix_syntax(true);
    options.set_longest_match(true);
    options.set_one_line(true);
    options.set_perl_classes(true);
    options.set_word_boundary(true);
    options.set_dot_nl(true);
    options.set_log_errors(false);
    options.set_case_sensitive(comparator == Comparator::Octet);
    options.set_max_mem(static_cast<std::int64_t>(memory));
    auto regex = std::make_shared<re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
    if (regex->ok()) return regex;
    error = regex->error_code() == re2::RE2::ErrorPatternTooLarge ? "it is too large" : regex->error();
    return nullptr;
}

bool Compiler::check_headers(const Node& node, const Texts& names, bool addresses) {
    bool good = true;
    for (const Text& name : names) {
        if (!name.constant()) continue;
        if (!is_field_name(name.literal))
            problem(node.at, shown(name.literal) + " is no name of a header field"), good = false;
        else if (addresses && !holds_addresses(name.literal))
            problem(node.at, "the field " + shown(name.literal) + " holds no addresses; use the test header"),
                good = false;
    }
    return good;
}

bool Compiler::check_matching(const Item& item, Node& node, Texts& keys) {
    const Matching& m = node.matching;
    const bool parts = m.type == Match::Contains || m.type == Match::Matches || m.type == Match::Regex;
    if (m.comparator == Comparator::AsciiNumeric && parts)  // RFC 4790, 9.1.1: it has no substrings
        return problem(item.at, "the comparator i;ascii-numeric cannot search for parts of a string"), false;
    bool good = true;
    for (Text& key : keys) {
        if (!key.constant()) continue;
        if (m.type == Match::Regex) {
            // Most patterns are small: only what needs more than a small share counts for more.
            constexpr std::uint64_t kSmall = 128u << 10;
            std::string error;
            std::uint64_t memory = std::min(kSmall, limits_.regex_memory);
            key.regex = compile_regex(key.literal, m.comparator, memory, error);
            if (!key.regex && memory < limits_.regex_memory) {
                memory = limits_.regex_memory;
                key.regex = compile_regex(key.literal, m.comparator, memory, error);
            }
            if ((regexes_ += memory) > limits_.regexes_memory)
                return problem(node.at, "the regular expressions of the program take more than " +
                                            std::to_string(limits_.regexes_memory) + " bytes"),
                       false;
            if (!key.regex)
                problem(node.at, "the regular expression " + shown(key.literal) + " is wrong: " + error), good = false;
        } else if (m.comparator == Comparator::UnicodeCasemap) {
            key.folded = charset::collation_key(key.literal);
        }
    }
    return good;
}

bool Compiler::check_index(const Item& item, Node& node) {
    const Tagged* index = node.find(Slot::Index);
    if (node.is(flag::Last) && index == nullptr) return problem(item.at, "':last' goes with ':index'"), false;
    if (index != nullptr && index->number == 0) return problem(item.at, "':index' counts from 1"), false;
    return true;
}

bool Compiler::check_variable_name(const Texts& names, Node& node) {
    const Text& name = names[0];
    if (!name.constant()) return problem(node.at, "the name of a variable cannot come from a variable"), false;
    std::string_view written = name.literal;
    // RFC 6609, 3.4.2: "global.name" may be set too.
    if (text::starts_with_nocase(written, "global.") && has(Ext::Include)) {
        const auto piece = reference(written, node.at);
        if (!piece) return problem(node.at, shown(written) + " is no name of a variable"), false;
        node.number = piece->number;
        node.flags |= flag::Global;
        return true;
    }
    if (!is_identifier(written)) return problem(node.at, shown(written) + " is no name of a variable"), false;
    const auto index = variable(written, node.at);
    if (!index) return false;
    node.number = *index;
    return true;
}

bool Compiler::check_mime(const Item& item, const Node& node) {
    constexpr std::uint32_t kNeed = flag::Anychild | flag::Type | flag::Subtype | flag::ContentType;
    if ((node.is(kNeed) || node.find(Slot::Param)) && !node.is(flag::Mime))
        return problem(item.at, "':anychild', ':type', ':subtype', ':contenttype' and ':param' go with ':mime'"), false;
    return true;
}

bool Compiler::check_fcc(const Item& item, const Node& node) {
    const Tagged* fcc = node.find(Slot::Fcc);
    if (!fcc && (node.is(flag::Create) || node.find(Slot::Flags) || node.find(Slot::SpecialUse)))
        return problem(item.at, "':flags', ':create' and ':specialuse' go with ':fcc' here"), false;
    if (fcc && fcc->texts[0].constant() && fcc->texts[0].literal.empty())
        return problem(item.at, "':fcc' names no mailbox"), false;
    return true;
}

bool Compiler::check(const Item& item, Node& node) {
    const auto constant = [&](std::size_t arg) -> const std::string* {
        return node.args.size() > arg && node.args[arg].size() == 1 && node.args[arg][0].constant()
                   ? &node.args[arg][0].literal
                   : nullptr;
    };
    const auto wrong = [&](std::string why) { return problem(item.at, std::move(why)), false; };
    switch (node.op) {
        case Op::Address:
            return check_headers(node, node.args[0], true) && check_index(item, node) && check_mime(item, node) &&
                   check_matching(item, node, node.args[1]);
        case Op::Header:
            return check_headers(node, node.args[0], false) && check_index(item, node) && check_mime(item, node) &&
                   check_matching(item, node, node.args[1]);
        case Op::Exists: return check_headers(node, node.args[0], false) && check_mime(item, node);
        case Op::Envelope:
            for (const Text& part : node.args[0])
                if (part.constant() && !text::equals_nocase(part.literal, "from") &&
                    !text::equals_nocase(part.literal, "to"))
                    return wrong("the envelope has \"from\" and \"to\", and no " + shown(part.literal));
            return check_matching(item, node, node.args[1]);
        case Op::Size:
            if (!node.is(flag::Over | flag::Under)) return wrong("size needs ':over' or ':under'");
            return true;
        case Op::Body: return check_matching(item, node, node.args[0]);
        case Op::Hasflag:
            if (!node.args[0].empty() && !has(Ext::Variables))
                return wrong("a variable's name needs require \"variables\"");
            return check_matching(item, node, node.args[1]);
        case Op::Setflag:
        case Op::Addflag:
        case Op::Removeflag:
            if (node.args[0].empty()) return true;
            if (!has(Ext::Variables)) return wrong("a variable's name needs require \"variables\"");
            return check_variable_name(node.args[0], node);
        case Op::String:
        case Op::Environment:
        case Op::Spamtest:
        case Op::Virustest:
            if (node.op == Op::Spamtest || node.op == Op::Virustest) return check_matching(item, node, node.args[0]);
            return check_matching(item, node, node.args[1]);
        case Op::Servermetadata: return check_matching(item, node, node.args[1]);
        case Op::Metadata:
        case Op::NotifyMethodCapability: return check_matching(item, node, node.args[2]);
        case Op::Date:
        case Op::Currentdate: {
            const std::size_t part = node.op == Op::Date ? 1 : 0;
            if (part == 1 && !check_headers(node, node.args[0], false)) return false;
            if (const auto* name = constant(part); name && !is_date_part(*name))
                return wrong("there is no part " + shown(*name) + " of a date");
            if (const Tagged* zone = node.find(Slot::Zone);
                zone && zone->texts[0].constant() && !is_time_of_day_zone(zone->texts[0].literal))
                return wrong("a zone is written \"+hhmm\" or \"-hhmm\"");
            return check_index(item, node) && check_matching(item, node, node.args[part + 1]);
        }
        case Op::TestError:
        case Op::TestResultAction: return check_matching(item, node, node.args[0]);
        case Op::Set: return check_variable_name(node.args[0], node);
        case Op::Extracttext:
            if (!has(Ext::Variables)) return wrong("extracttext needs require \"variables\"");
            if (here_->loops.empty()) return wrong("extracttext stands in a foreverypart loop");  // RFC 5703, 7
            if (const Tagged* first = node.find(Slot::First); first && first->number == 0)
                return wrong("':first' takes a number above 0");
            return check_variable_name(node.args[0], node);
        case Op::Break: {
            if (here_->loops.empty()) return wrong("break stands in a foreverypart loop");
            const Tagged* name = node.find(Slot::Name);
            if (!name) return node.number = 1, true;
            for (std::size_t i = here_->loops.size(); i > 0; --i)
                if (here_->loops[i - 1] == name->texts[0].literal)
                    return node.number = here_->loops.size() - i + 1, true;
            return wrong("there is no loop " + shown(name->texts[0].literal) + " around this");
        }
        case Op::Foreverypart:
            if (const Tagged* name = node.find(Slot::Name); name && !name->texts[0].constant())
                return wrong("the name of a loop cannot come from a variable");
            return true;
        case Op::Global:
            if (!has(Ext::Variables)) return wrong("global needs require \"variables\"");
            for (const Text& name : node.args[0]) {
                if (!name.constant() || !is_identifier(name.literal))
                    return wrong(shown(name.literal) + " is no name of a variable");
                const auto index = variable(name.literal, item.at);
                const auto global = reference("global." + name.literal, item.at);
                if (!index || !global) return false;
                here_->unit.global_of[*index] = static_cast<std::int32_t>(global->number);
            }
            return true;
        case Op::Include:
            if (!node.args[0][0].constant()) return wrong("the name of a script cannot come from a variable");
            if (const auto* name = constant(0);
                name->empty() || name->size() > 500 || name->find('/') != std::string::npos)
                return wrong(shown(*name) + " is no name of a script");
            return true;
        case Op::Fileinto:
            if (const auto* mailbox = constant(0); mailbox && mailbox->empty())
                return wrong("fileinto names no mailbox");
            return true;
        case Op::Redirect:
            if (node.is(flag::List) || constant(0) == nullptr) return true;
            if (const auto address = parse_recipient(*constant(0)); !address)
                return wrong(shown(*constant(0)) + " is no address");
            return true;
        case Op::Addheader:
            if (!check_headers(node, node.args[0], false)) return false;
            return true;
        case Op::Deleteheader:
            if (!node.args[1].empty() || check_index(item, node)) {
                if (!check_headers(node, node.args[0], false) || !check_index(item, node)) return false;
                return check_matching(item, node, node.args[1]);
            }
            return false;
        case Op::Notify: {
            if (const Tagged* importance = node.find(Slot::Importance); importance && importance->texts[0].constant()) {
                const std::string& value = importance->texts[0].literal;
                if (value != "1" && value != "2" && value != "3")
                    return wrong("the importance is \"1\", \"2\" or \"3\"");
            }
            if (const auto* method = constant(0)) {
                std::string error;
                if (!parse_mailto(*method, error)) return wrong(error);
            }
            return check_fcc(item, node);
        }
        case Op::Vacation:
            if (const Tagged* from = node.find(Slot::From);
                from && from->texts[0].constant() && !is_single_mailbox(from->texts[0].literal))
                return wrong("':from' is one address, with a name or without");
            return check_fcc(item, node);
        case Op::Replace:
        case Op::Enclose:
            if (!node.args[0][0].constant()) return true;
            return true;
        case Op::Ihave: {
            node.number = 1;
            for (const Text& name : node.args[0]) {
                const auto ext = name.constant() ? extension_named(name.literal) : std::nullopt;
                const bool here = ext && *ext != Ext::Testsuite && (dialect_.extensions.bits & bit(*ext)) == bit(*ext);
                if (!here) node.number = 0;
            }
            if (node.number)
                for (const Text& name : node.args[0]) enable(*extension_named(name.literal));
            return true;
        }
        case Op::Duplicate: return true;
        default: return true;
    }
}

}  // namespace gk::sieve
