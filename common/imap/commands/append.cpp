// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

// append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP (literal / literal8)
// RFC 9051, 6.3.12; RFC 3501, 6.3.11; literal8: RFC 3516, 4.4. The message goes to the store as it arrives.
void Session::on(const Append& append) {
    const auto name = mailbox_named(append.mailbox);
    if (!name) return reader_.refuse_message();
    if (append.size > options_.max_message) {
        reader_.refuse_message();
        return reply(fmt::format("NO [TOOBIG] A message may have {} bytes", options_.max_message));
    }
    auto update = flag_update(append.flags);
    if (!update) {
        reader_.refuse_message();
        return complain(tag_, "That is not a flag that can be set");
    }
    // Before the message is sent, where it can be told.
    if (const Status room = account_->room_for(1, append.size); !room) {
        reader_.refuse_message();
        return refuse(room.error());
    }
    auto incoming = account_->incoming(*name);
    if (!incoming) {
        reader_.refuse_message();
        return refuse(incoming.error(), "TRYCREATE");
    }
    store::IncomingMessage message;
    message.flags = update->flags;
    message.keywords = std::move(update->keywords);
    message.internal_date = append.date_unix_s;
    message.binary = append.binary;
    if (const Status begun = incoming->begin(message); !begun) {
        reader_.refuse_message();
        return refuse(begun.error(), "TRYCREATE");
    }
    appending_ = std::make_unique<Appending>(Appending{*name, std::move(*incoming), std::nullopt});
    reader_.accept_message();
    if (append.sync) out_.text() += "+ OK\r\n";
}

void Session::on_message_bytes(std::string_view bytes) {
    // After a failure the rest is read on, so that the client gets an answer it understands.
    if (!appending_ || appending_->error) return;
    if (const Status written = appending_->incoming.write(bytes); !written) {
        appending_->error = written.error();
        appending_->incoming.abandon();
    }
}

void Session::on_message_end(bool complete) {
    const std::unique_ptr<Appending> appending = std::move(appending_);
    if (!appending) return;
    if (!complete) {
        appending->incoming.abandon();
        return complain(tag_, "APPEND takes one message, and nothing may follow it");
    }
    if (appending->error) return refuse(*appending->error, "TRYCREATE");
    const auto appended = appending->incoming.commit();
    if (!appended) return refuse(appended.error(), "TRYCREATE");
    // The index knows the message. To read a great directory after each of ten thousand APPENDs would cost more than
    // all of them; the next other command looks at it.
    if (appended->uids.size() == 1 && appended->uids.front() != 0)
        finish(fmt::format("OK [APPENDUID {} {}] Appended", appended->uidvalidity, appended->uids.front()), true,
               store::Look::Index);
    else finish("OK Appended", true, store::Look::Index);
}

}  // namespace gk::imap
