// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/address/list.hpp"
#include "common/message/structure.hpp"
#include "common/sieve/outcome.hpp"

// The message as a script sees it at the moment: its fields with what editheader did to them, and its parts. Everything
// is worked out when it is first asked for.
namespace gk::sieve {

struct HeaderField {
    std::string_view name;   // empty for a line that is no field
    std::string_view value;  // raw, folds included
    std::string_view whole;
    std::string decoded = {};  // with worked_out: RFC 2047 undone; where plain, PLAIN is a view of the same
    std::string_view plain = {};
    bool worked_out = false;
    std::optional<std::vector<address::Listed>> addresses = {};  // of those that the test address asked for
};

// What is read of a header block; the structure is worked out from no more (message::Limits).
constexpr std::size_t kMostHeader = 1u << 20, kMostFields = 10'000;
// The fields in front of that bound, and where in BLOCK they end.
std::size_t read_fields(std::string_view block, std::vector<HeaderField>& fields);

class Mail {
public:
    explicit Mail(std::string_view message) noexcept : message_(message) {}

    std::vector<HeaderField>& fields();
    // The field's text as a reader sees it: one line, white space around it dropped (RFC 5228, 2.7.2).
    static std::string_view text_of(HeaderField& field);
    static const std::vector<address::Listed>& addresses_of(HeaderField& field);
    std::string_view raw() const noexcept { return message_; }
    std::string_view body();  // without the header
    // As it is on the wire: LF counts as CRLF.
    std::uint64_t octets();
    const message::Structure& structure();
    // The header block of a part of structure().
    std::string_view header_of(std::uint32_t part);

    // What a part holds, its encoding undone: of a text part as UTF-8, of HTML the words alone where WORDS. At most
    // LIMIT bytes, the same with every call; worked out once, when FRESH says so.
    std::string_view content(std::uint32_t part, bool words, std::uint64_t limit, bool& fresh);

    // RFC 5293. VALUE is UTF-8; what it takes to be a field (encoded words, folds) is added. Returns the bytes it
    // costs.
    std::size_t add_field(std::string_view name, std::string_view value, bool last);
    void remove_fields(const std::vector<std::size_t>& indices);  // in ascending order
    void replace_all(std::string header, std::string body);  // the whole message is another now (RFC 5703, 5 and 6)
    void restore(const Edition& edition);                    // of the message that this is
    bool edited() const noexcept { return version_ != 0; }
    unsigned version() const noexcept { return version_; }
    Edition edition();
    const char* line_end();

private:
    std::size_t header_length();

    std::string_view message_;
    std::vector<HeaderField> fields_;
    std::string_view unread_;  // of the header: what stands behind FIELDS_
    std::optional<std::size_t> header_length_;
    std::optional<std::uint64_t> octets_;
    bool have_fields_ = false, replaced_ = false;
    std::optional<message::Structure> structure_;
    std::unordered_map<std::uint32_t, std::string> contents_;
    std::deque<std::string> owned_;
    unsigned version_ = 0;
};

}  // namespace gk::sieve
