// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/managesieve/command.hpp"

namespace gk::managesieve {

namespace {

// The arguments of a command, taken one after the other.
class Arguments {
public:
    explicit Arguments(const Line& line) : line_(line) {}

    std::string string(std::string_view what) {
        const Token* const token = take(what, Token::Kind::String);
        if (token != nullptr && token->dropped) fail_with(fmt::format("{} is too long", what));
        return token == nullptr ? "" : token->text;
    }
    std::string script(std::uint64_t& dropped) {
        const Token* const token = take("the script", Token::Kind::String);
        if (token == nullptr) return "";
        if (token->dropped) dropped = token->number;
        return token->text;
    }
    std::uint64_t number(std::string_view what) {
        const Token* const token = take(what, Token::Kind::Number);
        if (token != nullptr && token->number > UINT32_MAX) fail_with(fmt::format("{} is past 4294967295", what));
        return token == nullptr ? 0 : token->number;
    }
    bool more() const { return at_ < line_.tokens.size(); }
    Result<Command> end(Command command) {
        if (error_.empty() && more()) error_ = fmt::format("{} has no more arguments", line_.tokens[0].text);
        if (!error_.empty()) return fail(Errc::BadInput, error_);
        return command;
    }

private:
    const Token* take(std::string_view what, Token::Kind kind) {
        if (at_ < line_.tokens.size() && line_.tokens[at_].kind == kind) return &line_.tokens[at_++];
        fail_with(fmt::format("{} wants {} here, as a {}", line_.tokens[0].text, what,
                              kind == Token::Kind::Number ? "number" : "string"));
        return nullptr;
    }
    void fail_with(std::string why) {
        if (error_.empty()) error_ = std::move(why);
    }
    const Line& line_;
    std::size_t at_ = 1;
    std::string error_;
};

}  // namespace

Result<Command> parse_command(const Line& line) {
    if (!line.error.empty()) return fail(Errc::BadInput, line.error);
    if (line.tokens.empty() || line.tokens[0].kind != Token::Kind::Word)
        return fail(Errc::BadInput, "a line begins with the name of a command");
    const std::string& verb = line.tokens[0].text;
    Arguments in(line);
    if (verb == "AUTHENTICATE") {
        Authenticate command;
        command.mechanism = text::upper(in.string("a mechanism"));
        if (in.more()) command.initial = in.string("the initial response");
        return in.end(std::move(command));
    }
    if (verb == "STARTTLS") return in.end(StartTls{});
    if (verb == "LOGOUT") return in.end(Logout{});
    if (verb == "CAPABILITY") return in.end(Capability{});
    if (verb == "HAVESPACE") {
        HaveSpace command;
        command.name = in.string("a script's name");
        command.size = in.number("a size");
        return in.end(std::move(command));
    }
    if (verb == "PUTSCRIPT") {
        PutScript command;
        command.name = in.string("a script's name");
        command.script = in.script(command.dropped);
        return in.end(std::move(command));
    }
    if (verb == "LISTSCRIPTS") return in.end(ListScripts{});
    if (verb == "SETACTIVE") return in.end(SetActive{in.string("a script's name")});
    if (verb == "GETSCRIPT") return in.end(GetScript{in.string("a script's name")});
    if (verb == "DELETESCRIPT") return in.end(DeleteScript{in.string("a script's name")});
    if (verb == "RENAMESCRIPT") {
        RenameScript command;
        command.from = in.string("a script's name");
        command.to = in.string("its new name");
        return in.end(std::move(command));
    }
    if (verb == "CHECKSCRIPT") {
        CheckScript command;
        command.script = in.script(command.dropped);
        return in.end(std::move(command));
    }
    if (verb == "NOOP") {
        Noop command;
        if (in.more()) command.tag = in.string("a tag");
        return in.end(std::move(command));
    }
    if (verb == "UNAUTHENTICATE") return in.end(Unauthenticate{});
    return fail(Errc::BadInput, fmt::format("'{}' is no command", text::printable(verb, 40)));
}

Result<std::string> parse_response(const Line& line) {
    if (!line.error.empty()) return fail(Errc::BadInput, line.error);
    if (line.tokens.size() != 1 || line.tokens[0].kind != Token::Kind::String || line.tokens[0].dropped)
        return fail(Errc::BadInput, "a response is one string");
    return line.tokens[0].text;
}

std::string format_string(std::string_view text) {
    constexpr std::size_t kMaxQuoted = 1024;  // RFC 5804, 4
    if (text.size() > kMaxQuoted || text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos ||
        !text::is_utf8(text))
        return fmt::format("{{{}}}\r\n{}", text.size(), text);
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

std::string format_reply(std::string_view word, std::string_view code, std::string_view text) {
    std::string reply(word);
    if (!code.empty()) reply += fmt::format(" ({})", code);
    if (!text.empty()) reply += " " + format_string(text);
    return reply + "\r\n";
}

}  // namespace gk::managesieve
