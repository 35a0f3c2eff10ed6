// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

#include <fmt/format.h>
#include <cerrno>

#include "common/base/text.hpp"
#include "common/imap/mailbox_name.hpp"

namespace gk::imap {

namespace {

// Past this much waiting output, work rests until the host has drained it.
constexpr std::uint64_t kEnoughOutput = 128 * 1024;

// Shorter than what clients and middleboxes wait for at the least; RFC 9585, 4 speaks of some seconds.
constexpr std::chrono::seconds kProgressInterval{10};

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
}

// What may stand in resp-text (RFC 3501, 9: TEXT-CHAR). Errors quote what clients sent in a printable form already.
std::string shown(std::string_view text) {
    constexpr std::size_t kMostShown = 300;
    std::string out = text::ascii_only(text.substr(0, kMostShown));
    for (char& c : out)
        if (c < ' ' || c == 0x7f) c = '?';
    if (text.size() > kMostShown) out += "...";
    return out;
}

std::string_view response_code(Errc code, std::string_view on_not_found) {
    switch (code) {  // RFC 5530, 3
        case Errc::NotFound: return on_not_found;
        case Errc::Exists: return "ALREADYEXISTS";
        case Errc::Denied: return "NOPERM";
        case Errc::BadInput:
        case Errc::Unsupported: return "CANNOT";
        case Errc::Temporary:
        case Errc::Timeout:
        case Errc::Closed: return "UNAVAILABLE";
        case Errc::Bug: return "SERVERBUG";
        default: return "";
    }
}

}  // namespace

Session::Session(std::shared_ptr<store::Account> account, SessionOptions options)
    : account_(std::move(account)), options_(std::move(options)), reader_(options_.limits) {}

Session::~Session() = default;

void Session::greet_preauthenticated() {
    untagged(fmt::format("PREAUTH [CAPABILITY {}] Logged in as {}", capabilities(), shown(account_->name())));
}

void Session::greet_logged_in(std::string_view tag, bool with_capabilities) {
    tag_ = tag;
    reply(with_capabilities ? fmt::format("OK [CAPABILITY {}] Logged in", capabilities()) : "OK Logged in");
}

void Session::feed(std::string_view bytes) {
    if (closed_) return;
    reader_.feed(bytes);
    more_ = compressing_ != Compressing::Begins;
}

bool Session::has_work() const noexcept { return !closed_ && (job_ || more_ || (missed_ && !appending_)); }

void Session::run() {
    while (has_work() && out_.waiting() < kEnoughOutput) {
        if (job_) {
            std::unique_ptr<Job> job = std::move(job_);
            const std::uint64_t before = out_.waiting();
            if (job->resume(*this) || closed_) continue;
            job_ = std::move(job);
            tell_progress(before);
            return;  // so that the host can say what time it is
        }
        if (missed_ && !appending_) {
            missed_ = false;
            changed();
            continue;
        }
        step();
    }
}

void Session::step() {
    ReaderEvent event = reader_.next();
    // Answers come in order: APPENDs that wait for others are answered before anything else is.
    const auto* const next = std::get_if<Command>(&event);
    const bool goes_on = next != nullptr
                             ? std::holds_alternative<Append>(next->body)
                             : std::holds_alternative<NeedMore>(event) || std::holds_alternative<MessageBytes>(event) ||
                                   std::holds_alternative<AppendStep>(event);
    if (!goes_on) settle();
    if (std::holds_alternative<NeedMore>(event)) {
        more_ = false;
    } else if (auto* command = std::get_if<Command>(&event)) {
        bad_commands_ = 0;
        dispatch(std::move(*command));
    } else if (std::holds_alternative<WantsLiteral>(event)) {
        out_.text() += "+ OK\r\n";
    } else if (const auto* bad = std::get_if<BadCommand>(&event)) {
        appending_.reset();
        complain(bad->tag, bad->text);
    } else if (const auto* fatal = std::get_if<Fatal>(&event)) {
        bye(fatal->text);
    } else if (const auto* line = std::get_if<RawLine>(&event)) {
        end_idle(line->line);
    } else if (const auto* message = std::get_if<MessageBytes>(&event)) {
        on_message_bytes(message->bytes);
    } else if (const auto* append = std::get_if<AppendStep>(&event)) {
        on(*append);
    }
}

void Session::dispatch(Command command) {
    ++commands_;
    tag_ = std::move(command.tag);
    spoke_at_ = now_;
    std::visit([this](const auto& body) { on(body); }, command.body);
}

// RFC 9585, 4: where the client has heard nothing for a while.
void Session::tell_progress(std::uint64_t waiting_before) {
    if (out_.waiting() > waiting_before) spoke_at_ = now_;
    if (now_ - spoke_at_ < kProgressInterval) return;
    const auto progress = job_->progress(*this);
    if (!progress) return;
    spoke_at_ = now_;
    std::string& out = out_.text();
    out += "* OK [INPROGRESS (";
    append_quoted(out, tag_);
    fmt::format_to(std::back_inserter(out), " {} {})] Still at it\r\n", progress->first, progress->second);
}

void Session::reply(std::string_view status_and_text) {
    std::string& out = out_.text();
    out += tag_;
    out += ' ';
    out += status_and_text;
    out += "\r\n";
}

void Session::untagged(std::string_view text) {
    std::string& out = out_.text();
    out += "* ";
    out += text;
    out += "\r\n";
}

std::string refusal(const Error& error, std::string_view on_not_found) {
    // RFC 9208, 4.3.1: the account's quota, or the disk's.
    const std::string_view code = error.os_errno == EDQUOT ? "OVERQUOTA" : response_code(error.code, on_not_found);
    return code.empty() ? fmt::format("NO {}", shown(error.text)) : fmt::format("NO [{}] {}", code, shown(error.text));
}

void Session::refuse(const Error& error, std::string_view on_not_found) { reply(refusal(error, on_not_found)); }

void Session::complain(std::string_view tag, std::string_view text) {
    fmt::format_to(std::back_inserter(out_.text()), "{} BAD {}\r\n", tag, shown(text));
    if (++bad_commands_ >= options_.max_bad_commands) bye("Too many commands that make no sense");
}

void Session::bye(std::string_view text) {
    settle();
    if (closed_) return;
    untagged(fmt::format("BYE {}", shown(text)));
    job_.reset();
    appending_.reset();
    leave_view();
    closed_ = true;
}

void Session::leave_view() {
    if (view_ && view_->mailbox().has_chores()) left_.push_back(view_->mailbox());
    view_.reset();
}

void Session::do_chore() {
    // Where it cannot be done now, the next session that selects the mailbox does it.
    if (left_.empty()) {
        if (view_) (void)view_->mailbox().do_chore();
        return;
    }
    if (!left_.back().do_chore() || !left_.back().has_chores()) left_.pop_back();
}

void Session::finish(std::string_view status_and_text, bool expunges, store::Look look) {
    missed_ = false;
    tell_news(expunges, look);
    tell_account();
    if (closed_) return;
    // RFC 7162, 3.2.5.1 and 5: a client may keep the highest MODSEQ that it saw. Where a message vanished before that,
    // and this answer may not say so, it is told from where on to ask.
    const bool behind = qresync_ && view_ && shown_modseq_ > view_->told_modseq();
    shown_modseq_ = 0;
    if (behind) reply_with_modseq(status_and_text, view_->told_modseq());
    else reply(status_and_text);
}

void Session::changed(store::Look look) {
    if (closed_) return;
    if (job_ || appending_) {
        missed_ = true;
        return;
    }
    tell_account();
    if (!view_) return;
    if (state_ == State::Idling) return tell_news(true, look);
    // With NOTIFY news are told between commands too (RFC 5465, 6.1).
    if (watch_ && watch_->selected() != nullptr)
        return tell_news(watch_->selected()->filter == NotifyGroup::Filter::Selected, look);
    // A client that asks instead of idling: what costs time is done between its commands, and told with the next one.
    if (state_ == State::Ready && look == store::Look::Thorough)
        static_cast<void>(view_->mailbox().changes_since(view_->modseq(), look));
}

void Session::deselect() {
    contexts_.clear();
    leave_view();
    saved_.clear();
    shown_modseq_ = 0;
}

bool Session::need_selected() {
    if (view_) return true;
    complain(tag_, "No mailbox is selected");
    return false;
}

bool Session::need_uid(bool by_uid) {
    if (by_uid || !uid_only_) return true;
    complain(tag_, "[UIDREQUIRED] Message numbers are not used in this session");  // RFC 9586, 3
    return false;
}

bool Session::need_writable() {
    if (!need_selected()) return false;
    if (!view_->read_only()) return true;
    reply("NO [NOPERM] The mailbox was opened read-only");
    return false;
}

std::optional<std::vector<IndexRange>> Session::resolve(const SequenceSet& set, bool uid) {
    auto ranges = view_->resolve(set, uid, saved_);
    if (!ranges) complain(tag_, "A message sequence number is past the end of the mailbox");
    return ranges;
}

SearchContext Session::search_context() const {
    return {.view = *view_, .saved = saved_, .now_s = to_unix_s(options_.now())};
}

}  // namespace gk::imap
