// SPDX-License-Identifier: MIT
#include "common/imap/search/answer.hpp"
#include "common/imap/search/finder.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

// search = "SEARCH" [SP "RETURN" …] [SP "CHARSET" SP charset] 1*(SP search-key)
// RFC 3501, 6.4.4; RFC 9051, 6.4.4; RETURN: RFC 4731; FUZZY: RFC 6203; SAVE and "$": RFC 5182
struct Session::SearchJob final : Session::Job {
    SearchJob(Search search, const SearchContext& how) : command(std::move(search)), context(how) {}

    bool resume(Session& session) override;
    std::optional<std::pair<std::uint64_t, std::uint64_t>> progress(const Session& session) const override {
        if (!finder) return {};
        return std::pair<std::uint64_t, std::uint64_t>(finder->looked_at(), session.view_->exists());
    }
    void answer(Session& session);

    Search command;
    SearchContext context;
    std::optional<Finder> finder;  // once the words are there that FUZZY asks for
};

bool Session::SearchJob::resume(Session& session) {
    if (context.words != nullptr && !finder && !context.words->take_in(session.view_->mailbox())) return false;
    if (!finder) finder.emplace(command.key, context);
    const auto done = finder->resume(*session.view_);
    if (!done) {
        if (command.returns.save) session.saved_.clear();
        session.refuse(done.error());
        return true;
    }
    if (!*done) return false;
    answer(session);
    session.finish("OK Searched", command.uid);
    return true;
}

void Session::SearchJob::answer(Session& session) {
    std::vector<store::Uid> uids;
    const Found found = session.found_at(finder->found(), command, *finder, uids);
    std::string& out = session.out_.text();
    if (command.returns.update) session.keep_up_to_date(command.uid, std::move(command.key), {}, std::move(uids));
    if (command.returns.given || session.rev2_) append_esearch(out, command.returns, found);
    else append_numbers(out, "SEARCH", found.numbers, found.modseq);
}

template <class Command>
Found Session::found_at(const std::vector<std::uint32_t>& indices, const Command& command, const Finder& finder,
                        std::vector<store::Uid>& uids) {
    const auto& rows = view_->rows();
    Found found{.tag = tag_, .uid = command.uid, .numbers = {}};
    uids.reserve(indices.size());
    found.numbers.reserve(indices.size());
    for (const std::uint32_t index : indices) {
        uids.push_back(rows[index].uid);
        found.numbers.push_back(command.uid ? rows[index].uid : index + 1);
    }
    if (command.returns.relevancy) found.relevancies = finder.relevancies(uids);
    if (contains(command.key, SearchKey::Kind::ModSeq))
        found.modseq = highest_modseq(saved_result(command.returns, uids));
    if (command.returns.save) saved_ = saved_result(command.returns, uids);
    return found;
}
template Found Session::found_at(const std::vector<std::uint32_t>&, const Search&, const Finder&,
                                 std::vector<store::Uid>&);
template Found Session::found_at(const std::vector<std::uint32_t>&, const Sort&, const Finder&,
                                 std::vector<store::Uid>&);

Words* Session::words_for(const SearchKey& key) {
    if (!contains(key, SearchKey::Kind::Fuzzy)) return nullptr;
    if (!words_) words_ = std::make_unique<Words>(account_->home(), options_.search);
    return words_.get();
}

void Session::on(const Search& search) {
    if (!need_selected() || !need_uid(search.uid && !names_sequence_numbers(search.key))) return;
    // RFC 6855, 3: everything is UTF-8 then.
    if (utf8_accept_ && !search.charset.empty()) return complain(tag_, "SEARCH takes no CHARSET after UTF8=ACCEPT");
    if (!charset_is_known(search.charset)) {
        if (search.returns.save) saved_.clear();
        reply(kBadCharset);
        return;
    }
    if (contains(search.key, SearchKey::Kind::ModSeq)) enable_condstore();
    SearchContext context = search_context();
    context.words = words_for(search.key);
    job_ = std::make_unique<SearchJob>(search, context);
}

}  // namespace gk::imap
