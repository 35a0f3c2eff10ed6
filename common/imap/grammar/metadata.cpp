// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/imap/grammar/rules.hpp"

// RFC 5464, 5
namespace gk::imap {

namespace {

constexpr std::size_t kMostEntries = 200;  // in one command; more than a mailbox can have

// entry = astring; begins with "/", holds no "*" and "%", ends in no "/"
std::string entry(Scanner& in) {
    std::string name = in.astring();
    if (in.failed()) return name;
    const bool sound = text::is_ascii(name) && name.size() > 1 && name.front() == '/' && name.back() != '/' &&
                       name.find_first_of("*%") == std::string::npos && name.find("//") == std::string::npos;
    if (!sound) in.fail("an entry is a path such as /private/comment");
    return name;
}

// "DEPTH" SP ("0" / "1" / "infinity"), "MAXSIZE" SP number
void options(Scanner& in, GetMetadata& get) {
    do {
        if (in.accept_word("MAXSIZE")) {
            in.space();
            get.max_size = in.number();
        } else if (in.accept_word("DEPTH")) {
            in.space();
            if (in.accept_word("0")) get.depth = GetMetadata::Depth::Zero;
            else if (in.accept_word("1")) get.depth = GetMetadata::Depth::One;
            else if (in.accept_word("INFINITY")) get.depth = GetMetadata::Depth::Infinity;
            else in.fail("DEPTH is 0, 1 or infinity");
        } else {
            in.fail("an unknown GETMETADATA option");
        }
    } while (in.accept(' '));
    in.expect(')');
}

}  // namespace

// entries = entry / "(" entry *(SP entry) ")"
std::vector<std::string> metadata_entries(Scanner& in) {
    std::vector<std::string> entries;
    if (!in.accept('(')) return {entry(in)};
    do {
        entries.push_back(entry(in));
        if (entries.size() > kMostEntries) in.fail("too many entries");
    } while (in.accept(' '));
    in.expect(')');
    return entries;
}

// getmetadata = "GETMETADATA" [SP "(" getmetadata-options ")"] SP mailbox SP entries
GetMetadata get_metadata_command(Scanner& in) {
    GetMetadata get;
    in.space();
    if (in.accept('(')) {
        options(in, get);
        in.space();
    }
    get.mailbox = in.mailbox();
    in.space();
    get.entries = metadata_entries(in);
    return get;
}

// setmetadata = "SETMETADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")"; value = nstring / literal8
SetMetadata set_metadata_command(Scanner& in) {
    SetMetadata set;
    in.space();
    set.mailbox = in.mailbox();
    in.space();
    in.expect('(');
    do {
        std::string name = entry(in);
        in.space();
        set.values.emplace_back(std::move(name), in.nstring8());
        if (set.values.size() > kMostEntries) in.fail("too many entries");
    } while (in.accept(' '));
    in.expect(')');
    return set;
}

}  // namespace gk::imap
