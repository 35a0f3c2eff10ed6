// SPDX-License-Identifier: MIT
#include "common/imap/host/teller.hpp"

#include "common/base/log.hpp"
#include "common/imap/host/confined.hpp"
#include "common/imap/host/notes.hpp"

namespace gk::imap {

namespace {

// Nothing where there is no news.
std::optional<Told> news_for(const Teller::Sleeper& sleeper, bool thorough, Session& session) {
    Told told;
    told.token = sleeper.token;
    if (session.wake(sleeper.state) && thorough) session.changed(store::Look::Thorough);
    OutputQueue& output = session.output();
    while (!output.empty() && told.text.size() <= kMaxTold) {
        const std::string_view bytes = output.front();
        if (bytes.empty()) break;
        told.text += bytes;
        output.consume(bytes.size());
    }
    told.end = session.closed();
    const auto state = told.end ? std::nullopt : session.put_to_sleep();
    if (told.text.size() > kMaxTold || (!told.end && !state)) {
        told.text.clear();
        told.end = false;
        return told;
    }
    if (told.text.empty()) return std::nullopt;
    if (state) told.state = *state;
    return told;
}

}  // namespace

int run_teller(Teller teller) {
    os::close_descriptors_from(3, {teller.notes.get()});
    NoteSink sink(teller.notes.get());
    const auto opened = open_confined(teller.account, teller.home, teller.settings, {}, sink);
    if (!opened) {
        log::Event("imap.teller.failed", log::Level::Error)
            .field("actor", teller.account)
            .field("error", opened.error().text);
        return 1;
    }
    for (const Teller::Sleeper& sleeper : teller.sleepers) {
        Session session(opened->account, teller.settings.session);
        const auto told = news_for(sleeper, teller.thorough, session);
        if (told && !send_note_surely(teller.notes.get(), *told)) return 1;
        while (session.has_chores()) session.do_chore();
    }
    return 0;
}

}  // namespace gk::imap
