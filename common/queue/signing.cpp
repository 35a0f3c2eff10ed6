// SPDX-License-Identifier: MIT
#include "common/queue/signing.hpp"

#include <fmt/format.h>

#include "common/address/list.hpp"
#include "common/base/text.hpp"
#include "common/mailauth/dkim/sign.hpp"
#include "common/mailauth/domain.hpp"
#include "common/message/header.hpp"

namespace gk::queue {
namespace {

constexpr std::size_t kPiece = 128 * 1024;
constexpr std::size_t kMaxHeader = 1 << 20;

// Finds CR and LF that are no CRLF, at any split.
class BareLineEnds {
public:
    void feed(std::string_view bytes) {
        if (bytes.empty() || found_) return;
        if (after_cr_ && bytes.front() != '\n') found_ = true;
        for (std::size_t at = 0; !found_ && (at = bytes.find('\n', at)) != std::string_view::npos; ++at)
            if (at == 0 ? !after_cr_ : bytes[at - 1] != '\r') found_ = true;
        for (std::size_t at = 0; !found_ && (at = bytes.find('\r', at)) != std::string_view::npos; ++at)
            if (at + 1 < bytes.size() && bytes[at + 1] != '\n') found_ = true;
        after_cr_ = bytes.back() == '\r';
    }
    bool found() const noexcept { return found_ || after_cr_; }  // at the end of the message

private:
    bool found_ = false, after_cr_ = false;
};

Signatures unsigned_for(std::string domain, std::string why) { return {{}, std::move(domain), std::move(why)}; }

}  // namespace

Result<std::string> read_header(const smtp_client::Source& message) {
    std::string bytes;
    for (;;) {
        GK_TRY(const std::string piece, message(bytes.size(), kPiece));
        const std::size_t from = bytes.size() < 3 ? 0 : bytes.size() - 3;
        bytes += piece;
        if (piece.size() < kPiece || bytes.size() > kMaxHeader || bytes.find("\r\n\r\n", from) != std::string::npos)
            return bytes;
    }
}

Result<bool> read_pieces(const smtp_client::Source& message, std::string begin,
                         const std::function<void(std::string_view)>& each) {
    BareLineEnds bare;
    std::string piece = std::move(begin);
    for (std::uint64_t at = 0; !piece.empty();) {
        bare.feed(piece);
        each(piece);
        at += piece.size();
        GK_TRY(piece, message(at, kPiece));
    }
    return !bare.found();
}

bool is_ours_to_sign(const Envelope& envelope) noexcept {
    return !envelope.account.empty() || envelope.is_dsn || envelope.is_own;
}

Result<std::string> author_domain(std::string_view header) {
    std::string domain;
    std::size_t fields = 0;
    message::FieldReader reader(header);
    for (message::Field field; reader.next(field);) {
        if (!text::equals_nocase(field.name, "From")) continue;
        // A second one would be shown by some readers, with our signature below it.
        if (++fields > 1) return fail(Errc::BadInput, "more than one From field");
        for (const auto& listed : address::parse_list(field.value)) {
            if (listed.kind != address::Listed::Kind::Mailbox || listed.domain.empty()) continue;
            std::string each = mailauth::dns_domain(listed.domain);
            if (each.empty()) return fail(Errc::BadInput, "From names no domain of DNS");
            if (!domain.empty() && each != domain) return fail(Errc::BadInput, "From names several domains");
            domain = std::move(each);
        }
    }
    if (domain.empty()) return fail(Errc::BadInput, fields == 0 ? "no From field" : "From names no address");
    return domain;
}

Result<Signatures> sign_message(const smtp_client::Source& message, const SigningSettings& settings,
                                dkim_client::ClientPool& pool, TimePoint when) {
    GK_TRY(std::string piece, read_header(message));
    const auto author = author_domain(std::string_view(piece).substr(0, message::header_length(piece)));
    if (!author) return unsigned_for({}, author.error().text);
    const auto keys = dkim_client::nearest_signing_keys(pool, *author);
    if (!keys && keys.error().code == Errc::BadInput) return unsigned_for(*author, keys.error().text);
    if (!keys) return fail(keys.error());
    if (keys->empty()) return unsigned_for(*author, "no active key");

    mailauth::dkim::SignOptions options;
    options.header_canon = settings.header_canon;
    options.body_canon = settings.body_canon;
    options.timestamp_s = to_unix_s(when);
    options.header_octets = kMaxHeader;
    if (settings.expires.count() > 0) options.expires_s = options.timestamp_s + settings.expires.count();
    mailauth::dkim::Signer signer(std::move(options));
    GK_TRY(const bool regular,
           read_pieces(message, std::move(piece), [&](std::string_view bytes) { signer.feed(bytes); }));
    if (!regular) return unsigned_for(*author, "bare CR or LF in the message");
    auto fields = signer.finish(*keys);
    // NotFound: the key was retired or revoked since we asked; the next attempt sees the ones that are active then.
    if (!fields && fields.error().code == Errc::BadInput) return unsigned_for(*author, fields.error().text);
    if (!fields) return fail(Errc::Temporary, fields.error().text);
    return Signatures{std::move(*fields), keys->front().domain, {}};
}

}  // namespace gk::queue
