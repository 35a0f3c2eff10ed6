// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dkim/canonical.hpp"
#include "common/mailauth/dkim/crypto.hpp"
#include "common/message/header.hpp"

namespace gk::mailauth {

// The fields of a header block in order, and by name.
class HeaderFields {
public:
    // BLOCK must outlive it.
    explicit HeaderFields(std::string_view block);

    const std::vector<message::Field>& all() const noexcept { return fields_; }
    // Positions of the fields of that name, which is in lower case; null where there is none.
    const std::vector<std::size_t>* named(const std::string& name) const noexcept;
    std::size_t count(const std::string& name) const noexcept;

private:
    std::vector<message::Field> fields_;
    std::map<std::string, std::vector<std::size_t>, std::less<>> by_name_;
};

// The digest that DKIM and ARC sign (RFC 6376, 3.7): the fields that NAMES lists, each name taking the lowest field not
// taken yet and nothing where none is left, then LAST (a field whose b= is empty) without its line end.
std::string header_digest(const HeaderFields& fields, const std::vector<std::string>& names, std::string_view last,
                          Canon canon);

// Takes a message in pieces: its header block whole, up to a limit, its body to wherever.
class MessageSplitter {
public:
    explicit MessageSplitter(std::size_t most_header_octets) : most_(most_header_octets) {}

    // What of BYTES belongs to the body; the rest was added to the header.
    std::string_view feed(std::string_view bytes);
    bool in_body() const noexcept { return in_body_; }
    bool too_large() const noexcept { return too_large_; }          // the header has lost its end
    const std::string& header() const noexcept { return header_; }  // without the empty line

private:
    const std::size_t most_;
    std::string header_;
    std::size_t line_ = 0;  // where its last line begins
    bool in_body_ = false, too_large_ = false;
};

}  // namespace gk::mailauth
