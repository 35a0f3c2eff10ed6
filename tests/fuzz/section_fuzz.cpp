// SPDX-License-Identifier: MIT
// links: message imap
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/imap/format/format.hpp"
#include "common/imap/format/match.hpp"
#include "common/imap/format/section.hpp"

// The first line is a section, the rest a message. A section that parses is written back the same; its octets are what
// is promised, and a partial is a part of them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk;
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    const std::size_t line = in.find('\n');
    if (line == std::string_view::npos) return 0;
    const std::string_view file = in.substr(line + 1);
    const auto structure = message::scan(file);
    std::string out;
    imap::append_envelope(out, structure.envelope());
    imap::append_body(out, structure, true);
    imap::append_body(out, structure, false, true);
    imap::matches_text(structure, file, imap::Needle("needle"));
    for (std::uint32_t i = 0; i < structure.parts.size(); ++i) {
        const std::string number = message::part_number(structure, i);
        if (number.empty()) continue;
        const auto content = imap::find_section(structure, file, *imap::parse_section(number));
        if (!content || imap::read_all(*content, file).size() != content->octets) std::abort();
    }
    const auto section = imap::parse_section(in.substr(0, line));
    if (!section) return 0;
    if (imap::parse_section(imap::format_section(*section)).has_value() == false) std::abort();
    const auto content = imap::find_section(structure, file, *section);
    if (!content) return 0;
    const std::string whole = imap::read_all(*content, file);
    if (whole.size() != content->octets) std::abort();
    for (const std::size_t offset : {std::size_t{0}, whole.size() / 3, whole.size() / 2 + 1, whole.size()}) {
        const auto partial = imap::find_section(structure, file, *section, imap::Partial{offset, 7});
        if (offset <= whole.size() && imap::read_all(*partial, file) != whole.substr(offset, 7)) std::abort();
    }
    return 0;
}
