// SPDX-License-Identifier: MIT
#include "common/imap/search/answer.hpp"
#include "common/imap/search/finder.hpp"
#include "common/imap/session.hpp"
#include "common/imap/thread/threader.hpp"

namespace gk::imap {

// thread = "THREAD" SP ("ORDEREDSUBJECT" / "REFERENCES") SP charset SP search-key *(SP search-key): RFC 5256
struct Session::ThreadJob final : Session::Job {
    ThreadJob(Thread thread, const SearchContext& how, std::shared_ptr<store::Account> account)
        : command(std::move(thread)), context(how), threading(std::move(account)) {}

    bool resume(Session& session) override;
    Result<bool> work(Session& session);
    template <class Threader>
    Status answer(Session& session, Threader threader);

    Thread command;
    SearchContext context;
    std::optional<Finder> finder;  // once the words are there that FUZZY asks for
    store::Threading threading;
    bool found = false;
};

bool Session::ThreadJob::resume(Session& session) {
    const auto done = work(session);
    if (!done) session.refuse(done.error());
    else if (*done) session.finish("OK Threaded", command.uid);
    return !done || *done;
}

Result<bool> Session::ThreadJob::work(Session& session) {
    if (!found) {
        if (!finder && context.words != nullptr && !context.words->take_in(session.view_->mailbox())) return false;
        if (!finder) finder.emplace(command.key, context);
        GK_TRY(found, finder->resume(*session.view_));
        return false;
    }
    GK_TRY(const bool threaded, threading.resume());
    if (!threaded) return false;
    if (command.algorithm == Thread::Algorithm::References) GK_CHECK(answer(session, References()));
    else GK_CHECK(answer(session, OrderedSubject()));
    return true;
}

template <class Threader>
Status Session::ThreadJob::answer(Session& session, Threader threader) {
    View& view = *session.view_;
    std::vector<store::Uid> uids;
    for (const std::uint32_t index : finder->found()) uids.push_back(view.rows()[index].uid);
    GK_CHECK(view.mailbox().threads(uids, [&](const store::ThreadRow& row) {
        if (command.uid) threader.add(row.uid, row);
        else if (const auto index = view.find(row.uid)) threader.add(*index + 1, row);
        return true;
    }));
    append_threads(session.out_.text(), threader.finish());
    return ok();
}

void Session::on(const Thread& thread) {
    if (!need_selected() || !need_uid(thread.uid && !names_sequence_numbers(thread.key))) return;
    if (!charset_is_known(thread.charset)) return reply(kBadCharset);
    if (contains(thread.key, SearchKey::Kind::ModSeq)) enable_condstore();
    SearchContext context = search_context();
    context.words = words_for(thread.key);
    job_ = std::make_unique<ThreadJob>(thread, context, view_->mailbox().account());
}

}  // namespace gk::imap
