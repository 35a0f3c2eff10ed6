// SPDX-License-Identifier: MIT
#include "common/sieve/listing.hpp"

#include "common/base/text.hpp"
#include "common/sieve/grammar.hpp"

namespace gk::sieve {

namespace {

std::string shown(const Unit& unit, const Script::Program& program, const Text& text) {
    std::string out = "\"";
    if (text.constant()) out += text::printable(text.literal, 120);
    for (const Piece& piece : text.pieces) {
        switch (piece.kind) {
            case Piece::Kind::Literal: out += text::printable(piece.literal, 120); break;
            case Piece::Kind::Variable: out += "${" + unit.variables[piece.number] + '}'; break;
            case Piece::Kind::Global: out += "${global." + program.globals[piece.number] + '}'; break;
            case Piece::Kind::Matched: out += "${" + std::to_string(piece.number) + '}'; break;
        }
    }
    return out + '"';
}

std::string shown(const Unit& unit, const Script::Program& program, const Texts& texts) {
    if (texts.size() == 1) return shown(unit, program, texts[0]);
    std::string out = "[";
    for (std::size_t i = 0; i < texts.size(); ++i) out += (i ? ", " : "") + shown(unit, program, texts[i]);
    return out + ']';
}

void walk(const Script::Program& program, const Unit& unit, const std::vector<Node>& nodes, unsigned depth,
          std::vector<Listed>& out) {
    constexpr std::string_view kMatch[] = {" :is",    " :contains", " :matches", " :regex",
                                           " :value", " :count",    " :list"};
    constexpr std::string_view kRelation[] = {"gt", "ge", "lt", "le", "eq", "ne"};
    constexpr std::string_view kComparator[] = {"i;ascii-casemap", "i;octet", "i;ascii-numeric", "i;unicode-casemap"};
    constexpr std::string_view kPart[] = {"", " :localpart", " :domain", " :user", " :detail"};
    for (const Node& node : nodes) {
        std::string what(name_of(node.op));
        const bool matches = node.args.size() > 0 && node.op >= Op::Address && node.op != Op::Exists &&
                             node.op != Op::Mailboxexists && node.op != Op::Metadataexists &&
                             node.op != Op::Servermetadataexists && node.op != Op::SpecialUseExists &&
                             node.op != Op::ValidNotifyMethod && node.op != Op::ValidExtList && node.op != Op::Ihave;
        if (matches || (node.op == Op::Deleteheader && !node.args[1].empty())) {
            what += kMatch[static_cast<std::size_t>(node.matching.type)];
            if (node.matching.type == Match::Value || node.matching.type == Match::Count)
                what += " \"" + std::string(kRelation[static_cast<std::size_t>(node.matching.relation)]) + '"';
            what +=
                " :comparator \"" + std::string(kComparator[static_cast<std::size_t>(node.matching.comparator)]) + '"';
        }
        what += kPart[static_cast<std::size_t>(node.part)];
        if (node.op == Op::Size) what += (node.is(flag::Over) ? " :over " : " :under ") + std::to_string(node.number);
        for (const Texts& each : node.args)
            if (!each.empty()) what += ' ' + shown(unit, program, each);
        out.push_back({node.at, unit.name, depth, std::move(what)});
        walk(program, unit, node.tests, depth + 1, out);
        walk(program, unit, node.block, depth + 1, out);
    }
}

}  // namespace

std::vector<Listed> list_program(const Script& script) {
    std::vector<Listed> out;
    const Script::Program& program = script.program();
    for (const Unit& unit : program.units) walk(program, unit, unit.block, 0, out);
    return out;
}

}  // namespace gk::sieve
