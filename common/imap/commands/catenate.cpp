// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/imap/grammar/message_url.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

namespace {

constexpr std::size_t kPiece = 64 * 1024;

// resp-text-code =/ "BADURL" SP url-resp-text; RFC 4469, 5
std::string bad_url(std::string_view url, std::string_view why) {
    std::string shown;
    for (const char c : url.substr(0, 1000)) {
        if (c == '"' || c == '\\') shown += '\\';
        shown += c >= ' ' && c < 0x7f ? c : '?';
    }
    return fmt::format("NO [BADURL \"{}\"] {}", shown, why);
}

}  // namespace

// cat-part = "URL" SP astring: RFC 4469, 3. The bytes that FETCH BODY[section] gives, straight from file to file.
bool Session::append_url(const std::string& text) {
    settle();  // it may name a message that waits for others
    if (closed_) return false;
    const auto bad = [&](std::string_view why) { return refuse_append(bad_url(text, why)); };
    const auto url = parse_message_url(text);
    if (!url) return bad("That names no message");
    if (!url->host.empty() && !text::equals_nocase(url->host, options_.hostname))
        return bad("That is another server's");
    if (!url->user.empty() && !text::equals_nocase(url->user, account_->name())) return bad("That is another's");
    if (url->mailbox.empty() && !view_) return bad("No mailbox is selected");
    const std::string name = url->mailbox.empty() ? view_->name() : store::canonical_name(url->mailbox);
    auto mailbox = account_->mailbox(name);
    if (!mailbox) return bad("There is no such mailbox");
    if (url->uidvalidity) {
        const auto status = account_->status(name);
        if (!status || status->uidvalidity != *url->uidvalidity) return bad("The mailbox has another UIDVALIDITY");
    }
    const auto structure = mailbox->structure(url->uid);
    const auto file = mailbox->open(url->uid);
    if (!structure || !file) return bad("There is no such message");
    const std::string_view bytes = file->file.bytes();
    const auto content = find_section(*structure, bytes, url->section, url->partial);
    if (!content) return bad("The message has no such part");
    if (content->octets > options_.max_message - std::min(options_.max_message, appending_->octets))
        return refuse_append(fmt::format("NO [TOOBIG] A message may have {} bytes", options_.max_message));
    appending_->octets += content->octets;
    std::string converted;
    for (const Piece& piece : content->pieces) {
        std::string_view rest = piece.own;
        if (rest.empty())
            rest = bytes.substr(std::min<std::uint64_t>(piece.begin, bytes.size()), piece.end - piece.begin);
        CrlfWriter crlf;
        while (!rest.empty() && !appending_->refusal) {
            const std::string_view part = rest.substr(0, kPiece);
            rest.remove_prefix(part.size());
            if (piece.own.empty() && piece.to_crlf) {
                converted.clear();
                crlf.feed(part, converted);
                write_message(converted);
            } else {
                write_message(part);
            }
        }
    }
    if (!appending_->refusal) return true;
    return refuse_append(std::string(*appending_->refusal));
}

}  // namespace gk::imap
