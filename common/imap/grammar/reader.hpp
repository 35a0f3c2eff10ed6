// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/imap/grammar/command.hpp"
#include "common/imap/grammar/parser.hpp"

namespace gk::imap {

struct ReaderLimits {
    std::size_t line = 64 * 1024;     // RFC 7162, 4 asks for 8 KB at the least
    std::size_t literal = 64 * 1024;  // of an argument that is not a message
    std::size_t command = 256 * 1024;
    std::uint64_t skipped = 256u << 20;  // of a refused non-synchronizing literal; past it the session ends
};

// What next() found.
struct NeedMore {};
struct WantsLiteral {};  // the client waits for "+"
struct BadCommand {
    std::string tag, text;
};  // answer "<tag> BAD text"; tag "*" where none was readable
struct Fatal {
    std::string text;
};  // answer "* BYE text" and end the session
struct RawLine {
    std::string line;
};  // a line in raw mode (DONE after IDLE)
struct MessageBytes {
    std::string_view bytes;
};                  // part of a literal of APPEND; valid until the next call
struct Nothing {};  // never leaves the reader
using ReaderEvent =
    std::variant<Nothing, NeedMore, Command, WantsLiteral, BadCommand, Fatal, RawLine, MessageBytes, AppendStep>;

// Cuts the client's bytes into commands. Any split gives the same events, except where MessageBytes are cut.
// Holds at most one command's text; the messages of an APPEND pass through. After Command(Append) and after each
// AppendStep that announces a literal the caller calls accept_message() or refuse_message() before next(). Accepted, it
// comes as MessageBytes, and then the AppendStep behind it; the one without a literal ends the command, as BadCommand
// does.
class CommandReader {
public:
    explicit CommandReader(ReaderLimits limits = {}) : limits_(limits) {}

    void feed(std::string_view bytes);
    ReaderEvent next();
    // The message will come as MessageBytes, then an AppendStep.
    void accept_message() {}
    // The command is over. A synchronizing message is not sent then; a non-synchronizing one is read and dropped, with
    // all that follows it.
    void refuse_message();
    // The next lines are not commands.
    void expect_raw_line(bool on) { raw_ = on; }
    // What was fed and is not begun, which the reader forgets: from here on it means something else.
    std::string take_input() { return std::exchange(input_, {}).substr(std::exchange(at_, 0)); }
    bool has_input() const noexcept { return at_ < input_.size(); }
    // Between commands, with nothing begun.
    bool at_command_start() const noexcept {
        return state_ == State::Line && !append_ && command_.empty() && !has_input();
    }

private:
    enum class State { Line, Literal, SkipLiteral, SkipLine, Message, Stopped };
    ReaderEvent step();
    ReaderEvent on_line_end();
    ReaderEvent on_append_line(const std::optional<LiteralMark>& mark);
    ReaderEvent on_argument(const LiteralMark& mark);
    void begin_message(const AppendStep::Literal& literal);
    ReaderEvent on_skipped_line();
    ReaderEvent refuse(std::string text);
    ReaderEvent stop(std::string text);
    bool take_line();  // moves input up to LF into command_; true when the line is complete
    void drop_command();
    void compact();

    ReaderLimits limits_;
    std::string input_;  // fed, not yet consumed from at_ on
    std::size_t at_ = 0;
    std::string command_;      // the command so far; while skipping, the end of the line so far
    std::size_t line_at_ = 0;  // where in command_ the current line began
    State state_ = State::Line;
    std::uint64_t left_ = 0;  // of a literal or message
    std::uint64_t skipped_ = 0;
    bool message_sync_ = true;
    // Behind a message of APPEND, until the command is over; command_ is then what follows that message.
    struct Appending {
        std::string tag;
        AppendPlace place;
        bool single;
    };
    std::optional<Appending> append_;
    bool raw_ = false;
};

}  // namespace gk::imap
