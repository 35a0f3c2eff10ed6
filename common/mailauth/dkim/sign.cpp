// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/sign.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/text.hpp"

namespace gk::mailauth::dkim {
namespace {

constexpr std::size_t kLine = 76;

// RFC 6376, 5.4.1, and the fields that mailing lists and one-click unsubscription (RFC 8058) rest on.
const std::vector<std::string> kHeaders = {"from",
                                           "reply-to",
                                           "subject",
                                           "date",
                                           "to",
                                           "cc",
                                           "message-id",
                                           "in-reply-to",
                                           "references",
                                           "mime-version",
                                           "content-type",
                                           "content-transfer-encoding",
                                           "content-disposition",
                                           "content-language",
                                           "resent-date",
                                           "resent-from",
                                           "resent-to",
                                           "resent-cc",
                                           "resent-message-id",
                                           "list-id",
                                           "list-help",
                                           "list-unsubscribe",
                                           "list-unsubscribe-post",
                                           "list-subscribe",
                                           "list-post",
                                           "list-owner",
                                           "list-archive"};
const std::vector<std::string> kOversigned = {
    "from", "reply-to",   "subject",      "date",         "to",
    "cc",   "message-id", "mime-version", "content-type", "content-transfer-encoding"};

}  // namespace

const std::vector<std::string>& default_headers() noexcept { return kHeaders; }

std::string folded_names(const std::vector<std::string>& names) {
    std::string out = "\th=";
    std::size_t line = out.size();
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string word = names[i] + (i + 1 < names.size() ? ":" : ";");
        if (line + word.size() > kLine) {
            out += "\r\n\t ";
            line = 2;
        }
        out += word;
        line += word.size();
    }
    return out + "\r\n";
}

std::string folded_base64(std::string_view octets) {
    const std::string encoded = text::to_base64(octets);
    std::string out = encoded.substr(0, kLine - 4);
    for (std::size_t at = out.size(); at < encoded.size(); at += kLine - 2)
        out += "\r\n\t " + encoded.substr(at, kLine - 2);
    return out;
}

std::vector<std::string> names_to_sign(const HeaderFields& fields, const std::vector<std::string>& wanted,
                                       const std::vector<std::string>& oversigned) {
    std::vector<std::string> out;
    for (const auto& each : wanted) {
        const std::string name = text::lower(each);
        const bool once_more = std::find(oversigned.begin(), oversigned.end(), name) != oversigned.end();
        for (std::size_t i = fields.count(name) + once_more; i > 0; --i) out.push_back(name);
    }
    return out;
}

Signer::Signer(SignOptions options) : options_(std::move(options)), splitter_(options_.header_octets) {
    body_.add(options_.body_canon);
}

void Signer::feed(std::string_view bytes) {
    const auto body = splitter_.feed(bytes);
    if (!body.empty()) body_.feed(body);
}

Result<std::string> Signer::finish(const std::vector<SignWith>& keys) {
    if (splitter_.too_large())
        return fail(Errc::BadInput, fmt::format("the header is larger than {} octets", options_.header_octets));
    fields_.emplace(splitter_.header());
    if (fields_->count("from") == 0) return fail(Errc::BadInput, "the message has no From field");
    body_.finish();
    const auto signed_names = names_to_sign(*fields_, options_.headers.empty() ? kHeaders : options_.headers,
                                            options_.oversigned.empty() ? kOversigned : options_.oversigned);
    if (std::find(signed_names.begin(), signed_names.end(), "from") == signed_names.end())
        return fail(Errc::BadInput, "From must be among the fields that are signed");
    std::string out;
    for (const auto& key : keys) {
        std::string field =
            fmt::format("DKIM-Signature: v=1; a={}; c={}/{};\r\n\td={}; s={};", algorithm_name(key.algorithm),
                        canon_name(options_.header_canon), canon_name(options_.body_canon), key.domain, key.selector);
        if (!key.identity.empty()) field += fmt::format("\r\n\ti={};", key.identity);
        field += fmt::format(" t={};", options_.timestamp_s);
        if (options_.expires_s) field += fmt::format(" x={};", *options_.expires_s);
        field += "\r\n" + folded_names(signed_names);
        field += fmt::format("\tbh={};\r\n\tb=", text::to_base64(body_.of(0).digest));
        GK_TRY(const std::string signature,
               key.sign(header_digest(*fields_, signed_names, field, options_.header_canon)));
        out += field + folded_base64(signature) + "\r\n";
    }
    return out;
}

}  // namespace gk::mailauth::dkim
