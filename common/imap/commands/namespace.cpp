// SPDX-License-Identifier: MIT
#include "common/imap/mailbox_name.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

namespace {

constexpr std::string_view kAllRights = "lrswipkxtea";  // RFC 4314, 2.1

}  // namespace

// The personal namespace is all there is: shared mailboxes and other users' will be found here by their prefix, with
// their own account and rights, and no command will know.
std::optional<Session::Place> Session::place_of(const std::string& wire, std::string_view needed) {
    const auto name = decode_mailbox(wire, utf8_);
    if (!name) {
        reply(utf8_ ? "NO [CANNOT] The mailbox name is not UTF-8"
                    : "NO [CANNOT] The mailbox name is not modified UTF-7");
        return std::nullopt;
    }
    if (name->empty()) {  // not TRYCREATE or NONEXISTENT: CREATE would not help
        reply("NO [CANNOT] A mailbox has a name");
        return std::nullopt;
    }
    Place place{account_, store::canonical_name(*name), kAllRights};
    for (const char right : needed) {
        if (place.rights.find(right) != std::string_view::npos) continue;
        reply("NO [NOPERM] You have no right to do that with this mailbox");
        return std::nullopt;
    }
    return place;
}

std::optional<std::string> Session::mailbox_named(const std::string& wire) {
    auto place = place_of(wire);
    return place ? std::optional(std::move(place->name)) : std::nullopt;
}

// namespace = "NAMESPACE": RFC 9051, 6.3.10; RFC 2342, 5: personal, other users', shared.
void Session::on(const Namespace&) {
    untagged("NAMESPACE ((\"\" \"/\")) NIL NIL");
    finish("OK Namespaces listed");
}

}  // namespace gk::imap
