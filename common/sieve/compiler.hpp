// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/sieve/grammar.hpp"
#include "common/sieve/program.hpp"
#include "common/sieve/syntax.hpp"

namespace gk::sieve {

constexpr std::uint32_t kMostMatches = 32;  // match variables; RFC 5229, 3.2 wants ten

// One program under construction; a Compiler is used once.
class Compiler {
public:
    explicit Compiler(const Dialect& dialect) : dialect_(dialect), limits_(dialect.limits) {}
    // Puts TEXT and what it includes into the program; the number of its unit.
    std::uint32_t unit(std::string_view text, std::string name, Includes::Place place, std::uint32_t depth);

    std::vector<Problem> problems;
    Script::Program program;

private:
    // What one script has said so far.
    struct Context {
        Unit unit;
        std::uint64_t available = 0;     // extensions that it may use
        std::uint32_t depth = 0;         // of includes
        std::vector<std::string> loops;  // names of the foreverypart loops around, "" for none
        bool too_many = false;           // variables; told once
        bool began = false;              // something other than require was read
    };

    bool has(Ext ext) const noexcept { return (here_->available & bit(ext)) == bit(ext); }
    void problem(Position at, std::string text);

    void block(const std::vector<Item>& items, std::vector<Node>& into);
    void require(const Item& item);
    void enable(Ext ext);
    void command(const Item& item, std::vector<Node>& into);
    std::optional<Node> test(const Item& item);
    bool tests(const Item& item, const Spec& spec, Node& node);
    // Tags and positional arguments; false where something was wrong and told.
    bool arguments(const Item& item, const Spec& spec, Node& node);
    bool tag(const Item& item, const Spec& spec, std::size_t& at, Node& node, std::uint32_t& groups);
    bool positional(const Item& item, const Spec& spec, const std::vector<const Argument*>& found, Node& node);
    bool match_tag(const Item& item, std::size_t& at, Match match, Node& node);
    bool comparator(const Argument& name, Node& node);
    void include(const Item& item, Node& node);

    // strings.cpp
    Text text(const Literal& literal);
    Texts texts(const Argument& argument);
    std::string encoded_characters(const Literal& literal);
    std::optional<Piece> reference(std::string_view name, Position at);
    std::optional<std::uint32_t> variable(std::string_view name, Position at);

    // check.cpp: what the grammar's table cannot say
    bool check(const Item& item, Node& node);
    bool check_matching(const Item& item, Node& node, Texts& keys);
    bool check_headers(const Node& node, const Texts& names, bool addresses);
    bool check_index(const Item& item, Node& node);
    bool check_variable_name(const Texts& names, Node& node);
    bool check_mime(const Item& item, const Node& node);
    bool check_fcc(const Item& item, const Node& node);

    const Dialect& dialect_;
    const Limits& limits_;
    Context* here_ = nullptr;
    std::vector<std::string> open_;  // includes that are being compiled, by place and name
    // One more command, test or string; false, and told once, where there are too many.
    bool count_node(Position at);
    std::uint64_t size_ = 0, nodes_ = 0, regexes_ = 0;
};

// Whether the test is decided by ihave alone (RFC 5463, 4), and how.
std::optional<bool> decided(const Node& test) noexcept;
// A variable's name: an identifier (RFC 5229, 3).
bool is_identifier(std::string_view name) noexcept;
// Wrong patterns and those past MEMORY are told in ERROR.
std::shared_ptr<const re2::RE2> compile_regex(std::string_view pattern, Comparator comparator, std::uint64_t memory,
                                              std::string& error);

}  // namespace gk::sieve
