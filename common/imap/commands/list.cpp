// SPDX-License-Identifier: MIT
#include <map>

#include "common/base/text.hpp"
#include "common/imap/mailbox_name.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

namespace {

constexpr std::uint64_t kEnoughOutput = 128 * 1024;
constexpr int kNamesInATurn = 4096;  // that do not fit cost time too

// One name of the tree as LIST sees it: mailboxes, their superiors, and what is subscribed without being there.
struct Name {
    store::MailboxEntry entry;
    bool selected_below = false;  // a descendant fits the selection options
};

std::string_view superior(std::string_view name) {
    const std::size_t slash = name.rfind(kSeparator);
    return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

store::MailboxEntry absent(std::string_view name) {
    store::MailboxEntry entry;
    entry.name = name;
    entry.exists = false;
    return entry;
}

bool is_wanted(const List& list, const store::MailboxEntry& entry) {
    if (list.lsub) return entry.subscribed;
    if (list.select_subscribed && !entry.subscribed) return false;
    if (list.select_special_use && entry.special_use.empty()) return false;
    return true;
}

// Wildcards side by side are worth the strongest of them, once: "%*%*" is "*".
std::string without_repeats(std::string_view pattern) {
    std::string out;
    for (const char c : pattern) {
        const bool wild = c == '*' || c == '%';
        if (!wild || out.empty() || (out.back() != '*' && out.back() != '%')) out += c;
        else if (c == '*') out.back() = '*';
    }
    return out;
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return matches_pattern(pattern, name); });
}

// With what all names begin that fit PATTERNS: what stands before the first wildcard. INBOX fits in any case, so none
// of its letters is told.
std::string common_prefix(const std::vector<std::string>& patterns) {
    std::string prefix = patterns.front().substr(0, patterns.front().find_first_of("*%"));
    for (const std::string& pattern : patterns) {
        const auto differs = std::mismatch(prefix.begin(), prefix.end(), pattern.begin(), pattern.end()).first;
        prefix.erase(differs, prefix.end());
    }
    return text::equals_nocase(prefix.substr(0, 5), std::string_view("INBOX").substr(0, prefix.size())) ? "" : prefix;
}

// What is named without a wildcard is looked up, however great the tree.
Result<std::vector<Name>> exact_names(store::Account& account, const std::vector<std::string>& patterns) {
    std::map<std::string, Name> found;
    for (const std::string& pattern : patterns) {
        auto entry = account.find(pattern);
        if (!entry && entry.error().code != Errc::NotFound) return fail(entry.error());
        if (!entry) continue;
        std::string name = entry->name;
        found.insert_or_assign(name == "INBOX" ? std::string() : std::move(name), Name{std::move(*entry)});
    }
    std::vector<Name> names;
    for (auto& [name, known] : found) names.push_back(std::move(known));
    return names;
}

// The tree below PREFIX, with what is subscribed where that matters; in the order of names, INBOX first.
Result<std::vector<Name>> names_for(const List& list, store::Account& account, const std::string& prefix) {
    GK_TRY(auto entries, account.list(prefix));
    const bool only_subscribed = list.lsub || list.select_subscribed;
    const bool looks_below = list.lsub || list.select_recursive_match;
    std::vector<Name> names;
    names.reserve(entries.size());
    if (!only_subscribed && !looks_below) {
        for (store::MailboxEntry& entry : entries) names.push_back({std::move(entry)});
        return names;
    }
    std::map<std::string, Name, std::less<>> tree;
    for (store::MailboxEntry& entry : entries) {
        std::string name = entry.name;
        tree.emplace(std::move(name), Name{std::move(entry)});
    }
    if (only_subscribed) {
        // RFC 9051, 6.3.9.1: what is subscribed is shown whether it exists or not.
        GK_TRY(const auto subscriptions, account.subscriptions());
        for (const std::string& name : subscriptions) {
            if (!name.starts_with(prefix)) continue;
            auto [at, fresh] = tree.try_emplace(name);
            if (fresh) at->second.entry = absent(name);
            at->second.entry.subscribed = true;
            const bool exists = at->second.entry.exists;
            for (std::string_view above = superior(name); above.starts_with(prefix) && !above.empty();
                 above = superior(above)) {
                const auto [higher, made] = tree.try_emplace(std::string(above));
                if (made) higher->second.entry = absent(above);
                higher->second.entry.has_children |= exists;
            }
        }
    }
    if (looks_below) {
        for (const auto& [name, known] : tree) {
            if (!is_wanted(list, known.entry)) continue;
            // Once one is marked, so are those above it.
            for (std::string_view above = superior(name); !above.empty(); above = superior(above)) {
                const auto at = tree.find(above);
                if (at == tree.end() || std::exchange(at->second.selected_below, true)) break;
            }
        }
    }
    if (auto inbox = tree.extract("INBOX")) names.push_back(std::move(inbox.mapped()));
    for (auto& [name, known] : tree) names.push_back(std::move(known));
    return names;
}

}  // namespace

// Shows a part of the names in each turn, so that neither a great tree nor STATUS of all of it fills the memory.
struct Session::ListJob : Job {
    List list;
    std::vector<std::string> patterns;
    std::vector<Name> names;
    std::size_t at = 0;

    bool resume(Session& session) override {
        for (int looked = 0; at < names.size() && looked < kNamesInATurn; ++looked) {
            if (session.out_.waiting() >= kEnoughOutput) return false;
            show(session, names[at++]);
        }
        if (at < names.size()) return false;
        session.finish("OK Listed");
        return true;
    }

    void show(Session& session, const Name& name) const;
};

void Session::ListJob::show(Session& session, const Name& name) const {
    const store::MailboxEntry& entry = name.entry;
    const bool wanted = is_wanted(list, entry);
    const bool below = name.selected_below;
    if ((!wanted && !below) || !matches_any(patterns, entry.name)) return;
    // A superior is named only where its children do not show themselves (RFC 3501, 6.3.9; RFC 5258, 3.5).
    if (!wanted && matches_any(patterns, entry.name + "/x")) return;
    std::string children;
    // RFC 5258, 3.5 and 4: CHILDINFO says what fits below, of the options that were given.
    if (below && list.select_recursive_match) {
        children = " (\"CHILDINFO\" (";
        if (list.select_subscribed) children += "\"SUBSCRIBED\"";
        if (list.select_special_use) children += list.select_subscribed ? " \"SPECIAL-USE\"" : "\"SPECIAL-USE\"";
        children += "))";
    }
    session.append_list(list, entry, wanted, children);
    // RFC 5819, 2: only for mailboxes that can be selected.
    if (!entry.exists) return;
    if (!list.return_status.empty())
        if (const auto status = session.account_->status(entry.name))
            session.append_status(session.out_.text(), entry.name, list.return_status, *status);
    if (!list.return_metadata.empty()) session.append_metadata_of(entry.name, list.return_metadata);
}

// mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox [SP mbox-list-extended]
void Session::append_list(const List& list, const store::MailboxEntry& entry, bool wanted, std::string_view extended) {
    std::string& out = out_.text();
    out += list.lsub ? "* LSUB (" : "* LIST (";
    const std::size_t begin = out.size();
    const auto add = [&](std::string_view attribute) {
        if (out.size() > begin) out += ' ';
        out += attribute;
    };
    if (list.lsub) {
        if (!entry.exists || !wanted) add("\\Noselect");
    } else {
        if (!entry.exists) add(list.extended || rev2_ ? "\\NonExistent" : "\\Noselect");
        if (entry.subscribed && (list.select_subscribed || list.return_subscribed)) add("\\Subscribed");
        add(entry.has_children ? "\\HasChildren" : "\\HasNoChildren");
        if (!entry.special_use.empty()) add(entry.special_use);
    }
    out += ") \"/\" ";
    append_mailbox(out, entry.name, utf8_);
    out += extended;
    out += "\r\n";
}

// list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP "RETURN" SP list-return-opts]
// RFC 9051, 6.3.9; RFC 3501, 6.3.8; RFC 5258; SPECIAL-USE: RFC 6154; STATUS: RFC 5819; METADATA: RFC 9590
// lsub = "LSUB" SP mailbox SP list-mailbox: RFC 3501, 6.3.9
void Session::on(const List& list) {
    // RFC 3501, 6.3.8: an empty pattern asks for the separator and the reference's root.
    if (!list.extended && list.patterns.front().empty()) {
        untagged(list.lsub ? "LSUB (\\Noselect) \"/\" \"\"" : "LIST (\\Noselect) \"/\" \"\"");
        return finish("OK Listed");
    }
    auto job = std::make_unique<ListJob>();
    job->list = list;
    for (const std::string& pattern : list.patterns) {
        auto decoded = decode_mailbox(list.reference + pattern, utf8_);
        if (decoded) job->patterns.push_back(without_repeats(*decoded));
    }
    if (!job->patterns.empty()) {
        const bool exact = !list.lsub && !list.select_subscribed && !list.select_recursive_match &&
                           std::all_of(job->patterns.begin(), job->patterns.end(), [](const std::string& pattern) {
                               return pattern.find_first_of("*%") == std::string::npos;
                           });
        auto names =
            exact ? exact_names(*account_, job->patterns) : names_for(list, *account_, common_prefix(job->patterns));
        if (!names) return refuse(names.error());
        job->names = std::move(*names);
    }
    if (!job->resume(*this)) job_ = std::move(job);
}

}  // namespace gk::imap
