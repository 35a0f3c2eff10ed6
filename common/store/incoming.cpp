// SPDX-License-Identifier: MIT
#include "common/store/incoming.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <deque>

#include "common/maildir/name.hpp"
#include "common/maildir/writer.hpp"
#include "common/os/file.hpp"
#include "common/store/account.hpp"
#include "common/store/indexer.hpp"
#include "common/store/line_ends.hpp"
#include "common/store/mailbox.hpp"
#include "common/store/state.hpp"
#include "common/store/together.hpp"

namespace gk::store {

namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
// A message up to this size is looked into while it is in memory, so that nobody need open its file for its envelope.
constexpr std::size_t kMostSeen = 256 * 1024;
constexpr std::size_t kMostOpen = 64;  // files: a descriptor and a buffer each

struct Message {
    IncomingMessage wanted;
    maildir::NewMessage file;
    LineEndFilter filter;
    bool as_is = false;
    std::uint64_t wire = 0;  // octets given to write()
    std::string seen;        // what is in the file, while it is not too much
    bool seen_all = true;
    KeptStructure structure;

    Status put(std::string_view bytes) {
        if (seen_all && seen.size() + bytes.size() <= kMostSeen) seen += bytes;
        else seen_all = false;
        return file.write(bytes);
    }
    bool sealed = false;
    KeywordMask keywords = 0;  // once sealed
};

// Every error of writing is for the client to try again later; only a mailbox that went away is another matter.
Error temporary(Error error) {
    if (error.code != Errc::NotFound && error.code != Errc::BadInput && error.code != Errc::Bug)
        error.code = Errc::Temporary;
    return error;
}

Status set_date(const std::string& path, std::int64_t seconds) {
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0)
        return fail_errno(fmt::format("cannot set the date of '{}'", path));
    return ok();
}

}  // namespace

struct Incoming::State {
    std::shared_ptr<Account> account;
    std::int64_t mailbox = 0;
    std::uint32_t uidvalidity = 0;
    Uid known_uidnext = 1;
    std::string path;
    std::deque<Message> messages;
    Totals credit;
    std::string converted;  // kept for its memory

    Status begin(const IncomingMessage& wanted);
    Status write(Message& message, std::string_view bytes);
    Status keep_as_is(Message& message);
    Status finish(Message& message);
    Status check_quota();
    Status seal();
    Arrival arrival(std::vector<maildir::Placement>& placements);
    Result<Appended> commit(Indexer* later);
    Result<Appended> commit_together(const std::optional<Replaced>& replaced);
};

Result<Incoming> Account::incoming(std::string_view mailbox) {
    const Locked lock(*state_);
    // A mailbox that the index knows is not looked for on the disk: if it went away, creating the file says so.
    GK_TRY(auto known, find_record(*state_, canonical_name(mailbox)));
    if (!known || known->uidvalidity == 0) {
        GK_TRY(known, get_mailbox(*state_, mailbox));
    }
    const Record& record = *known;
    auto incoming = std::make_unique<Incoming::State>();
    incoming->account = shared_from_this();
    incoming->mailbox = record.number;
    incoming->uidvalidity = record.uidvalidity;
    incoming->known_uidnext = record.uidnext;
    incoming->path = state_->path_of(record.name);
    return Incoming(std::move(incoming));
}

Status Incoming::State::begin(const IncomingMessage& wanted) {
    Message message;
    message.wanted = wanted;
    message.as_is = wanted.binary;
    GK_TRY(message.file, account->state().writer->create(path, maildir::unique_base()));
    messages.push_back(std::move(message));
    return ok();
}

// A bare CR or LF was met: what is in the file so far had none, so its line ends are put back, in a file of its own.
Status Incoming::State::keep_as_is(Message& message) {
    GK_CHECK(message.file.flush());
    GK_TRY(const auto written, os::MappedFile::open(message.file.path()));
    GK_TRY(auto replacement, account->state().writer->create(path, maildir::unique_base()));
    std::string_view rest = written.bytes();
    converted.clear();
    while (!rest.empty()) {
        const auto lf = rest.find('\n');
        converted.append(rest.substr(0, lf));
        if (lf != std::string_view::npos) converted += "\r\n";
        rest.remove_prefix(lf == std::string_view::npos ? rest.size() : lf + 1);
        if (converted.size() < 65536 && !rest.empty()) continue;
        GK_CHECK(replacement.write(converted));
        converted.clear();
    }
    if (message.filter.pending_cr()) GK_CHECK(replacement.write("\r"));
    message.file = std::move(replacement);
    message.as_is = true;
    message.seen_all = false;
    return ok();
}

Status Incoming::State::write(Message& message, std::string_view bytes) {
    message.wire += bytes.size();
    while (!message.as_is && !bytes.empty()) {
        // A piece at a time: a whole message may be given at once, and may be larger than the memory we want to use.
        const std::string_view piece = bytes.substr(0, kPieceBytes);
        converted.clear();
        std::size_t consumed = 0;
        const bool sound = message.filter.feed(piece, converted, &consumed);
        GK_CHECK(message.put(converted));
        bytes.remove_prefix(sound ? piece.size() : consumed);
        if (!sound) GK_CHECK(keep_as_is(message));
    }
    return bytes.empty() ? ok() : message.put(bytes);
}

Status Incoming::State::finish(Message& message) {
    if (!message.as_is && message.filter.pending_cr()) GK_CHECK(keep_as_is(message));
    GK_CHECK(message.file.flush());
    if (message.seen_all && !message.seen.empty()) {
        const bool as_stored = message.seen.size() == message.wire;
        message.structure = kept_structure(
            message::scan(message.seen, as_stored ? message::LineEnds::AsStored : message::LineEnds::Convert,
                          account->state().options.message_limits));
    }
    message.seen = std::string();
    // The file's mtime is the internal date, so that it can be had again without the index.
    if (message.wanted.internal_date) return set_date(message.file.path(), *message.wanted.internal_date);
    GK_TRY(message.wanted.internal_date, message.file.written_s());
    return ok();
}

// Keywords get their letters before a file name uses one.
Status Incoming::State::seal() {
    bool keywords = false;
    for (auto& message : messages) {
        if (message.sealed) continue;
        GK_CHECK(finish(message));
        keywords |= !message.wanted.keywords.empty();
    }
    if (keywords) {
        auto& store = account->state();
        const Locked lock(store);
        GK_TRY(auto transaction, WriteTransaction::begin(store));
        GK_TRY(const auto record, get_record(store, mailbox, uidvalidity));
        for (auto& message : messages) {
            if (message.sealed) continue;
            GK_TRY(message.keywords, ensure_keywords(store, record, message.wanted.keywords));
        }
        GK_CHECK(transaction.commit());
    }
    for (std::size_t i = 0; i < messages.size(); ++i) {
        if (std::exchange(messages[i].sealed, true) || i < kMostOpen) continue;
        GK_CHECK(messages[i].file.park());
    }
    return ok();
}

Status Incoming::State::check_quota() {
    Totals more{messages.size(), 0};
    for (const auto& message : messages) more.bytes += message.wire;
    more.messages -= std::min(more.messages, credit.messages);
    more.bytes -= std::min(more.bytes, credit.bytes);
    return account->room_for(more.messages, more.bytes);
}

// What the index is to know of the messages, which are sealed, and where their files go.
Arrival Incoming::State::arrival(std::vector<maildir::Placement>& placements) {
    Arrival arrival;
    arrival.mailbox = mailbox;
    arrival.known_uidnext = known_uidnext;
    for (Message& message : messages) {
        const Flags flags = message.wanted.flags & kAllFlags;
        std::string name = maildir::with_sizes(message.file.name(), message.file.size(), message.wire);
        const bool flagged = flags != 0 || message.keywords != 0;
        if (flagged) name = renamed_file("cur/" + name, flags, message.keywords).substr(4);
        arrival.messages.push_back({(flagged ? "cur/" : "new/") + name, flags, message.keywords,
                                    *message.wanted.internal_date, message.wire, 0, std::move(message.structure)});
        placements.push_back({&message.file, flagged ? maildir::Sub::Cur : maildir::Sub::New, std::move(name)});
    }
    return arrival;
}

Result<Appended> Incoming::State::commit(Indexer* later) {
    GK_CHECK(check_quota());
    GK_CHECK(seal());
    std::vector<maildir::Placement> placements;
    Arrival arrived = arrival(placements);
    GK_CHECK(account->state().writer->commit(placements));
    Appended appended;
    for (const auto& message : arrived.messages) appended.names.emplace_back(base_of_file(message.file));
    if (later != nullptr) {
        later->add(account, std::move(arrived));
        return appended;
    }
    index_arrival(account->state(), arrived);
    appended.uidvalidity = arrived.uidvalidity;
    for (const auto& message : arrived.messages) appended.uids.push_back(message.uid);
    return appended;
}

Result<Appended> Incoming::State::commit_together(const std::optional<Replaced>& replaced) {
    if (!replaced && messages.size() == 1) return commit(nullptr);
    GK_CHECK(check_quota());
    GK_CHECK(seal());
    std::vector<maildir::Placement> placements;
    Together together{account->state(), arrival(placements), std::move(placements), uidvalidity};
    if (replaced) {
        together.source = replaced->source->number_;
        together.source_uidvalidity = replaced->source->uidvalidity_;
        together.replaced = replaced->uid;
    }
    GK_CHECK(together.run());
    Appended appended;
    appended.uidvalidity = together.arrival.uidvalidity;
    for (const auto& message : together.arrival.messages) {
        appended.names.emplace_back(base_of_file(message.file));
        appended.uids.push_back(message.uid);
    }
    return appended;
}

Incoming::Incoming(std::unique_ptr<State> state) : state_(std::move(state)) {}
Incoming::Incoming(Incoming&&) noexcept = default;
Incoming& Incoming::operator=(Incoming&&) noexcept = default;
Incoming::~Incoming() = default;

Status Incoming::begin(const IncomingMessage& message) {
    auto begun = state_->begin(message);
    return begun ? begun : fail(temporary(begun.error()));
}

Status Incoming::write(std::string_view bytes) {
    if (state_->messages.empty()) return fail(Errc::Bug, "write before begin");
    auto written = state_->write(state_->messages.back(), bytes);
    return written ? written : fail(temporary(written.error()));
}

std::uint64_t Incoming::size() const noexcept { return state_->messages.empty() ? 0 : state_->messages.back().wire; }

void Incoming::credit(std::uint64_t messages, std::uint64_t bytes) noexcept { state_->credit = {messages, bytes}; }

Result<Appended> Incoming::commit(Indexer* later) {
    if (state_->messages.empty()) return Appended{state_->uidvalidity, {}, {}};
    auto appended = state_->commit(later);
    state_->messages.clear();  // those that did not become durable are unlinked
    if (!appended) return fail(temporary(appended.error()));
    return appended;
}

Status Incoming::room() { return state_->check_quota(); }

Status Incoming::seal() {
    auto sealed = state_->seal();
    return sealed ? sealed : fail(temporary(sealed.error()));
}

void Incoming::drop(std::size_t count) noexcept {
    for (; count > 0 && !state_->messages.empty(); --count) state_->messages.pop_back();
}

Result<Appended> Incoming::commit_first(std::size_t count) {
    auto& messages = state_->messages;
    std::deque<Message> others;
    while (messages.size() > count) {
        others.push_front(std::move(messages.back()));
        messages.pop_back();
    }
    auto appended = commit();
    messages = std::move(others);
    return appended;
}

Result<Appended> Incoming::commit_together(const std::optional<Replaced>& replaced) {
    auto appended = state_->commit_together(replaced);
    state_->messages.clear();
    if (!appended) return fail(temporary(appended.error()));
    return appended;
}

void Incoming::abandon() noexcept { state_->messages.clear(); }

}  // namespace gk::store
