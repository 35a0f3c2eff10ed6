// SPDX-License-Identifier: MIT
#include "common/imap/grammar/reader.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/imap/grammar/parser.hpp"

namespace gk::imap {

namespace {

constexpr std::size_t kMarkTail = 32;  // of a line that is skipped: enough to see a literal's announcement

}  // namespace

void CommandReader::feed(std::string_view bytes) {
    compact();
    input_ += bytes;
}

void CommandReader::compact() {
    if (at_ == 0) return;
    input_.erase(0, at_);
    at_ = 0;
    if (input_.empty() && input_.capacity() > 32 * 1024) input_.shrink_to_fit();
}

bool CommandReader::take_line() {
    const std::size_t lf = input_.find('\n', at_);
    const std::size_t end = lf == std::string::npos ? input_.size() : lf;
    const std::size_t room = limits_.line + 1 - std::min(limits_.line + 1, command_.size() - line_at_);
    const std::size_t taken = std::min(end - at_, room);
    command_.append(input_, at_, taken);
    at_ += taken;
    if (at_ != end || lf == std::string::npos) return false;
    ++at_;
    // A bare LF ends a line too: people who type into netcat and openssl s_client send it.
    if (command_.size() > line_at_ && command_.back() == '\r') command_.pop_back();
    return true;
}

void CommandReader::drop_command() {
    command_.clear();
    if (command_.capacity() > 4096) command_.shrink_to_fit();
    line_at_ = 0;
}

ReaderEvent CommandReader::refuse(std::string text) {
    const std::string_view tag = append_ ? std::string_view(append_->tag) : tag_of(command_);
    BadCommand bad{tag.empty() ? "*" : std::string(tag), std::move(text)};
    append_.reset();
    drop_command();
    return bad;
}

void CommandReader::begin_message(const AppendStep::Literal& literal) {
    left_ = literal.size;
    state_ = State::Message;
    message_sync_ = literal.sync;
}

ReaderEvent CommandReader::on_line_end() {
    if (raw_) {
        RawLine line{std::move(command_)};
        drop_command();
        return line;
    }
    const auto mark = literal_mark(std::string_view(command_).substr(line_at_));
    if (append_) return on_append_line(mark);
    if (!mark) {
        auto command = parse_command(command_);
        if (!command) return refuse(std::move(command.error().text));
        drop_command();
        return std::move(*command);
    }
    if (auto command = parse_append_at_message(command_)) {
        const auto& append = std::get<Append>(command->body);
        append_ = {command->tag, append.step.next, append.replaced.has_value()};
        begin_message(*append.step.literal);
        drop_command();
        return std::move(*command);
    }
    return on_argument(*mark);
}

ReaderEvent CommandReader::on_append_line(const std::optional<LiteralMark>& mark) {
    auto step = parse_append_step(command_, append_->place, append_->single);
    if (mark && !(step && step->literal)) return on_argument(*mark);  // of an URL; or what is wrong is said at the end
    if (!step) return refuse(std::move(step.error().text));
    drop_command();
    append_->place = step->next;
    if (step->literal) begin_message(*step->literal);
    else append_.reset();
    return std::move(*step);
}

ReaderEvent CommandReader::on_argument(const LiteralMark& mark) {
    left_ = mark.size;
    if (mark.size > limits_.literal || command_.size() + mark.size > limits_.command) {
        if (!mark.sync) state_ = State::SkipLiteral;
        return refuse(fmt::format("a literal of {} bytes is too large here", mark.size));
    }
    command_ += "\r\n";
    state_ = State::Literal;
    if (mark.sync) return WantsLiteral{};
    return Nothing{};
}

ReaderEvent CommandReader::on_skipped_line() {
    const std::size_t lf = input_.find('\n', at_);
    const std::size_t end = lf == std::string::npos ? input_.size() : lf;
    skipped_ += end - at_;
    command_.append(input_, at_, end - at_);
    if (command_.size() > kMarkTail) command_.erase(0, command_.size() - kMarkTail);
    at_ = end;
    if (skipped_ > limits_.skipped) return stop("too much to skip");
    if (lf == std::string::npos) return NeedMore{};
    ++at_;
    if (!command_.empty() && command_.back() == '\r') command_.pop_back();
    const auto mark = literal_mark(command_);
    drop_command();
    if (mark && !mark->sync) {
        left_ = mark->size;
        state_ = State::SkipLiteral;
    } else {
        state_ = State::Line;
        skipped_ = 0;
    }
    return Nothing{};
}

ReaderEvent CommandReader::stop(std::string text) {
    state_ = State::Stopped;
    drop_command();
    return Fatal{std::move(text)};
}

ReaderEvent CommandReader::step() {
    switch (state_) {
        case State::Line:
            if (take_line()) return on_line_end();
            if (command_.size() - line_at_ <= limits_.line) return NeedMore{};
            state_ = State::SkipLine;
            return refuse(fmt::format("a line is longer than {} bytes", limits_.line));
        case State::Literal: {
            const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input_.size() - at_));
            command_.append(input_, at_, taken);
            at_ += taken;
            left_ -= taken;
            if (left_ > 0) return NeedMore{};
            line_at_ = command_.size();
            state_ = State::Line;
            return Nothing{};
        }
        case State::SkipLiteral: {
            if (left_ > limits_.skipped || skipped_ + left_ > limits_.skipped)
                return stop("a refused literal is too large to skip");
            const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input_.size() - at_));
            at_ += taken;
            left_ -= taken;
            if (left_ > 0) return NeedMore{};
            state_ = State::SkipLine;
            return Nothing{};
        }
        case State::SkipLine: return on_skipped_line();
        case State::Message: {
            if (left_ == 0) {
                state_ = State::Line;
                return Nothing{};
            }
            const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input_.size() - at_));
            if (taken == 0) return NeedMore{};
            const std::string_view bytes = std::string_view(input_).substr(at_, taken);
            at_ += taken;
            left_ -= taken;
            return MessageBytes{bytes};
        }
        case State::Stopped: at_ = input_.size(); return NeedMore{};
    }
    return NeedMore{};
}

ReaderEvent CommandReader::next() {
    for (;;) {
        ReaderEvent event = step();
        if (!std::holds_alternative<Nothing>(event)) return event;
    }
}

void CommandReader::refuse_message() {
    append_.reset();
    state_ = message_sync_ ? State::Line : State::SkipLiteral;
    if (message_sync_) left_ = 0;
}

}  // namespace gk::imap
