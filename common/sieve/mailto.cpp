// SPDX-License-Identifier: MIT
#include "common/sieve/mailto.hpp"

#include <algorithm>

#include "common/address/list.hpp"
#include "common/base/text.hpp"
#include "common/charset/charset.hpp"

namespace gk::sieve {

namespace {

constexpr std::size_t kMostRecipients = 2, kMostFields = 32, kLongestMethod = 16'384;

std::vector<std::string> recipients(std::string_view list, bool& good) {
    std::vector<std::string> found;
    for (const std::string_view each : text::split(list, ',')) {
        const auto decoded = text::percent_decode(each);
        const auto address = decoded ? address::parse_address(text::trim(*decoded))
                                     : Result<address::Address>(fail(Errc::BadInput, "no address"));
        if (!address || address->domain.empty()) {
            good = false;
            continue;
        }
        found.push_back(address->text());
    }
    return found;
}

bool is_field_name(std::string_view name) noexcept {
    return !name.empty() &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7F && c != ':'; });
}

// RFC 5436, 2.3 and 2.6: From, Date, Message-ID, Auto-Submitted and the like are the server's.
bool may_be_set(std::string_view name) noexcept {
    constexpr std::string_view kOurs[] = {"from",     "date",         "message-id",  "auto-submitted",
                                          "received", "sender",       "return-path", "resent-from",
                                          "reply-to", "mime-version", "in-reply-to", "references"};
    if (text::starts_with_nocase(name, "content-") || text::starts_with_nocase(name, "dkim-")) return false;
    return std::none_of(std::begin(kOurs), std::end(kOurs),
                        [&](std::string_view each) { return text::equals_nocase(each, name); });
}

}  // namespace

std::optional<Mailto> parse_mailto(std::string_view method, std::string& error) {
    const auto wrong = [&](std::string why) {
        error = std::move(why);
        return std::nullopt;
    };
    if (!text::starts_with_nocase(method, "mailto:"))
        return wrong("'" + text::printable(method, 80) + "' is no method to notify by; mailto: is");
    if (method.size() > kLongestMethod) return wrong("the method to notify by is too long");
    method.remove_prefix(7);
    const std::size_t question = method.find('?');
    Mailto out;
    bool good = true;
    if (const auto path = method.substr(0, question); !path.empty()) out.to = recipients(path, good);
    if (question != std::string_view::npos) {
        const auto fields = text::split(method.substr(question + 1), '&');
        if (fields.size() > kMostFields) return wrong("the method to notify by has too many fields");
        for (const std::string_view field : fields) {
            const std::size_t equals = field.find('=');
            if (equals == std::string_view::npos)
                return wrong("'" + text::printable(field, 80) + "' in a mailto: has no '='");
            const auto name = text::percent_decode(field.substr(0, equals)),
                       value = text::percent_decode(field.substr(equals + 1));
            if (!name || !value) return wrong("a '%' in a mailto: is followed by two hexadecimal digits");
            const std::string_view raw = field.substr(equals + 1);
            if (!is_field_name(*name))
                return wrong("'" + text::printable(*name, 80) + "' in a mailto: is no name of a field");
            const bool line_end = value->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos;
            if (text::equals_nocase(*name, "body")) {
                if (!text::is_utf8(*value)) return wrong("the body in a mailto: is not UTF-8");
                out.body = *value;
                continue;
            }
            if (line_end || !text::is_utf8(*value))
                return wrong("a field in a mailto: holds line ends or is not UTF-8");
            const auto append = [&](std::vector<std::string>& to) {
                auto more = recipients(raw, good);
                to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
            };
            if (text::equals_nocase(*name, "to")) append(out.to);
            else if (text::equals_nocase(*name, "cc")) append(out.cc);
            else if (text::equals_nocase(*name, "bcc")) append(out.bcc);
            else if (text::equals_nocase(*name, "subject")) out.subject = *value;
            else if (may_be_set(*name)) out.fields.emplace_back(*name, *value);
        }
    }
    if (!good) return wrong("an address in a mailto: is wrong");
    const std::size_t count = out.to.size() + out.cc.size() + out.bcc.size();
    if (count == 0) return wrong("the mailto: names no address");
    if (count > kMostRecipients)
        return wrong("the mailto: names more than " + std::to_string(kMostRecipients) + " addresses");
    return out;
}

Result<address::Address> parse_recipient(std::string_view text) {
    const auto plain = address::parse_address(text::trim(text));
    if (plain && !plain->domain.empty()) return *plain;
    const auto listed = address::parse_list(text);
    if (listed.size() != 1 || listed[0].kind != address::Listed::Kind::Mailbox || listed[0].domain.empty() ||
        text.find('<') == std::string_view::npos)
        return fail(Errc::BadInput, "'" + text::printable(text, 80) + "' is no address");
    return address::parse_address(address::Address{listed[0].local_part, listed[0].domain}.text());
}

bool is_single_mailbox(std::string_view text) { return parse_recipient(text).has_value(); }

}  // namespace gk::sieve
