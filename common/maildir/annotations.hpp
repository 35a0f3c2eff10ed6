// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <string_view>

// gk-metadata: the annotations of a mailbox (RFC 5464) in its directory, and gk-metadata-account beside INBOX's for
// those of the account. A line "gk-metadata 1", then one line an entry: its name, a space, and its value; what is not
// printable ASCII of either, and "%", is percent-encoded. See gk-maildir(5).
namespace gk::maildir {

// Entry names in lower case: RFC 5464, 3.2, knows no case.
using Annotations = std::map<std::string, std::string, std::less<>>;

// Never fails: lines that are malformed are passed over.
Annotations parse_annotations(std::string_view bytes);
std::string format_annotations(const Annotations& annotations);

// RFC 5464, 3.2 and 5: begins with /private/ or /shared/, ASCII without control characters, "*" and "%", and without
// an empty level.
bool is_annotation_name(std::string_view name) noexcept;

}  // namespace gk::maildir
