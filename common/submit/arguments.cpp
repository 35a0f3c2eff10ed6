// SPDX-License-Identifier: MIT
#include "common/submit/arguments.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/queue/envelope.hpp"

namespace gk::submit {
namespace {

using Mode = Arguments::Mode;

// Letters whose value is in the same word or the next one; and those whose value, if any, is in the same word.
constexpr std::string_view kWithValue = "BCDFLMNORVXbefhopr", kWithOptionalValue = "Adqs";
constexpr std::string_view kSwitches = "GIUacimntvx";

Status set_mode(Arguments& a, std::string_view value) {
    if (value == "m") a.mode = Mode::Deliver;
    else if (value == "s") a.mode = Mode::Smtp;
    else if (value == "p") a.mode = Mode::ListQueue;
    else if (value == "i") a.mode = Mode::Nothing;
    else if (value == "d" || value == "D")
        return fail(Errc::BadInput, "the service manager starts the daemons; -b" + std::string(value) + " does not");
    else return fail(Errc::BadInput, "-b is m, s, p or i, not '" + text::printable(value, 40) + "'");
    return ok();
}

// One option with its value; what is not named here is another program's, and means nothing.
Status set(Arguments& a, char letter, std::string_view value) {
    switch (letter) {
        case 'b': return set_mode(a, value);
        case 't': a.recipients_from_header = true; break;
        case 'i': a.dot_is_text = true; break;
        case 'v': a.verbose = true; break;
        case 'I': a.mode = Mode::Nothing; break;
        case 'q': a.mode = Mode::Flush; break;
        case 'F': a.full_name = value; break;
        case 'f':
        case 'r': a.sender = value == "<>" ? std::string() : std::string(value); break;
        case 'o':
            if (value == "i") a.dot_is_text = true;
            else if (value == "t") a.recipients_from_header = true;
            break;
        case 'O':
            if (text::starts_with_nocase(value, "IgnoreDots") && !value.ends_with("False")) a.dot_is_text = true;
            break;
        case 'B':
            if (text::equals_nocase(value, "8BITMIME")) a.eight_bit = true;
            else if (!text::equals_nocase(value, "7BIT"))
                return fail(Errc::BadInput, "-B is 7BIT or 8BITMIME, not '" + text::printable(value, 40) + "'");
            break;
        case 'N': {
            GK_TRY(const unsigned notify, queue::parse_notify(value));
            a.notify = queue::format_notify(notify);
            break;
        }
        case 'R':
            if (text::equals_nocase(value, "full")) a.ret = "FULL";
            else if (text::equals_nocase(value, "hdrs")) a.ret = "HDRS";
            else return fail(Errc::BadInput, "-R is full or hdrs, not '" + text::printable(value, 40) + "'");
            break;
        case 'V':
            if (value.empty() || value.size() > 100) return fail(Errc::BadInput, "-V takes 1 to 100 characters");
            a.envid = value;
            break;
        default: break;
    }
    return ok();
}

}  // namespace

Result<Arguments> parse_arguments(std::string_view program, const std::vector<std::string>& words) {
    Arguments a;
    if (program == "mailq") a.mode = Mode::ListQueue;
    if (program == "newaliases") a.mode = Mode::Nothing;
    std::size_t at = 0;
    for (; at < words.size(); ++at) {
        const std::string& word = words[at];
        if (word == "--") {
            ++at;
            break;
        }
        if (word == "--root" && at + 1 < words.size()) {
            a.root = words[++at];
            continue;
        }
        if (word.starts_with("--root=")) {
            a.root = word.substr(7);
            continue;
        }
        // GNU's order: options may follow recipients, as PHP's do where a script appends them.
        if (word.size() < 2 || word[0] != '-') {
            a.recipients.push_back(word);
            continue;
        }
        for (std::size_t i = 1; i < word.size(); ++i) {
            const char letter = word[i];
            if (kSwitches.find(letter) != std::string_view::npos) {
                GK_CHECK(set(a, letter, {}));
                continue;
            }
            std::string_view value = std::string_view(word).substr(i + 1);
            if (kWithValue.find(letter) != std::string_view::npos) {
                if (value.empty() && at + 1 >= words.size())
                    return fail(Errc::BadInput, fmt::format("-{} wants a value", letter));
                if (value.empty()) value = words[++at];
            } else if (kWithOptionalValue.find(letter) == std::string_view::npos) {
                return fail(Errc::BadInput, "no such option: '" + text::printable(word, 60) + "'");
            }
            GK_CHECK(set(a, letter, value));
            break;
        }
    }
    for (; at < words.size(); ++at) a.recipients.push_back(words[at]);
    return a;
}

}  // namespace gk::submit
