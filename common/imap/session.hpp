// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.hpp"
#include "common/imap/grammar/reader.hpp"
#include "common/imap/output.hpp"
#include "common/imap/search/answer.hpp"
#include "common/imap/search/contexts.hpp"
#include "common/imap/search/words.hpp"
#include "common/imap/view.hpp"
#include "common/imap/watch.hpp"
#include "common/store/account.hpp"
#include "common/store/incoming.hpp"

namespace gk::imap {

struct SessionOptions {
    ReaderLimits limits = {};
    std::uint64_t max_message = 100u << 20;  // of an APPEND
    int max_bad_commands = 20;               // in a row; then BYE
    search::IndexOptions search = {};        // of the index that FUZZY asks
    std::string hostname = {};               // that a client's imap://HOST/ URLs name, for CATENATE; empty: none
    // APPENDs that follow one another without a pause share flushes; the host calls settle() when nothing more is to
    // be had. Else each is made durable by itself.
    bool gather = false;
    // What the host can do for a session; what it cannot is not offered.
    bool can_compress = false;        // COMPRESS: see begins_to_compress()
    bool can_unauthenticate = false;  // UNAUTHENTICATE: see unauthenticated()
    TimePoint (*now)() = gk::now;     // the only clock: of OLDER and YOUNGER
};

// One IMAP dialogue after login, as a value (RFC 3501 and RFC 9051): bytes in, a queue of output out. It holds no
// descriptor, and no clock but the one it is given; the mail is in the account it was given. The host's loop:
//
//   session.feed(bytes);
//   do { session.run(); drain(session.output()); } while (session.has_work());
//
// run() stops early when much output waits, so that neither a large FETCH nor a client that pipelines without
// reading fills the memory. Any split of the input gives the same output.
class Session {
public:
    Session(std::shared_ptr<store::Account> account, SessionOptions options = {});
    Session(Session&&) = delete;
    ~Session();

    // The first words: "* PREAUTH", or the tagged answer to the login that the front took.
    void greet_preauthenticated();
    void greet_logged_in(std::string_view tag, bool with_capabilities);

    void feed(std::string_view bytes);
    // One turn of a long command, or all that is short.
    void run();
    // The host's clock, before run(): a command that takes long then says how far it is (RFC 9585).
    void set_time(std::chrono::steady_clock::time_point now) noexcept { now_ = now; }
    bool has_work() const noexcept;  // run() would do more now, were the output drained
    // With SessionOptions::gather: messages are whole, and wait for others before they are made durable and answered.
    bool gathering() const noexcept { return appending_ && !appending_->whole.empty(); }
    void settle();
    OutputQueue& output() noexcept { return out_; }

    // Something changed in the selected mailbox, as others say. Told at once to a client that idles; else the next
    // command looks for itself, all the better after a Thorough look between commands.
    void changed(store::Look look = store::Look::Gate);
    // The host ends the session: "* BYE TEXT". What was asked for and is being answered is left unfinished.
    void bye(std::string_view text);

    // What another process needs to go on with this session where it is, as one line of text; nothing where it must
    // stay: something is begun or owed to the client, or is known to this process alone.
    std::optional<std::string> put_to_sleep();
    // Goes on from there, in place of a greeting. NotFound where the client's view of its mailbox cannot be had any
    // more: then the session is closed with a BYE.
    Status wake(std::string_view state);

    // After COMPRESS, once what waits is drained: true once. From then on the host compresses what the session says and
    // decompresses what it is fed, beginning with FIRST.
    bool begins_to_compress(std::string& first);
    // The session ended by UNAUTHENTICATE (RFC 8437): the connection lives on before login, with REST as its first
    // bytes.
    bool unauthenticated() const noexcept { return unauthenticated_; }
    std::string take_rest() { return reader_.take_input(); }
    // The client wants news of more than the selected mailbox (RFC 5465): changed() is for any change of the account.
    bool watches_account() const noexcept { return watch_ && watch_->of_account(); }
    // NOTIFY was used: what it asked for, and what was told, is in this value alone, so the session must stay awake.
    bool uses_notify() const noexcept { return watch_.has_value(); }

    // What no answer depends on, and the host asks for when the client wants nothing, a few milliseconds at a call, and
    // to its end when the client is gone; see store::Mailbox::do_chore().
    bool has_chores() const noexcept { return !left_.empty() || (view_ && view_->mailbox().has_chores()); }
    void do_chore();

    bool closed() const noexcept { return closed_; }
    bool idling() const noexcept { return state_ == State::Idling; }
    // The selected mailbox, or empty.
    std::string_view selected() const noexcept { return view_ ? std::string_view(view_->name()) : std::string_view(); }
    std::uint64_t commands() const noexcept { return commands_; }

private:
    enum class State { Ready, Idling, Appending };
    // A command that is answered in several turns. resume() returns true when it is over, its tagged answer included.
    struct Job {
        virtual ~Job() = default;
        virtual bool resume(Session& session) = 0;
        // Messages done, and all there are to do; nothing where that is not known.
        virtual std::optional<std::pair<std::uint64_t, std::uint64_t>> progress(const Session&) const { return {}; }
    };
    struct FetchJob;
    struct SearchJob;
    struct ListJob;
    struct ThreadJob;
    struct ResyncJob;
    struct SortJob;
    struct MultiSearchJob;

    // session.cpp
    void step();
    void dispatch(Command command);
    void tell_progress(std::uint64_t waiting_before);
    void reply(std::string_view status_and_text);  // "<tag> OK …"
    void untagged(std::string_view text);
    void refuse(const Error& error, std::string_view on_not_found = "NONEXISTENT");  // "<tag> NO [CODE] …"
    std::string capabilities() const;
    void complain(std::string_view tag, std::string_view text);  // BAD, counted
    // Ends a command: news first, then the tagged answer. EXPUNGE only where EXPUNGES.
    void finish(std::string_view status_and_text, bool expunges = true, store::Look look = store::Look::Gate);
    void deselect();
    void leave_view();
    void resync(const Resync& known, store::Vanished vanished, std::string_view answer);  // ends SELECT
    bool need_uid(bool by_uid);  // else BAD, where only UIDs are spoken
    bool need_selected();        // else BAD
    bool need_writable();        // else NO
    // Where a mailbox name of the client's leads: whose mail, under which name there, and what may be done (the letters
    // of RFC 4314). Today every name is the account's own. Nothing where it leads nowhere or a right of NEEDED is
    // missing; then the command is answered.
    struct Place {
        std::shared_ptr<store::Account> account;
        std::string name;
        std::string_view rights;
    };
    std::optional<Place> place_of(const std::string& wire, std::string_view needed = "l");
    // The name of such a place in the account's own mail.
    std::optional<std::string> mailbox_named(const std::string& wire);
    std::optional<std::vector<IndexRange>> resolve(const SequenceSet& set, bool uid);
    // What FUZZY asks, where KEY has one (commands/search.cpp).
    Words* words_for(const SearchKey& key);
    // The messages at INDICES, in their order, as COMMAND (Search, Sort) wants to be told of them; SAVE is done. UIDS:
    // of them.
    template <class Command>
    Found found_at(const std::vector<std::uint32_t>& indices, const Command& command, const Finder& finder,
                   std::vector<store::Uid>& uids);
    SearchContext search_context() const;  // of the selected mailbox, now
    // RFC 5267, 4.3: the result of the command being answered; or "* NO [NOUPDATE …]".
    void keep_up_to_date(bool uid, SearchKey key, std::vector<SortKey> keys, std::vector<store::Uid> result);

    // news.cpp: what happened to the selected mailbox
    void tell_news(bool expunges, store::Look look = store::Look::Gate);
    void tell_vanished();
    void tell_account();  // what NOTIFY asked for beyond the selected mailbox
    void tell_status(const std::string& mailbox);
    void fetch_new(const NotifyGroup& group, store::Uid first);
    // A line's worth from the front of RANGES, which it takes away.
    void tell_vanished_earlier(std::vector<store::UidRange>& ranges);
    void append_flags(std::string& out, const store::Row& row) const;
    // "* 3 FETCH (", or what stands for it where only UIDs are spoken.
    void begin_fetch(std::string& out, std::uint32_t index) const;
    // The whole of an unsolicited FETCH, as the client wants them.
    void tell_flags(std::uint32_t index, bool with_uid, bool with_flags = true);
    void append_modseq(std::string& out, const store::Row& row);
    void tell_flags_known();  // "* FLAGS …" and PERMANENTFLAGS
    void enable_condstore();  // RFC 7162, 3.1: once a command asked for it
    store::ModSeq highest_modseq(const std::vector<store::Uid>& uids) const;
    // The tagged answer with HIGHESTMODSEQ in it.
    void reply_with_modseq(std::string_view status_and_text, store::ModSeq modseq);

    // commands/*.cpp, one file a command
    void on(const Capability&);
    void on(const Noop&);
    void on(const Logout&);
    void on(const Check&);
    void on(const CloseMailbox&);
    void on(const Unselect&);
    void on(const Idle&);
    void on(const Namespace&);
    void on(const NotNow&);
    void on(const Compress&);
    void on(const Unauthenticate&);
    void on(const Id&);
    void on(const Enable&);
    void on(const Select&);
    void on(const Create&);
    void on(const Delete&);
    void on(const Rename&);
    void on(const Subscribe&);
    void on(const List&);
    void on(const StatusOf&);
    void on(const GetQuota&);
    void on(const GetQuotaRoot&);
    void on(const SetQuota&);
    void on(const GetMetadata&);
    void on(const SetMetadata&);
    void on(const Expunge&);
    void on(const Search&);
    void on(const Thread&);
    void on(const Sort&);
    void on(const MultiSearch&);
    void on(const CancelUpdate&);
    void on(const Fetch&);
    void on(const Store&);
    void on(const Copy&);
    void on(const Notify&);
    void on(const Append&);

    // commands/append.cpp
    void on(const AppendStep& step);
    void on_message_bytes(std::string_view bytes);
    bool begin_append(const Append& append);
    bool take_append(const AppendStep& step);
    bool begin_message(const AppendStep::Begin& begin, bool binary);
    bool take_literal(const AppendStep::Literal& literal);
    bool write_message(std::string_view bytes);
    bool refuse_append(std::string answer);
    bool refuse_append(const Error& error);
    void end_append();
    void commit_together();
    // commands/catenate.cpp
    bool append_url(const std::string& url);
    void end_idle(std::string_view line);
    void append_status(std::string& out, std::string_view mailbox, const std::vector<StatusItem>& items,
                       const store::MailboxStatus& status);
    bool tell_quota();
    void append_list(const List& list, const store::MailboxEntry& entry, bool wanted, std::string_view extended);
    Result<store::Annotations> annotations_of(const std::string& mailbox);
    void append_metadata(std::string_view mailbox,
                         const std::vector<std::pair<std::string, std::optional<std::string>>>& values);
    void append_metadata_of(const std::string& mailbox, const std::vector<std::string>& entries);
    // USE as it is written, where MAILBOX (empty: one to be made) can have it; else nothing, and the command is
    // answered.
    std::optional<std::string> special_use_for(std::string_view use, std::string_view mailbox);
    void tell_old_name(const std::string& name, const std::string& old_name);

    std::shared_ptr<store::Account> account_;
    SessionOptions options_;
    CommandReader reader_;
    OutputQueue out_;
    State state_ = State::Ready;
    bool closed_ = false;
    bool rev2_ = false;         // ENABLE IMAP4rev2
    bool utf8_accept_ = false;  // ENABLE UTF8=ACCEPT
    bool utf8_ = false;         // one of the two: strings and names are UTF-8
    bool condstore_ = false, qresync_ = false, uid_only_ = false;
    store::ModSeq shown_modseq_ = 0;  // the highest that a FETCH of this command named
    bool more_ = false;               // the reader may have more
    int bad_commands_ = 0;
    std::uint64_t commands_ = 0;
    enum class Compressing { No, Begins, Yes };
    Compressing compressing_ = Compressing::No;
    bool unauthenticated_ = false;
    std::string tag_;  // of the command being answered
    std::optional<View> view_;
    std::vector<store::Mailbox> left_;  // were selected, and have chores
    Contexts contexts_;
    std::vector<store::Uid> saved_;  // "$" (RFC 5182)
    std::unique_ptr<Words> words_;
    std::unique_ptr<Job> job_;
    std::optional<Watch> watch_;  // NOTIFY
    bool missed_ = false;         // a change was heard of during a job
    std::chrono::steady_clock::time_point now_{}, spoke_at_{};

    struct Appending {
        Appending(std::string name, store::Incoming into) : mailbox(std::move(name)), incoming(std::move(into)) {}
        std::string mailbox;  // as the client wrote it
        store::Incoming incoming;
        std::vector<std::string> whole;      // tags of those that wait for settle(); a message each, the first ones
        bool open = false;                   // a command is being read
        std::size_t messages = 0;            // of that command, begun so far
        std::uint64_t octets = 0;            // of its current message
        bool parts = false;                  // which comes in parts (CATENATE)
        store::Uid replaced = 0;             // by it
        std::optional<std::string> refusal;  // what it will be answered
    };
    std::unique_ptr<Appending> appending_;
};

// "NO [CODE] TEXT" of ERROR.
std::string refusal(const Error& error, std::string_view on_not_found);
// Flags as the client wrote them, in the store's terms; nothing where one is not a flag that can be set.
std::optional<store::FlagUpdate> flag_update(const std::vector<std::string>& flags);

}  // namespace gk::imap
