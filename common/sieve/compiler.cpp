// SPDX-License-Identifier: MIT
#include "common/sieve/compiler.hpp"

#include <algorithm>

#include "common/base/text.hpp"

namespace gk::sieve {

namespace {

std::string quoted(std::string_view name) { return "'" + text::printable(name, 80) + "'"; }

}  // namespace

std::optional<bool> decided(const Node& test) noexcept {
    switch (test.op) {
        case Op::Ihave: return test.number != 0;
        case Op::Not:
            if (const auto inner = decided(test.tests[0])) return !*inner;
            return std::nullopt;
        case Op::Allof:
        case Op::Anyof: {
            const bool stops = test.op == Op::Anyof;
            bool all = true;
            for (const Node& each : test.tests) {
                const auto value = decided(each);
                if (value && *value == stops) return stops;
                all = all && value;
            }
            if (all) return !stops;
            return std::nullopt;
        }
        default: return std::nullopt;
    }
}

void Compiler::problem(Position at, std::string text) {
    if (problems.size() < limits_.problems) problems.push_back({at, here_ ? here_->unit.name : "", std::move(text)});
}

std::uint32_t Compiler::unit(std::string_view text, std::string name, Includes::Place place, std::uint32_t depth) {
    const auto index = static_cast<std::uint32_t>(program.units.size());
    program.units.emplace_back();
    Context context;
    context.unit.name = std::move(name);
    context.unit.place = place;
    context.depth = depth;
    Context* const outer = here_;
    here_ = &context;
    size_ += text.size();
    if (text.size() > limits_.script_size) {
        problem({}, "the script is larger than " + std::to_string(limits_.script_size) + " bytes");
    } else if (size_ > limits_.program_size) {
        problem({},
                "the script and what it includes are larger than " + std::to_string(limits_.program_size) + " bytes");
    } else {
        std::vector<Problem> found;
        const std::vector<Item> items = parse(text, limits_, found);
        for (Problem& each : found) problem(each.at, std::move(each.text));
        block(items, context.unit.block);
    }
    here_ = outer;
    program.units[index] = std::move(context.unit);
    return index;
}

void Compiler::enable(Ext ext) {
    here_->available |= bit(ext) | implied_by(ext);
    here_->unit.required |= bit(ext);
}

// RFC 5228, 3.2.
void Compiler::require(const Item& item) {
    if (here_->began) return problem(item.at, "require must come before all other commands");
    if (item.arguments.size() != 1 || item.has_block || !item.tests.empty() ||
        item.arguments[0].kind == Argument::Kind::Tag || item.arguments[0].kind == Argument::Kind::Number)
        return problem(item.at, "require takes one list of strings");
    for (const Literal& name : item.arguments[0].strings) {
        const auto ext = extension_named(name.value);
        const bool permitted =
            ext && (*ext == Ext::Testsuite ? dialect_.testsuite : (dialect_.extensions.bits & bit(*ext)) == bit(*ext));
        if (!ext) problem(name.at, "unknown extension " + quoted(name.value));
        else if (!permitted) problem(name.at, "the extension " + quoted(name.value) + " is not offered here");
        else enable(*ext);
    }
}

void Compiler::block(const std::vector<Item>& items, std::vector<Node>& into) {
    // Of a chain of if, elsif and else: whether one may stand here, and whether ihave decided it already.
    bool chain = false, taken = false;
    for (const Item& item : items) {
        if (problems.size() >= limits_.problems) return;
        if (item.name == "require") {
            require(item);
            chain = false;
            continue;
        }
        here_->began = true;
        const bool follows = item.name == "elsif" || item.name == "else";
        if (follows && !chain) problem(item.at, item.name + " without an if before it");
        if (!follows) taken = false;
        chain = item.name == "if" || item.name == "elsif";
        if (follows && taken) continue;
        command(item, into);
        if (chain && !into.empty() && into.back().at == item.at && !into.back().tests.empty())
            taken = taken || decided(into.back().tests[0]).value_or(false);
    }
}

bool Compiler::count_node(Position at) {
    if (++nodes_ == limits_.nodes + std::uint64_t{1})
        problem(at, "the program has more than " + std::to_string(limits_.nodes) + " commands, tests and strings");
    return nodes_ <= limits_.nodes;
}

void Compiler::command(const Item& item, std::vector<Node>& into) {
    if (!count_node(item.at)) return;
    const Spec* spec = find_spec(item.name, false);
    if (spec == nullptr || (spec->ext == Ext::Testsuite && !dialect_.testsuite)) {
        // A test of the testsuite may stand as a command there; nowhere else.
        return problem(item.at, find_spec(item.name, true) && !find_spec(item.name, true)->name.starts_with("test_")
                                    ? quoted(item.name) + " is a test, not a command"
                                    : "unknown command " + quoted(item.name));
    }
    if (!has(spec->ext))
        return problem(item.at,
                       "the command " + item.name + " needs require \"" + std::string(name_of(spec->ext)) + '"');
    Node node{.op = spec->op, .at = item.at};
    const bool good = arguments(item, *spec, node) && tests(item, *spec, node) && check(item, node);
    const bool takes_block = !spec->takes.empty() && spec->takes.back() == 'b';
    if (good && takes_block != item.has_block)
        return problem(item.at, takes_block ? item.name + " needs a block" : item.name + " takes no block");
    if (item.has_block && !(good && !node.tests.empty() && decided(node.tests[0]) == false)) {
        const bool loop = spec->op == Op::Foreverypart;
        if (loop) here_->loops.push_back(node.find(Slot::Name) ? node.find(Slot::Name)->texts[0].literal : "");
        block(item.block, node.block);
        if (loop) here_->loops.pop_back();
    }
    if (!good) return;
    if (node.op == Op::Include) include(item, node);
    into.push_back(std::move(node));
}

std::optional<Node> Compiler::test(const Item& item) {
    if (!count_node(item.at)) return std::nullopt;
    const Spec* spec = find_spec(item.name, true);
    if (spec == nullptr || (spec->ext == Ext::Testsuite && !dialect_.testsuite)) {
        problem(item.at, find_spec(item.name, false) ? quoted(item.name) + " is a command, not a test"
                                                     : "unknown test " + quoted(item.name));
        return std::nullopt;
    }
    if (!has(spec->ext)) {
        problem(item.at, "the test " + item.name + " needs require \"" + std::string(name_of(spec->ext)) + '"');
        return std::nullopt;
    }
    Node node{.op = spec->op, .at = item.at};
    const bool good = arguments(item, *spec, node);
    if (!tests(item, *spec, node) || !good || !check(item, node)) return std::nullopt;
    return node;
}

bool Compiler::tests(const Item& item, const Spec& spec, Node& node) {
    const bool one = spec.takes.find('t') != std::string_view::npos,
               list = spec.takes.find('T') != std::string_view::npos;
    if (one && (item.tests.size() != 1 || item.test_list))
        return problem(item.at, item.name + " takes one test"), false;
    if (list && !item.test_list) return problem(item.at, item.name + " takes a list of tests in parentheses"), false;
    if (!one && !list && !item.tests.empty())
        return problem(item.tests[0].at, item.name + " takes no test; is a ';' missing?"), false;
    bool good = true;
    for (const Item& each : item.tests) {
        auto compiled = test(each);
        if (!compiled) {
            good = false;
            continue;
        }
        node.tests.push_back(std::move(*compiled));
        // RFC 5463, 4: what ihave guards is not looked at where the extension is missing.
        const auto value = decided(node.tests.back());
        if (list && value && *value == (node.op == Op::Anyof)) break;
    }
    return good;
}

bool Compiler::arguments(const Item& item, const Spec& spec, Node& node) {
    std::vector<const Argument*> found;
    std::uint32_t groups = 0;
    bool good = true;
    for (std::size_t i = 0; i < item.arguments.size(); ++i) {
        if (item.arguments[i].kind == Argument::Kind::Tag) good = tag(item, spec, i, node, groups) && good;
        else found.push_back(&item.arguments[i]);
    }
    return good && positional(item, spec, found, node);
}

bool Compiler::tag(const Item& item, const Spec& spec, std::size_t& at, Node& node, std::uint32_t& groups) {
    const Argument& name = item.arguments[at];
    const Tag* tag = nullptr;
    for (const auto& tags : spec.tags)
        for (const Tag& each : tags)
            if (each.name == name.tag && tag == nullptr) tag = &each;
    if (tag == nullptr) return problem(name.at, item.name + " takes no argument ':" + name.tag + "'"), false;
    if (!has(tag->ext))
        return problem(name.at,
                       "the argument ':" + name.tag + "' needs require \"" + std::string(name_of(tag->ext)) + '"'),
               false;
    // RFC 5229, 4.1: modifiers of one precedence exclude each other, as do match types, comparators and so on.
    if ((groups >> tag->group) & 1)
        return problem(name.at, "':" + name.tag + "' does not go with an argument before it"), false;
    groups |= 1u << tag->group;
    if (tag->kind == Tag::Kind::Flag) return node.flags |= tag->value, true;
    if (tag->kind == Tag::Kind::Part) return node.part = static_cast<AddressPart>(tag->value), true;
    if (tag->kind == Tag::Kind::Match) return match_tag(item, at, static_cast<Match>(tag->value), node);

    if (at + 1 >= item.arguments.size()) return problem(name.at, "':" + name.tag + "' needs a value after it"), false;
    const Argument& value = item.arguments[++at];
    const bool number = value.kind == Argument::Kind::Number, list = value.kind == Argument::Kind::List;
    const bool fits = tag->kind == Tag::Kind::Number ? number
                      : tag->kind == Tag::Kind::List ? !number && value.kind != Argument::Kind::Tag
                                                     : value.kind == Argument::Kind::String;
    if (!fits) {
        if (value.kind == Argument::Kind::Tag) --at;
        return problem(value.at, "':" + name.tag + "' takes a " +
                                     (tag->kind == Tag::Kind::Number ? "number"
                                      : tag->kind == Tag::Kind::List ? "list of strings"
                                                                     : "string") +
                                     (list && tag->kind == Tag::Kind::String ? ", not a list" : "")),
               false;
    }
    if (tag->kind == Tag::Kind::Comparator) return comparator(value, node);
    node.tagged.push_back({static_cast<Slot>(tag->value), value.number, number ? Texts() : texts(value)});
    return true;
}

bool Compiler::match_tag(const Item& item, std::size_t& at, Match match, Node& node) {
    node.matching.type = match;
    if (match != Match::Value && match != Match::Count) return true;
    // RFC 5231, 4: ":count" and ":value" are followed by a relation.
    constexpr std::string_view kRelations[] = {"gt", "ge", "lt", "le", "eq", "ne"};
    const Argument& name = item.arguments[at];
    if (at + 1 < item.arguments.size() && item.arguments[at + 1].kind == Argument::Kind::String) {
        const std::string relation = text::lower(item.arguments[++at].strings[0].value);
        for (std::size_t i = 0; i < std::size(kRelations); ++i)
            if (relation == kRelations[i]) return node.matching.relation = static_cast<Relation>(i), true;
    }
    return problem(name.at, "':" + name.tag + "' is followed by \"gt\", \"ge\", \"lt\", \"le\", \"eq\" or \"ne\""),
           false;
}

bool Compiler::comparator(const Argument& name, Node& node) {
    const std::string& value = name.strings[0].value;
    struct Known {
        std::string_view name;
        Comparator comparator;
        Ext ext;
    };
    constexpr Known kKnown[] = {{"i;ascii-casemap", Comparator::AsciiCasemap, Ext::Base},
                                {"i;octet", Comparator::Octet, Ext::Base},
                                {"i;ascii-numeric", Comparator::AsciiNumeric, Ext::AsciiNumeric},
                                {"i;unicode-casemap", Comparator::UnicodeCasemap, Ext::UnicodeCasemap}};
    for (const Known& each : kKnown) {
        if (!text::equals_nocase(each.name, value)) continue;
        if (!has(each.ext))
            return problem(name.at, "the comparator needs require \"comparator-" + std::string(each.name) + '"'), false;
        node.matching.comparator = each.comparator;
        return true;
    }
    return problem(name.at, "unknown comparator " + quoted(value)), false;
}

bool Compiler::positional(const Item& item, const Spec& spec, const std::vector<const Argument*>& found, Node& node) {
    std::size_t most = 0, optional = 0;
    for (const char c : spec.takes) {
        if (c == '?') ++optional;
        if (c == 's' || c == 'l' || c == 'n') ++most;
    }
    if (found.size() > most || found.size() + optional < most) {
        const Position at = found.size() > most ? found[most]->at : item.at;
        return problem(at, item.name + " takes " +
                               (optional ? std::to_string(most - optional) + " or " : std::string()) +
                               std::to_string(most) + (most == 1 ? " argument" : " arguments") + ", and not " +
                               std::to_string(found.size())),
               false;
    }
    bool leave_out = found.size() < most, good = true;
    std::size_t next = 0;
    for (std::size_t i = 0; i < spec.takes.size(); ++i) {
        char kind = spec.takes[i];
        if (kind == '?') {
            kind = spec.takes[++i];
            if (leave_out) {
                node.args.emplace_back();
                leave_out = false;
                continue;
            }
        }
        if (kind != 's' && kind != 'l' && kind != 'n') continue;
        const Argument& argument = *found[next++];
        const bool fits = kind == 'n'   ? argument.kind == Argument::Kind::Number
                          : kind == 's' ? argument.kind == Argument::Kind::String
                                        : argument.kind != Argument::Kind::Number;
        if (!fits) {
            problem(argument.at, item.name + " takes a " +
                                     (kind == 'n'   ? "number"
                                      : kind == 's' ? "string"
                                                    : "list of strings") +
                                     " here");
            good = false;
        } else if (kind == 'n') {
            node.number = argument.number;
        } else {
            node.args.push_back(texts(argument));
        }
    }
    return good;
}

// RFC 6609, 3.2. A script that is missing is an error when it is run, not before: it may be stored later.
void Compiler::include(const Item& item, Node& node) {
    const std::string name = node.args[0][0].literal;
    const auto place = node.is(flag::Global) ? Includes::Place::Global : Includes::Place::Personal;
    const std::string key = (place == Includes::Place::Global ? "g:" : "p:") + name;
    if (std::find(open_.begin(), open_.end(), key) != open_.end())
        return problem(item.at, "the script " + quoted(name) + " includes itself");
    for (std::uint32_t i = 1; i < program.units.size(); ++i)
        if (program.units[i].name == name && program.units[i].place == place) {
            node.number = i;
            return;
        }
    if (program.units.size() > limits_.includes)
        return problem(item.at, "more than " + std::to_string(limits_.includes) + " scripts are included");
    if (here_->depth >= limits_.include_depth)
        return problem(item.at,
                       "scripts include each other more than " + std::to_string(limits_.include_depth) + " deep");
    const auto found = dialect_.includes ? dialect_.includes->find(place, name) : std::nullopt;
    program.includes.push_back({place, name, found.has_value()});
    if (!found) {
        node.number = program.units.size();
        Unit& missing = program.units.emplace_back();
        missing.name = name;
        missing.place = place;
        missing.missing = true;
        return;
    }
    open_.push_back(key);
    node.number = unit(*found, name, place, here_->depth + 1);
    open_.pop_back();
}

tl::expected<std::shared_ptr<const Script>, std::vector<Problem>> compile(std::string_view text,
                                                                          const Dialect& dialect) {
    Compiler compiler(dialect);
    compiler.unit(text, "", Includes::Place::Personal, 0);
    if (!compiler.problems.empty()) {
        std::stable_sort(compiler.problems.begin(), compiler.problems.end(), [](const Problem& a, const Problem& b) {
            if (a.script != b.script) return a.script.empty() && !b.script.empty();
            return a.at.line != b.at.line ? a.at.line < b.at.line : a.at.column < b.at.column;
        });
        return tl::unexpected(std::move(compiler.problems));
    }
    compiler.program.regex_memory = dialect.limits.regex_memory;
    return std::make_shared<const Script>(std::make_unique<const Script::Program>(std::move(compiler.program)));
}

std::string Problem::format(std::string_view name) const {
    return std::string(script.empty() ? name : script) + ':' + std::to_string(at.line) + ':' +
           std::to_string(at.column) + ": " + text;
}

Script::Script(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
Script::~Script() = default;
const std::vector<Script::Included>& Script::includes() const noexcept { return program_->includes; }

std::vector<std::string> Script::required() const {
    std::vector<std::string> names;
    Extensions set;
    for (const Unit& unit : program_->units) set.bits |= unit.required;
    for (const std::string_view name : set.names())
        if (extension_named(name) != Ext::Base) names.emplace_back(name);
    return names;
}

}  // namespace gk::sieve
