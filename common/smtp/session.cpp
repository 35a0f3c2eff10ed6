// SPDX-License-Identifier: MIT
#include "common/smtp/session.hpp"

#include "common/base/text.hpp"

namespace gk::smtp {
namespace {

// RFC 5321, 4.5.3.1.4 wants 512 and each extension adds: SIZE 26, BODY 17, DSN 500 and more, AUTH 500, paths of 1024.
constexpr std::size_t kMaxCommand = 4096;
constexpr std::size_t kMaxAuthLine = 12'288;     // RFC 4954, 4.4
constexpr std::uint64_t kMaxOverlong = 1 << 20;  // of an endless line that are read past before we hang up

}  // namespace

Session::Session(const SessionSettings& settings, std::optional<TlsFacts> tls)
    : settings_(settings), tls_(std::move(tls)) {
    output_ = "220 " + settings_.hostname + " ESMTP gk\r\n";
}

void Session::say(int code, std::string_view enhanced, std::string_view text) {
    output_ += Reply{code, std::string(enhanced), std::string(text)}.format();
}

void Session::refuse(int code, std::string_view enhanced, std::string_view text) {
    say(code, enhanced, text);
    last_refusal_ = std::to_string(code) + ' ' + std::string(enhanced) + ' ' + std::string(text);
    ++total_errors_;
    count_error();
}

void Session::count_error() {
    if (++errors_ > settings_.limits.max_errors) hang_up(421, "4.7.0", settings_.hostname + " too many errors");
}

void Session::hang_up(int code, std::string_view enhanced, std::string_view text) {
    if (closed_) return;
    say(code, enhanced, text);
    if (code != 221) last_refusal_ = std::to_string(code) + ' ' + std::string(enhanced) + ' ' + std::string(text);
    closed_ = true;
    input_ = {};
}

void Session::say_goodbye(const Reply& reply) { hang_up(reply.code, reply.enhanced, reply.text); }

std::optional<Effect> Session::next() {
    while (!closed_ && waiting_ == Waiting::No) {
        if (effect_) return std::exchange(effect_, std::nullopt);
        const bool chunk_is_past = input_mode_ == Input::Chunk && chunk_left_ == 0;
        if (input_.empty() && !chunk_is_past) return std::nullopt;
        switch (input_mode_) {
            case Input::Data: take_data(); break;
            case Input::Chunk: take_chunk(); break;
            case Input::Line:
            case Input::Overlong:
            case Input::Authentication: {
                std::string_view line;
                if (!take_line(line)) return std::nullopt;
                if (closed_) return std::nullopt;
                if (input_mode_ == Input::Authentication) on_auth_line(line);
                else take_command(line);
                line_.clear();
                break;
            }
        }
    }
    if (effect_) return std::exchange(effect_, std::nullopt);
    return std::nullopt;
}

bool Session::take_line(std::string_view& line) {
    const std::size_t limit = input_mode_ == Input::Authentication ? kMaxAuthLine : kMaxCommand;
    for (;;) {
        const auto end = input_.find('\n');
        const auto part = input_.substr(0, end == std::string_view::npos ? end : end + 1);
        if (input_mode_ == Input::Overlong) {
            overlong_ += part.size();
            input_.remove_prefix(part.size());
            if (overlong_ > kMaxOverlong) {
                hang_up(421, "4.7.0", settings_.hostname + " line without end");
                return true;
            }
            if (end == std::string_view::npos) return false;
            input_mode_ = Input::Line;
            continue;
        }
        if (line_.size() + part.size() > limit) {
            // Said as soon as it is known: whoever sends a line without end waits for an answer all the same. The
            // limit is counted from the line's start, so that the rest is the same for every split of the input.
            input_.remove_prefix(limit - line_.size());
            line_.clear();
            overlong_ = 0;
            if (input_mode_ == Input::Authentication) effect_ = CancelAuthentication{};
            input_mode_ = Input::Overlong;
            refuse(500, "5.5.2", "line too long");
            if (closed_ || effect_) return true;
            continue;
        }
        input_.remove_prefix(part.size());
        if (end == std::string_view::npos) {
            line_.append(part);
            return false;
        }
        if (line_.empty()) {
            line = part;
        } else {
            line_.append(part);
            line = line_;
        }
        line.remove_suffix(1);
        const bool crlf = line.ends_with('\r');
        if (crlf) line.remove_suffix(1);
        if (!crlf || line.find('\r') != std::string_view::npos) {
            // RFC 5321, 2.3.8: a CR or LF alone ends no line. Whoever mixes them may be hiding commands.
            hang_up(500, "5.5.2", crlf ? "bare CR; lines end with CRLF" : "bare LF; lines end with CRLF");
        }
        return true;
    }
}

void Session::take_command(std::string_view line) {
    if (input_mode_ == Input::Overlong) return;
    auto command = parse_command(line);
    if (!command) return refuse(command.error().code, command.error().enhanced, command.error().text);
    std::visit([this](const auto& c) { on(c); }, *command);
}

void Session::end_transaction() {
    if (in_mail_) effect_ = EndTransaction{};
    in_mail_ = chunking_ = content_begun_ = chunk_failed_ = false;
    recipients_ = 0;
    mail_ = {};
}

void Session::begin_content() {
    data_ = {};
    line_ends_ = {};
    header_ = {};
    content_size_ = 0;
    content_begun_ = true;
}

void Session::take_content(std::string_view bytes) {
    content_size_ += bytes.size();
    if (content_size_ > settings_.limits.max_size) return;  // read on to the end, and say so there
    header_.feed(bytes);
    effect_ = ContentBytes{bytes};
}

void Session::take_data() {
    const auto step = data_.next(input_);
    switch (step.event) {
        case DataDecoder::Event::Content: take_content(step.content); break;
        case DataDecoder::Event::NeedMore: break;
        case DataDecoder::Event::End:
            input_mode_ = Input::Line;
            end_content(false);
            break;
        case DataDecoder::Event::Bare:
            // Where the message ends can no longer be known for sure; nothing after this may be read as commands.
            closed_amid_content_ = true;
            ++total_errors_;
            hang_up(521, "5.5.2", "bare CR or LF in the message; lines end with CRLF");
            break;
    }
}

void Session::end_content(bool bare) {
    const auto& limits = settings_.limits;
    Reply refusal;
    if (bare) refusal = {554, "5.5.2", "bare CR or LF in the message; lines end with CRLF"};
    else if (content_size_ > limits.max_size)
        refusal = {552, "5.3.4", "message is larger than " + std::to_string(limits.max_size) + " bytes"};
    else if (header_.received_count() > limits.max_received)
        refusal = {554, "5.4.6", "too many Received fields: a loop"};
    if (refusal.code >= 400) {
        end_transaction();
        return refuse(refusal.code, refusal.enhanced, refusal.text);
    }
    waiting_ = Waiting::Content;
    effect_ = EndContent{};
}

void Session::answer(const Reply& reply) {
    const auto asked = std::exchange(waiting_, Waiting::No);
    if (asked == Waiting::Sender && reply.positive()) {
        mail_ = std::move(asked_mail_);
        in_mail_ = true;
    } else if (asked == Waiting::Recipient && reply.positive()) {
        ++recipients_;
    } else if (asked == Waiting::Content) {
        if (reply.positive()) {
            ++messages_;
            errors_ = 0;
        }
        in_mail_ = false;  // the host knows that it is over
        end_transaction();
    }
    if (reply.positive()) return say(reply.code, reply.enhanced, reply.text);
    if (reply.code == 421) return hang_up(reply.code, reply.enhanced, reply.text);
    refuse(reply.code, reply.enhanced, reply.text);
}

}  // namespace gk::smtp
