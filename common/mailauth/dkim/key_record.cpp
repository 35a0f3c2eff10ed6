// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/key_record.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/text.hpp"
#include "common/mailauth/dkim/tags.hpp"

namespace gk::mailauth::dkim {
namespace {

bool lists(const std::vector<std::string>& list, std::string_view entry) {
    return std::any_of(list.begin(), list.end(),
                       [&](const std::string& each) { return text::equals_nocase(each, entry); });
}

}  // namespace

bool KeyRecord::permits_sha256() const noexcept { return hashes.empty() || lists(hashes, "sha256"); }
bool KeyRecord::permits_mail() const noexcept {
    return services.empty() || lists(services, "*") || lists(services, "email");
}

Result<KeyRecord> parse_key_record(std::string_view txt) {
    GK_TRY(const TagList tags, TagList::parse(txt));
    KeyRecord record;
    if (const auto* version = tags.find("v")) {
        // 3.6.1: if it is there, it is the first.
        if (*version != "DKIM1" || tags.tags().front().first != "v")
            return fail(Errc::BadInput, "v= is not DKIM1, or not the first tag");
    }
    if (const auto* type = tags.find("k")) record.type = text::lower(*type);
    if (const auto* hashes = tags.find("h")) record.hashes = colon_list(*hashes);
    if (const auto* services = tags.find("s")) record.services = colon_list(*services);
    if (const auto* flags = tags.find("t")) {
        const auto list = colon_list(*flags);
        record.testing = lists(list, "y");
        record.strict = lists(list, "s");
    }
    const auto* octets = tags.find("p");
    if (!octets) return fail(Errc::BadInput, "p= is missing");
    auto decoded = base64_with_folds(*octets);
    if (!decoded) return fail(Errc::BadInput, "p= is not base64");
    record.octets = std::move(*decoded);
    return record;
}

std::string format_key_record(const PrivateKey& key) {
    return fmt::format("v=DKIM1; k={}; p={}", key_type_name(key.algorithm()), text::to_base64(key.public_octets()));
}

}  // namespace gk::mailauth::dkim
