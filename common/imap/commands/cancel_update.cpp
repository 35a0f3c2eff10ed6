// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>

#include "common/imap/session.hpp"

namespace gk::imap {

// cancelupdate = "CANCELUPDATE" 1*(SP quoted); RFC 5267, 5
void Session::on(const CancelUpdate& cancel) {
    if (!need_selected()) return;
    bool known = true;
    for (const std::string& tag : cancel.tags) known = contexts_.cancel(tag) && known;
    if (known) return finish("OK No further updates");
    complain(tag_, "No such search is kept up to date");
}

void Session::keep_up_to_date(bool uid, SearchKey key, std::vector<SortKey> keys, std::vector<store::Uid> result) {
    if (contexts_.add(tag_, uid, std::move(key), std::move(keys), std::move(result), *view_)) return;
    untagged(fmt::format("NO [NOUPDATE \"{}\"] This search cannot be kept up to date", tag_));
}

}  // namespace gk::imap
