// SPDX-License-Identifier: MIT
#include "common/sieve/syntax.hpp"

namespace gk::sieve {

namespace {

class Parser {
public:
    Parser(std::string_view text, const Limits& limits, std::vector<Problem>& problems)
        : lexer_(text), limits_(limits), problems_(problems) {
        read();
    }

    std::vector<Item> script() {
        std::vector<Item> items;
        while (token_ != Token::End && !full()) {
            if (token_ == Token::CloseBrace) {
                problem("a '}' without its '{'");
                read();
                continue;
            }
            command(items, 0);
        }
        return items;
    }

private:
    bool full() const noexcept { return problems_.size() >= limits_.problems; }
    void problem(std::string text) { problem_at(lexer_.at(), std::move(text)); }
    void problem_at(Position at, std::string text) {
        if (!full()) problems_.push_back({at, {}, std::move(text)});
    }
    void read() {
        token_ = lexer_.next();
        if (token_ == Token::Wrong) wrong_ = lexer_.text();
    }
    // "expected WHAT", or what the lexer found wrong.
    bool expected(const char* what) {
        problem(token_ == Token::Wrong ? wrong_ : std::string("expected ") + what);
        return false;
    }
    bool take(Token token, const char* what) {
        if (token_ != token) return expected(what);
        read();
        return true;
    }

    // To behind the command in which something was wrong: its semicolon, or the block that follows.
    void recover() {
        unsigned open = 0;
        while (token_ != Token::End) {
            if (token_ == Token::Semicolon && open == 0) {
                read();
                return;
            }
            if (token_ == Token::OpenBrace) ++open;
            if (token_ == Token::CloseBrace) {
                if (open == 0) return;  // of the block around us
                if (--open == 0) {
                    read();
                    return;
                }
            }
            read();
        }
    }

    void command(std::vector<Item>& into, std::uint32_t depth) {
        Item item;
        if (!command_into(item, depth)) recover();
        else into.push_back(std::move(item));
    }

    bool command_into(Item& item, std::uint32_t depth) {
        item.at = lexer_.at();
        if (token_ != Token::Identifier) return expected("a command");
        item.name = std::move(lexer_.text());
        read();
        if (!arguments(item, 0)) return false;
        if (token_ == Token::Semicolon) {
            read();
            return true;
        }
        if (token_ != Token::OpenBrace) return expected("';' or '{'");
        item.has_block = true;
        if (depth >= limits_.nesting) {
            problem("blocks are nested more than " + std::to_string(limits_.nesting) + " deep");
            return false;
        }
        const Position open = lexer_.at();
        read();
        while (token_ != Token::CloseBrace) {
            if (token_ == Token::End) {
                problem_at(open, "this '{' has no '}'");
                return true;
            }
            if (full()) return true;
            command(item.block, depth + 1);
        }
        read();
        return true;
    }

    bool strings(Argument& argument) {
        argument.kind = Argument::Kind::List;
        read();
        while (true) {
            if (token_ != Token::String) return expected("a string");
            argument.strings.push_back({std::move(lexer_.text()), lexer_.at()});
            read();
            if (token_ != Token::Comma) break;
            read();
        }
        return take(Token::CloseBracket, "',' or ']'");
    }

    bool arguments(Item& item, std::uint32_t depth) {
        for (;;) {
            Argument argument{};
            argument.at = lexer_.at();
            if (token_ == Token::Tag) {
                argument.kind = Argument::Kind::Tag;
                argument.tag = std::move(lexer_.text());
                read();
            } else if (token_ == Token::Number) {
                argument.kind = Argument::Kind::Number;
                argument.number = lexer_.number();
                read();
            } else if (token_ == Token::String) {
                argument.kind = Argument::Kind::String;
                argument.strings.push_back({std::move(lexer_.text()), argument.at});
                read();
            } else if (token_ == Token::OpenBracket) {
                if (!strings(argument)) return false;
            } else {
                break;
            }
            item.arguments.push_back(std::move(argument));
        }
        if (token_ == Token::Identifier) return test(item, depth);
        if (token_ != Token::OpenParen) return true;
        item.test_list = true;
        do {
            read();
            if (!test(item, depth)) return false;
        } while (token_ == Token::Comma);
        return take(Token::CloseParen, "',' or ')'");
    }

    bool test(Item& parent, std::uint32_t depth) {
        if (token_ != Token::Identifier) return expected("a test");
        if (depth >= limits_.nesting) {
            problem("tests are nested more than " + std::to_string(limits_.nesting) + " deep");
            return false;
        }
        Item& item = parent.tests.emplace_back();
        item.at = lexer_.at();
        item.name = std::move(lexer_.text());
        read();
        return arguments(item, depth + 1);
    }

    Lexer lexer_;
    const Limits& limits_;
    std::vector<Problem>& problems_;
    Token token_ = Token::End;
    std::string wrong_;
};

}  // namespace

std::vector<Item> parse(std::string_view text, const Limits& limits, std::vector<Problem>& problems) {
    return Parser(text, limits, problems).script();
}

}  // namespace gk::sieve
