// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/imap/session.hpp"

namespace gk::imap {

namespace {

// How many messages share flushes, and how many octets may arrive before the first of them is answered: a client that
// pipelines waits no longer than this takes to come.
constexpr std::size_t kMostGathered = 64;
constexpr std::uint64_t kMostOctetsBehind = 4u << 20;
// Of one MULTIAPPEND: each takes some memory until all are durable.
constexpr std::size_t kMostMessages = 10'000;

// RFC 4315, 3: "APPENDUID" SP uidvalidity SP uid-set; not where one of them has no UID yet.
std::string appended_text(const store::Appended& appended, std::string_view text) {
    if (std::find(appended.uids.begin(), appended.uids.end(), 0u) != appended.uids.end())
        return fmt::format("OK {}", text);
    std::string out = fmt::format("OK [APPENDUID {} ", appended.uidvalidity);
    append_uid_set(out, appended.uids);
    return fmt::format("{}] {}", out, text);
}

}  // namespace

// append = "APPEND" SP mailbox 1*(append-message): RFC 9051, 6.3.12; RFC 3501, 6.3.11; MULTIAPPEND: RFC 3502; literal8:
// RFC 3516, 4.4. Messages go to the store as they arrive; all of them come in, or none.
// replace = "REPLACE" SP seq-number SP mailbox append-message: RFC 8508, 3
void Session::on(const Append& append) {
    if (begin_append(append)) take_append(append.step);
    else if (append.step.literal) reader_.refuse_message();
}

// False: the command is answered.
bool Session::begin_append(const Append& append) {
    // Only what certainly needs no other answer in between may join those that wait.
    const bool plain = !append.replaced && append.step.literal && !append.step.literal->sync;
    if (!plain) settle();
    if (closed_) return false;
    if (append.replaced && (!need_writable() || !need_uid(append.replaced->uid))) return false;
    store::Uid replaced = 0;
    if (append.replaced) {
        SequenceSet one;
        one.ranges.push_back({append.replaced->number, append.replaced->number});
        const auto ranges = resolve(one, append.replaced->uid);
        if (!ranges) return false;
        const std::vector<store::Uid> uids = view_->uids_of(*ranges);
        if (uids.empty()) {
            reply("NO [NONEXISTENT] There is no such message to replace");
            return false;
        }
        replaced = uids.front();
    }
    const bool joins = plain && appending_ && append.mailbox == appending_->mailbox;
    if (!joins) {
        settle();
        if (closed_) return false;
        const auto name = mailbox_named(append.mailbox);
        if (!name) return false;
        auto incoming = account_->incoming(*name);
        if (!incoming) {
            refuse(incoming.error(), "TRYCREATE");
            return false;
        }
        appending_ = std::make_unique<Appending>(Appending(append.mailbox, std::move(*incoming)));
    }
    appending_->open = true;
    appending_->messages = 0;
    appending_->replaced = replaced;
    if (const auto index = replaced != 0 ? view_->find(replaced) : std::nullopt)
        appending_->incoming.credit(1, view_->rows()[*index].size);
    return true;
}

void Session::on(const AppendStep& step) {
    if (appending_) take_append(step);
    else if (step.literal) reader_.refuse_message();
}

// False: the command is answered, and what was to come is not read.
bool Session::take_append(const AppendStep& step) {
    bool good = !appending_->refusal;
    if (!good) refuse_append(std::string(*appending_->refusal));
    for (const auto& item : step.items) {
        if (!good) break;
        if (const auto* begin = std::get_if<AppendStep::Begin>(&item))
            good = begin_message(*begin, !begin->parts && step.literal && step.literal->binary);
        else good = append_url(std::get<AppendStep::Url>(item).url);
    }
    if (good && step.literal) good = take_literal(*step.literal);
    if (!good && step.literal) reader_.refuse_message();
    if (good && !step.literal) end_append();
    return good;
}

bool Session::begin_message(const AppendStep::Begin& begin, bool binary) {
    auto update = flag_update(begin.flags);
    if (!update) return refuse_append("BAD That is not a flag that can be set");
    if (appending_->messages == kMostMessages) return refuse_append("NO [LIMIT] Too many messages at once");
    store::IncomingMessage message;
    message.flags = update->flags;
    message.keywords = std::move(update->keywords);
    message.internal_date = begin.date_unix_s;
    message.binary = binary;
    if (appending_->messages > 0)
        if (const Status sealed = appending_->incoming.seal(); !sealed) return refuse_append(sealed.error());
    if (const Status begun = appending_->incoming.begin(message); !begun) return refuse_append(begun.error());
    ++appending_->messages;
    appending_->octets = 0;
    appending_->parts = begin.parts;
    return true;
}

bool Session::take_literal(const AppendStep::Literal& literal) {
    // No bytes at all: that is how a client takes its APPEND back once it has begun.
    if (literal.size == 0 && !appending_->parts) return refuse_append("NO A message of no bytes is not stored");
    if (literal.size > options_.max_message - std::min(options_.max_message, appending_->octets))
        return refuse_append(fmt::format("NO [TOOBIG] A message may have {} bytes", options_.max_message));
    if (literal.utf8 && !utf8_) return refuse_append("NO [CANNOT] ENABLE UTF8=ACCEPT comes first");
    // Before the message is sent, where it can be told.
    if (appending_->replaced == 0)
        if (const Status room = account_->room_for(1, literal.size); !room) return refuse_append(room.error());
    appending_->octets += literal.size;
    reader_.accept_message();
    if (!literal.sync) return true;
    settle();
    if (closed_) return false;
    out_.text() += "+ OK\r\n";
    return true;
}

void Session::on_message_bytes(std::string_view bytes) {
    if (!appending_ || appending_->refusal) return;
    write_message(bytes);
    if (appending_->octets > kMostOctetsBehind && gathering()) settle();
}

// After a failure in the middle of a literal the rest of it is read on, so that the client gets an answer it
// understands.
bool Session::write_message(std::string_view bytes) {
    if (const Status written = appending_->incoming.write(bytes); !written) {
        appending_->refusal = refusal(written.error(), "TRYCREATE");
        return false;
    }
    return true;
}

bool Session::refuse_append(const Error& error) { return refuse_append(refusal(error, "TRYCREATE")); }

bool Session::refuse_append(std::string answer) {
    appending_->incoming.drop(appending_->messages);
    appending_->open = false;
    settle();
    appending_.reset();
    if (closed_) return false;
    if (answer.starts_with("BAD ")) complain(tag_, std::string_view(answer).substr(4));
    else reply(answer);
    return false;
}

void Session::end_append() {
    if (appending_->messages != 1 || appending_->replaced != 0) return commit_together();
    if (const Status sealed = appending_->incoming.seal(); !sealed) {
        refuse_append(sealed.error());
        return;
    }
    if (!appending_->whole.empty() && !appending_->incoming.room()) {
        settle();  // those before it may still have room, and this one then not
        if (closed_) return;
    }
    if (const Status room = appending_->incoming.room(); !room) {
        refuse_append(room.error());
        return;
    }
    appending_->whole.push_back(tag_);
    appending_->open = false;
    if (!options_.gather || appending_->whole.size() >= kMostGathered) settle();
}

// The index knows the messages. To read a great directory after each of ten thousand APPENDs would cost more than all
// of them; the next other command looks at it.
void Session::settle() {
    if (!gathering()) return;
    const std::vector<std::string> tags = std::exchange(appending_->whole, {});
    const auto appended = appending_->incoming.commit_first(tags.size());
    if (!appending_->open) appending_.reset();
    const std::string tag = std::exchange(tag_, {});
    if (appended) {
        tell_news(true, store::Look::Index);
        tell_account();
    }
    for (std::size_t i = 0; i < tags.size() && !closed_; ++i) {
        tag_ = tags[i];
        if (appended) reply(appended_text({appended->uidvalidity, {appended->uids[i]}, {}}, "Appended"));
        else refuse(appended.error(), "TRYCREATE");
    }
    tag_ = tag;
}

void Session::commit_together() {
    settle();
    if (closed_) return;
    std::optional<store::Incoming::Replaced> replaced;
    if (appending_->replaced != 0) replaced = {&view_->mailbox(), appending_->replaced};
    const auto appended = appending_->incoming.commit_together(replaced);
    appending_.reset();
    if (!appended) return refuse(appended.error(), replaced ? "EXPUNGEISSUED" : "TRYCREATE");
    if (!replaced) return finish(appended_text(*appended, "Appended"), true, store::Look::Index);
    // RFC 8508, 4.3: APPENDUID before the EXPUNGE.
    untagged(appended_text(*appended, "Replacement ready"));
    view_->vanish({replaced->uid});
    finish("OK Replaced", true, store::Look::Index);
}

}  // namespace gk::imap
