// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/imap/search/finder.hpp"
#include "common/imap/search/order.hpp"

// Searches whose results the client wants to be kept up to date (RFC 5267, 4.3), of the selected mailbox.
namespace gk::imap {

class Contexts {
public:
    // A client has a few windows open; each context costs an evaluation with every change.
    static constexpr std::size_t kMost = 16;
    // So many changes at once are no update but a new search, which the client had better ask for.
    static constexpr std::size_t kMostChanges = 5000;

    // False: there are too many, or KEY cannot be followed, and the client is to be told NOUPDATE. RESULT: what was
    // found, in its order; KEYS: of SORT, else empty. A context of the same tag is replaced.
    bool add(std::string tag, bool uid, SearchKey key, std::vector<SortKey> keys, std::vector<store::Uid> result,
             const View& view);
    bool cancel(std::string_view tag);
    void clear() noexcept { contexts_.clear(); }
    bool empty() const noexcept { return contexts_.empty(); }

    // After the client was told of new messages and flags: appends ADDTO and REMOVEFROM, and NOUPDATE for what cannot
    // be kept up any longer.
    void update(std::string& out, View& view, std::int64_t now_s);
    // Before it is told that messages are gone (RFC 5267, 4.3.2).
    void before_expunge(std::string& out, const View& view);

private:
    struct Context {
        std::string tag;
        bool uid = false;
        SearchKey key;
        std::vector<SortKey> keys;
        std::vector<store::Uid> result;
        store::ModSeq seen = 0;  // rows up to here were looked at
    };
    Status update(std::string& out, Context& context, View& view, std::int64_t now_s);
    void remove(std::string& out, Context& context, const View& view, const std::vector<store::Uid>& gone);

    std::vector<Context> contexts_;
};

}  // namespace gk::imap
