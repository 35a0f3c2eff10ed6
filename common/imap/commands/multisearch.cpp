// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>

#include "common/imap/grammar/rules.hpp"
#include "common/imap/mailbox_name.hpp"
#include "common/imap/search/answer.hpp"
#include "common/imap/search/finder.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

namespace {

using Kind = SearchSource::Kind;

bool is_below(std::string_view name, std::string_view above) {
    return name.size() > above.size() && name.starts_with(above) && name[above.size()] == kSeparator;
}

// Whether SOURCE, with its names in the store's terms, takes ENTRY in (RFC 7377, 2.2; the words are RFC 5465's, 6).
bool takes_in(const SearchSource& source, const store::MailboxEntry& entry) {
    const std::string_view name = entry.name;
    switch (source.kind) {
        case Kind::Selected: return false;
        case Kind::Inboxes: return name == "INBOX";  // where mail is delivered to, unless a filter says otherwise
        case Kind::Personal: return true;
        case Kind::Subscribed: return entry.subscribed;
        default: break;
    }
    return std::any_of(source.mailboxes.begin(), source.mailboxes.end(), [&](const std::string& wanted) {
        // The empty name is the root: all mailboxes are below it.
        const bool is_root = wanted.empty() && source.kind != Kind::Mailboxes;
        if (name == wanted) return true;
        if (source.kind == Kind::Mailboxes || (!is_root && !is_below(name, wanted))) return false;
        const std::string_view rest = is_root ? name : name.substr(wanted.size() + 1);
        return source.kind == Kind::Subtree || rest.find(kSeparator) == std::string_view::npos;
    });
}

}  // namespace

// esearch = "ESEARCH" [SP "IN" SP "(" source-mbox ")"] [search-return-opts] SP search-program; RFC 7377, 2
// One mailbox after the other; what is not to be opened is passed over, and what has no match is not mentioned.
struct Session::MultiSearchJob final : Session::Job {
    explicit MultiSearchJob(MultiSearch search) : command(std::move(search)) {}

    bool resume(Session& session) override;
    void open_next(Session& session);
    void answer(Session& session, const View& view);

    MultiSearch command;
    bool selected = false;                 // the selected mailbox is still to be searched
    std::vector<std::string> waiting;      // others, last first
    std::optional<View> other;             // what is searched now, where it is not the selected one
    std::optional<SearchContext> context;  // of it
    std::optional<Finder> finder;          // once the words are there that FUZZY asks for
};

void Session::MultiSearchJob::open_next(Session& session) {
    static const std::vector<store::Uid> kNothingSaved;
    if (std::exchange(selected, false)) {
        context.emplace(session.search_context());
        context->words = session.words_for(command.key);
        return;
    }
    const std::string name = std::move(waiting.back());
    waiting.pop_back();
    auto mailbox = session.account_->mailbox(name);
    if (!mailbox) return;
    auto snapshot = mailbox->snapshot(false);
    if (!snapshot) return;
    other.emplace(std::move(*mailbox), std::move(*snapshot), true);
    context.emplace(SearchContext{.view = *other,
                                  .saved = kNothingSaved,
                                  .now_s = to_unix_s(session.options_.now()),
                                  .words = session.words_for(command.key)});
}

bool Session::MultiSearchJob::resume(Session& session) {
    if (!context) {
        if (!selected && waiting.empty()) {
            session.finish("OK Searched", true);
            return true;
        }
        open_next(session);
        return false;
    }
    View& view = other ? *other : *session.view_;
    if (!finder) {
        if (context->words != nullptr && !context->words->take_in(view.mailbox())) return false;
        finder.emplace(command.key, *context);
    }
    const auto done = finder->resume(view);
    if (done && !*done) return false;
    if (done) answer(session, view);
    finder.reset();
    context.reset();
    other.reset();
    return false;
}

void Session::MultiSearchJob::answer(Session& session, const View& view) {
    std::vector<store::Uid> uids;
    for (const std::uint32_t index : finder->found()) uids.push_back(view.rows()[index].uid);
    if (command.returns.save) session.saved_ = saved_result(command.returns, uids);
    if (uids.empty()) return;
    Found found{.tag = session.tag_, .uid = true, .uidvalidity = view.uidvalidity(), .numbers = uids};
    if (command.returns.relevancy) found.relevancies = finder->relevancies(uids);
    append_mailbox(found.mailbox, view.name(), session.rev2_);
    append_esearch(session.out_.text(), command.returns, found);
}

void Session::on(const MultiSearch& search) {
    const bool only_selected = std::all_of(search.sources.begin(), search.sources.end(),
                                           [](const SearchSource& source) { return source.kind == Kind::Selected; });
    const bool any_selected = std::any_of(search.sources.begin(), search.sources.end(),
                                          [](const SearchSource& source) { return source.kind == Kind::Selected; });
    if (any_selected && !need_selected()) return;
    if (names_sequence_numbers(search.key)) return complain(tag_, "ESEARCH knows messages by their UIDs alone");
    if (!only_selected && (search.returns.save || names_saved_result(search.key)))
        return complain(tag_, "A saved result is the selected mailbox's alone");
    if (!charset_is_known(search.charset)) {
        if (search.returns.save) saved_.clear();
        reply(kBadCharset);
        return;
    }
    // RFC 5267, 4.3: what cannot be kept up to date is said, and the search goes on.
    if (search.returns.update)
        untagged(fmt::format("NO [NOUPDATE \"{}\"] Only SEARCH and SORT are kept up to date", tag_));
    auto job = std::make_unique<MultiSearchJob>(search);
    job->selected = any_selected;
    if (!only_selected) {
        auto entries = account_->list();
        if (!entries) return refuse(entries.error());
        for (SearchSource& source : job->command.sources)
            for (std::string& name : source.mailboxes)
                if (auto decoded = decode_mailbox(name, rev2_)) name = store::canonical_name(*decoded);
        for (const store::MailboxEntry& entry : *entries) {
            if (!entry.exists) continue;
            const bool wanted = std::any_of(job->command.sources.begin(), job->command.sources.end(),
                                            [&](const SearchSource& source) { return takes_in(source, entry); });
            if (!wanted) continue;
            if (view_ && view_->name() == entry.name) job->selected = true;
            else job->waiting.push_back(entry.name);
        }
        std::sort(job->waiting.begin(), job->waiting.end(), std::greater<>());
    }
    job_ = std::move(job);
}

}  // namespace gk::imap
