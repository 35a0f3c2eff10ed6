// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.hpp"

// The grammar of ManageSieve (RFC 5804, 4): from bytes to lines of tokens, and from these to typed commands.
namespace gk::managesieve {

struct Token {
    enum class Kind { Word, Number, String };
    Kind kind = Kind::Word;
    std::string text;          // of a Word, in upper case; of a String, as it was sent
    std::uint64_t number = 0;  // of a Number
    bool dropped = false;      // a literal past the limit: NUMBER says its size, and its octets are gone
};

struct Line {
    std::vector<Token> tokens;
    std::string error;  // where it is not empty, the line made no sense, and this is why
};

struct ReaderLimits {
    std::size_t line = 8192;            // octets that are no literal's, before the end of a command
    std::uint64_t literal = 1u << 20;   // octets of a literal that is kept; all of a line's may be LINE more together
    std::uint64_t skipped = 16u << 20;  // of one that is dropped; past it the stream is given up
    std::size_t tokens = 8;             // no command has so many
};

// Cuts a stream into lines. Clients send literals without waiting ({n+}); a line may end with LF alone, as openssl
// s_client has it.
class LineReader {
public:
    explicit LineReader(const ReaderLimits& limits) : limits_(limits) {}
    void feed(std::string_view bytes) { buffer_ += bytes; }
    std::optional<Line> next();  // a whole one, or nothing yet
    // No end is in sight: nothing more can be understood.
    bool gave_up() const noexcept { return gave_up_; }
    std::string take_rest() { return std::exchange(buffer_, {}); }  // what was fed and not used
    std::size_t waiting() const noexcept { return buffer_.size(); }

private:
    enum class Step { Token, End, More };
    Step step();
    Step literal();
    Step quoted();
    Step word();
    void spoil(std::string why);

    ReaderLimits limits_;
    std::string buffer_;
    std::size_t at_ = 0;      // of buffer_: what is before it is in LINE_
    std::size_t plain_ = 0;   // octets of this line outside literals
    std::uint64_t left_ = 0;  // of a literal that has begun
    std::uint64_t kept_ = 0;  // octets of this line's literals
    bool in_literal_ = false, gave_up_ = false;
    Line line_;
};

struct Authenticate {
    std::string mechanism;
    std::optional<std::string> initial;  // base64
};
struct StartTls {};
struct Logout {};
struct Capability {};
struct HaveSpace {
    std::string name;
    std::uint64_t size = 0;
};
struct PutScript {
    std::string name, script;
    std::uint64_t dropped = 0;  // the size of one that was too large to be kept
};
struct ListScripts {};
struct SetActive {
    std::string name;  // empty: none
};
struct GetScript {
    std::string name;
};
struct DeleteScript {
    std::string name;
};
struct RenameScript {
    std::string from, to;
};
struct CheckScript {
    std::string script;
    std::uint64_t dropped = 0;
};
struct Noop {
    std::optional<std::string> tag;
};
struct Unauthenticate {};
using Command = std::variant<Authenticate, StartTls, Logout, Capability, HaveSpace, PutScript, ListScripts, SetActive,
                             GetScript, DeleteScript, RenameScript, CheckScript, Noop, Unauthenticate>;

// BadInput with a text for the client.
Result<Command> parse_command(const Line& line);
// A line that is one string: the client's word in a SASL exchange (RFC 5804, 2.1).
Result<std::string> parse_response(const Line& line);

// TEXT as a string of the server: quoted where it can be, else a literal {n}.
std::string format_string(std::string_view text);
// "OK", "NO" or "BYE", a response code without its parentheses (may be empty), and a text for people; with CRLF.
std::string format_reply(std::string_view word, std::string_view code, std::string_view text);

}  // namespace gk::managesieve
