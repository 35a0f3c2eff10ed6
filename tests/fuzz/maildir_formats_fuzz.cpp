// SPDX-License-Identifier: MIT
// links: maildir
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/maildir/annotations.hpp"
#include "common/maildir/layout.hpp"
#include "common/maildir/name.hpp"
#include "common/maildir/state.hpp"
#include "common/maildir/texts.hpp"
#include "common/maildir/uidlist.hpp"

// The text files and names of a Maildir, which any tool may write. The first byte chooses; what was read is written and
// must read the same again.
namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void uidlist(std::string_view bytes) {
    const auto list = gk::maildir::parse_uidlist(bytes);
    if (!list) return;
    std::string out = gk::maildir::format_uidlist_header(list->validity, list->next, list->guid);
    for (const auto& entry : list->entries) gk::maildir::append_uidlist_line(out, entry.uid, entry.extra, entry.name);
    const auto again = gk::maildir::parse_uidlist(out);
    require(again && !again->damaged && again->entries.size() == list->entries.size() && again->next == list->next);
}

void name(std::string_view bytes) {
    const auto parsed = gk::maildir::parse_name(bytes);
    if (!parsed) return;
    const auto letters = gk::maildir::parse_letters(parsed->letters);
    const auto written = gk::maildir::format_name(parsed->base, letters);
    if (const auto again = gk::maildir::parse_name(written))
        require(gk::maildir::parse_letters(again->letters) == letters);
}

void directory(std::string_view bytes) {
    if (const auto mailbox = gk::maildir::name_of(bytes)) require(gk::maildir::directory_of(*mailbox) == bytes);
    if (gk::maildir::check_name(bytes) && bytes != "INBOX")
        require(gk::maildir::name_of(gk::maildir::directory_of(bytes)) == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0]) {
        case 'u': uidlist(bytes); break;
        case 'n': name(bytes); break;
        case 'd': directory(bytes); break;
        case 'k': {
            const auto names = gk::maildir::parse_keywords(bytes);
            require(gk::maildir::parse_keywords(gk::maildir::format_keywords(names)) == names);
            break;
        }
        case 's': {
            const auto names = gk::maildir::parse_subscriptions(bytes);
            (void)gk::maildir::parse_subscriptions(gk::maildir::format_subscriptions(names));
            break;
        }
        case 'a': {
            const auto annotations = gk::maildir::parse_annotations(bytes);
            require(gk::maildir::parse_annotations(gk::maildir::format_annotations(annotations)) == annotations);
            break;
        }
        case 'g': {
            const auto state = gk::maildir::parse_state(bytes);
            require(gk::maildir::parse_state(gk::maildir::format_state(state)) == state);
            break;
        }
        default: break;
    }
    return 0;
}
