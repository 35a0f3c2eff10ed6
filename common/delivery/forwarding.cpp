// SPDX-License-Identifier: MIT
#include "common/delivery/forwarding.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/address/grammar.hpp"
#include "common/address/path.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/message/header.hpp"

namespace gk::delivery {

Forwarding::Forwarding(const config::Config& config, std::shared_ptr<directory::Directory> directory)
    : rewrites_(config.boolean("srs.rewrite")),
      domain_(config.string("srs.domain")),
      max_age_s_(config.duration_s("srs.max_age")),
      directory_(std::move(directory)),
      secrets_(std::make_shared<srs::Secrets>(config.paths().keys + "/srs")) {
    available_ = !config.paths().keys.empty();
    if (!available_) return;
    const Status made = secrets_->create_missing(now());
    const auto read = secrets_->read();
    if (!read && rewrites_)
        log::Event("srs.unavailable", log::Level::Warning).field("error", made ? read.error().text : made.error().text);
}

Result<std::string> Forwarding::reverse_path(const std::string& reverse_path, std::string_view domain) const {
    if (!rewrites_ || !available_ || reverse_path.empty()) return reverse_path;
    GK_TRY(const bool ours, directory_->is_local_domain(directory::domain_of(reverse_path)));
    if (ours) return reverse_path;
    auto secrets = secrets_->read();
    if (!secrets) return fail(Errc::Temporary, secrets.error().text);
    auto rewritten =
        srs::rewrite(reverse_path, domain_.empty() ? domain : std::string_view(domain_), secrets->front(), now());
    // What is too long to come back to us is better as it was.
    const auto local = address::unquote_local_part(directory::local_part_of(rewritten));
    return local.size() > address::kMaxRewrittenLocalPart ? reverse_path : rewritten;
}

std::optional<Result<std::string>> Forwarding::original(std::string_view recipient) const {
    const std::string local = address::unquote_local_part(directory::local_part_of(recipient));
    if (!available_ || !srs::is_rewritten(local)) return std::nullopt;
    const auto secrets = secrets_->read();
    if (!secrets) return Result<std::string>(fail(Errc::Temporary, secrets.error().text));
    auto address = srs::restore(local, *secrets, max_age_s_, now());
    // Where nothing is rewritten any more, somebody may really be called that.
    if (!address && !rewrites_) return std::nullopt;
    return address;
}

std::string list_id(const directory::Alias& list) {
    std::string id(directory::local_part_of(list.address));
    std::replace(id.begin(), id.end(), '@', '.');
    return text::lower(id + "." + std::string(directory::domain_of(list.address)));
}

std::string list_fields(const directory::Alias& list) {
    const auto& owner = list.list->owner;
    // Of a mailto URL (RFC 6068) the local-part's own escapes are those of percent_encode.
    const auto url = [](std::string_view address) {
        return text::percent_encode(directory::local_part_of(address)) + "@" +
               std::string(directory::domain_of(address));
    };
    std::string fields = "List-Id: ";
    if (!list.list->name.empty()) {
        const bool plain = std::all_of(list.list->name.begin(), list.list->name.end(), [](char c) {
            return text::is_alpha(c) || text::is_digit(c) || c == ' ' || c == '-';
        });
        fields += plain ? list.list->name : message::encode_words(list.list->name);
        fields += " ";
    }
    fields += fmt::format("<{}>\r\n", list_id(list));
    fields +=
        list.list->post == "owner" ? "List-Post: NO\r\n" : fmt::format("List-Post: <mailto:{}>\r\n", url(list.address));
    fields += fmt::format("List-Owner: <mailto:{}>\r\n", url(owner));
    fields += fmt::format("List-Unsubscribe: <mailto:{}?subject=unsubscribe%20{}>\r\n", url(owner), url(list.address));
    return fields + "Precedence: list\r\n";
}

std::optional<std::string> without_list_fields(std::string_view message) {
    const auto header = message.substr(0, message::header_length(message));
    const auto is_of_list = [](std::string_view name) {
        return text::starts_with_nocase(name, "List-") || text::equals_nocase(name, "Precedence");
    };
    std::string kept;
    bool any = false;
    message::FieldReader fields(header);
    message::Field field;
    while (fields.next(field)) {
        if (is_of_list(field.name)) any = true;
        else kept += field.whole;
    }
    if (!any) return std::nullopt;
    kept += message.substr(fields.position());
    return kept;
}

std::string list_id_of(std::string_view message) {
    const auto header = message.substr(0, message::header_length(message));
    const auto field = message::find_field(header, "List-Id");
    if (!field) return {};
    const auto open = field->rfind('<'), close = field->rfind('>');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
    return text::lower(text::trim(field->substr(open + 1, close - open - 1)));
}

}  // namespace gk::delivery
