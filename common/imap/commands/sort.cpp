// SPDX-License-Identifier: MIT
#include "common/imap/search/answer.hpp"
#include "common/imap/search/finder.hpp"
#include "common/imap/search/order.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

namespace {
constexpr std::size_t kMessagesInATurn = 8192;
}

// sort = "SORT" [search-return-opts] SP "(" sort-criterion *(SP sort-criterion) ")" SP charset 1*(SP search-key)
// RFC 5256, 3; DISPLAYFROM and DISPLAYTO: RFC 5957, 3; RETURN: RFC 5267, 3; RELEVANCY: RFC 6203, 5
struct Session::SortJob final : Session::Job {
    SortJob(Sort sort, const SearchContext& how) : command(std::move(sort)), context(how), order(command.keys) {}

    bool resume(Session& session) override;
    Result<bool> proceed(Session& session);
    void answer(Session& session);

    Sort command;
    SearchContext context;
    std::optional<Finder> finder;  // once the words are there that FUZZY asks for
    Order order;
    bool searched = false;
    std::size_t next = 0;  // of what was found
};

// True: all that was found has its place.
Result<bool> Session::SortJob::proceed(Session& session) {
    View& view = *session.view_;
    if (!finder) {
        if (context.words != nullptr && !context.words->take_in(view.mailbox())) return false;
        finder.emplace(command.key, context);
        order.rank_by([this](store::Uid uid) { return finder->score(uid); });
    }
    if (!searched) {
        GK_TRY(searched, finder->resume(view));
        return false;
    }
    const auto found = std::span(finder->found()).subspan(next);
    const auto turn = found.first(order.needs_envelopes() ? std::min(found.size(), kMessagesInATurn) : found.size());
    GK_CHECK(order.add_all(view, turn));
    next += turn.size();
    return turn.size() == found.size();
}

bool Session::SortJob::resume(Session& session) {
    const auto done = proceed(session);
    if (!done) {
        if (command.returns.save) session.saved_.clear();
        session.refuse(done.error());
        return true;
    }
    if (!*done) return false;
    answer(session);
    session.finish("OK Sorted", command.uid);
    return true;
}

void Session::SortJob::answer(Session& session) {
    std::vector<store::Uid> uids;
    const Found found = session.found_at(order.take(), command, *finder, uids);
    std::string& out = session.out_.text();
    if (command.returns.update)
        session.keep_up_to_date(command.uid, std::move(command.key), std::move(command.keys), std::move(uids));
    if (command.returns.given) append_esearch(out, command.returns, found);
    else append_numbers(out, "SORT", found.numbers, found.modseq);
}

void Session::on(const Sort& sort) {
    if (!need_selected() || !need_uid(sort.uid && !names_sequence_numbers(sort.key))) return;
    if (!charset_is_known(sort.charset)) {
        if (sort.returns.save) saved_.clear();
        reply(kBadCharset);
        return;
    }
    if (contains(sort.key, SearchKey::Kind::ModSeq)) enable_condstore();
    SearchContext context = search_context();
    context.words = words_for(sort.key);
    job_ = std::make_unique<SortJob>(sort, context);
}

}  // namespace gk::imap
