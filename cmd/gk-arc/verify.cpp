// SPDX-License-Identifier: MIT
#include "cmd/gk-arc/arguments.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/mailauth/arc/validate.hpp"
#include "common/message/header.hpp"
#include "common/os/input.hpp"

namespace gk::arc_tool {

using namespace mailauth;

// One line for the chain, and one for each of its sets, the newest first.
int verify(const Arguments& a) {
    const auto source = open_source(a.dns);
    if (!source) return cli::fail(source.error());
    arc::Validator validator(to_unix_s(now()));
    if (const auto read = os::read_input(a.file, [&](std::string_view bytes) { validator.feed(bytes); }); !read)
        return cli::fail(read.error());
    const auto chain = validator.finish(**source);
    cli::Rows rows(a.json, {"check", "result", "instance", "domain", "selector", "oldest_pass", "reason"});
    rows.add({std::string("arc"), std::string(arc::status_name(chain.status)),
              static_cast<std::int64_t>(chain.links.size()), chain.links.empty() ? "" : chain.links.back().domain,
              chain.links.empty() ? "" : chain.links.back().selector, static_cast<std::int64_t>(chain.oldest_pass),
              chain.status == arc::Status::None ? std::string("no chain") : chain.reason});
    for (std::size_t i = chain.links.size(); i > 0; --i) {
        const auto& link = chain.links[i - 1];
        rows.add({std::string("arc-set"), i == 1 ? std::string("none") : std::string("pass"),
                  static_cast<std::int64_t>(i), link.domain, link.selector, std::int64_t{0},
                  text::printable(message::unfold(link.payload), 1000)});
    }
    if (chain.status == arc::Status::Pass) return 0;
    return chain.temporary ? 75 : 1;
}

}  // namespace gk::arc_tool
