// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/charset/charset.hpp"
#include "common/sieve/flags.hpp"
#include "common/sieve/grammar.hpp"
#include "common/sieve/machine.hpp"

namespace gk::sieve {

namespace {

constexpr std::uint64_t kStep = 256;  // bytes looked at that count as one step

// Cut between characters, so that a variable stays UTF-8 where it was.
void cut(std::string& s, std::uint64_t most) {
    if (s.size() <= most) return;
    std::size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(s[end]) & 0xC0) == 0x80) --end;
    s.resize(end);
}

}  // namespace

Machine::Machine(const Script::Program& program, const Facts& facts, Mail& mail, Host& host, const Limits& limits,
                 Outcome& outcome, const Trace& trace, Bench* bench)
    : program_(program),
      facts_(&facts),
      mail_(&mail),
      host_(&host),
      limits_(limits),
      outcome_(outcome),
      trace_(trace),
      bench_(bench),
      budget_{limits.steps * kStep} {
    globals_.resize(program.globals.size());
    included_.resize(program.units.size());
    flags_ = facts.flags;
}

void Machine::fail(const Node& node, std::string why) {
    if (failed_) return;
    failed_ = true;
    if (why.empty()) why = "the script takes more than " + std::to_string(limits_.steps) + " steps";
    const std::string& name = unit().name;
    outcome_.error = (name.empty() ? "" : name + ": ") + "line " + std::to_string(node.at.line) + ", column " +
                     std::to_string(node.at.column) + ": " + why;
}

std::string Machine::recover() {
    failed_ = false;
    frames_.resize(1);
    loops_.clear();
    depth_ = 0;
    return std::exchange(outcome_.error, {});
}

void Machine::remark(std::string text) {
    auto& said = outcome_.remarks;
    if (said.size() < limits_.actions && std::find(said.begin(), said.end(), text) == said.end())
        said.push_back(std::move(text));
}

void Machine::run() {
    frames_.push_back({0, std::vector<std::string>(program_.units[0].variables.size())});
    block(program_.units[0].block);
    outcome_.steps += limits_.steps - budget_.left / kStep;
}

std::string_view Machine::text(const Text& text, std::string& scratch) {
    if (text.constant()) return text.literal;
    scratch.clear();
    for (const Piece& piece : text.pieces) {
        switch (piece.kind) {
            case Piece::Kind::Literal: scratch += piece.literal; break;
            case Piece::Kind::Variable: scratch += variable(piece.number); break;
            case Piece::Kind::Global: scratch += globals_[piece.number]; break;
            case Piece::Kind::Matched:
                if (piece.number < matched_.size()) scratch += matched_[piece.number];
                break;
        }
        if (scratch.size() > limits_.variable_size) {
            cut(scratch, limits_.variable_size);
            break;
        }
    }
    budget_.spend(scratch.size());
    return scratch;
}

std::string Machine::text(const Text& text) {
    std::string scratch;
    const std::string_view value = this->text(text, scratch);
    return text.constant() ? std::string(value) : scratch;
}

std::vector<std::string> Machine::list(const Texts& texts) {
    std::vector<std::string> out;
    out.reserve(texts.size());
    for (const Text& each : texts) out.push_back(text(each));
    return out;
}

std::string& Machine::variable(std::uint32_t index) {
    const std::int32_t global = unit().global_of[index];
    return global >= 0 ? globals_[static_cast<std::size_t>(global)] : frames_.back().variables[index];
}

bool Machine::store(const Node& node, std::string value) {
    cut(value, limits_.variable_size);
    std::string& slot =
        node.is(flag::Global) ? globals_[node.number] : variable(static_cast<std::uint32_t>(node.number));
    memory_ += value.size();
    memory_ -= std::min<std::uint64_t>(memory_, slot.size());
    if (memory_ > limits_.memory)
        return fail(node, "the variables hold more than " + std::to_string(limits_.memory) + " bytes"), false;
    if (!budget_.spend(value.size())) return fail(node, {}), false;
    slot = std::move(value);
    return true;
}

Machine::Flow Machine::block(const std::vector<Node>& nodes) {
    bool taken = false;  // a branch of the chain of if, elsif and else that is being read
    ++depth_;
    Flow flow = Flow::Next;
    for (const Node& node : nodes) {
        if (node.op == Op::If) taken = false;
        if (node.op == Op::If || node.op == Op::Elsif || node.op == Op::Else) {
            if (taken) continue;
            const bool holds = node.op == Op::Else || test(node.tests[0]);
            if (failed_) flow = Flow::Failed;
            else if (holds) taken = true, flow = block(node.block);
        } else {
            flow = command(node);
        }
        if (flow != Flow::Next) break;
    }
    --depth_;
    return flow;
}

Machine::Flow Machine::command(const Node& node) {
    if (!budget_.spend(kStep)) return fail(node, {}), Flow::Failed;
    if (trace_ && node.op != Op::Foreverypart) {
        detail_.clear();
        trace_({node.at, unit().name, depth_, shown(node), {}});
    }
    const Flow flow = execute(node);
    return failed_ ? Flow::Failed : flow;
}

Machine::Flow Machine::execute(const Node& node) {
    switch (node.op) {
        case Op::Stop: return Flow::Stop;
        case Op::Return: return Flow::Return;
        case Op::Include: return include(node);
        case Op::Global: return Flow::Next;
        case Op::Foreverypart: return foreverypart(node);
        case Op::Break: breaks_ = node.number; return Flow::Break;
        case Op::Error: fail(node, "the script says: " + text(node.args[0][0])); return Flow::Failed;
        case Op::Keep: keep(node); break;
        case Op::Discard: act(node, {Discard{}, 0, 0, -1}); break;
        case Op::Redirect: redirect(node); break;
        case Op::Fileinto: fileinto(node); break;
        case Op::Reject:
        case Op::Ereject: reject(node); break;
        case Op::Setflag:
        case Op::Addflag:
        case Op::Removeflag: set_flags(node); break;
        case Op::Set: store(node, modified(node, text(node.args[1][0]))); break;
        case Op::Addheader: addheader(node); break;
        case Op::Deleteheader: deleteheader(node); break;
        case Op::Notify: notify(node); break;
        case Op::Vacation: vacation(node); break;
        case Op::Extracttext: extracttext(node); break;
        case Op::Replace: replace(node); break;
        case Op::Enclose: enclose(node); break;
        default:
            if (bench_ && !bench_->command(*this, node)) return Flow::Stop;
            break;
    }
    return Flow::Next;
}

// RFC 6609, 3.2: an included script has its own variables and match variables; what it does counts as ours.
Machine::Flow Machine::include(const Node& node) {
    const auto index = static_cast<std::uint32_t>(node.number);
    const Unit& included = program_.units[index];
    if (included.missing) {
        if (!node.is(flag::Optional))
            fail(node, "there is no script '" + text::printable(included.name, 80) + "' to include");
        return Flow::Next;
    }
    if (node.is(flag::Once) && included_[index]) return Flow::Next;
    if (frames_.size() > limits_.include_depth)
        return fail(node, "scripts include each other more than " + std::to_string(limits_.include_depth) + " deep"),
               Flow::Failed;
    included_[index] = true;
    auto matched = std::move(matched_);
    matched_.clear();
    frames_.push_back({index, std::vector<std::string>(included.variables.size())});
    Flow flow = block(included.block);
    if (!failed_) frames_.pop_back();
    matched_ = std::move(matched);
    return flow == Flow::Return ? Flow::Next : flow;
}

// RFC 5703, 3: all parts below and, for the outermost loop, the message itself; depth first.
Machine::Flow Machine::foreverypart(const Node& node) {
    const std::uint32_t outer = loops_.empty() ? message::kNone : part_here();
    for (std::uint32_t i = outer == message::kNone ? 0 : outer + 1;; ++i) {
        const message::Structure& structure = mail_->structure();  // each time: replace makes another
        if (i >= structure.parts.size()) break;
        // I is past OUTER, which is a part as well then.
        if (outer != message::kNone && structure.parts[i].depth <= structure.parts[outer].depth) break;
        if (!budget_.spend(kStep)) return fail(node, {}), Flow::Failed;
        loops_.push_back({i});
        const Flow flow = block(node.block);
        loops_.pop_back();
        if (flow == Flow::Break) {
            if (--breaks_ > 0) return Flow::Break;
            return Flow::Next;
        }
        if (flow != Flow::Next) return flow;
    }
    return Flow::Next;
}

bool Machine::test(const Node& node) {
    if (failed_ || !budget_.spend(kStep)) return fail(node, {}), false;
    switch (node.op) {
        case Op::True: return true;
        case Op::False: return false;
        case Op::Not: return !test(node.tests[0]) && !failed_;
        case Op::Allof:
            for (const Node& each : node.tests)
                if (!test(each)) return false;
            return !failed_;
        case Op::Anyof:
            for (const Node& each : node.tests)
                if (test(each)) return true;
            return false;
        default: break;
    }
    detail_.clear();
    const bool result = evaluate(node) && !failed_;
    if (budget_.left == 0) fail(node, {});
    if (trace_) trace_test(node, result);
    return result;
}

// RFC 5229, 4.1: the highest precedence first.
std::string Machine::modified(const Node& node, std::string value) {
    if (node.is(flag::Lower)) value = text::lower(value);
    if (node.is(flag::Upper)) value = text::upper(value);
    if (!value.empty() && node.is(flag::LowerFirst)) value[0] = text::to_lower(value[0]);
    if (!value.empty() && node.is(flag::UpperFirst)) value[0] = text::to_upper(value[0]);
    if (node.is(flag::QuoteWildcard | flag::QuoteRegex)) {
        const std::string_view special = node.is(flag::QuoteWildcard) ? "*?\\" : "\\^$.[]|()?*+{}";
        std::string quoted;
        for (const char c : value) {
            if (special.find(c) != std::string_view::npos) quoted += '\\';
            quoted += c;
        }
        value = std::move(quoted);
    }
    if (node.is(flag::EncodeUrl)) {
        std::string encoded;
        for (const char c : value) {  // RFC 5435, 6: all but the unreserved characters of RFC 3986
            if (text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') encoded += c;
            else encoded += '%' + text::upper(text::to_hex(std::string_view(&c, 1)));
        }
        value = std::move(encoded);
    }
    if (node.is(flag::Length)) {
        std::size_t characters = 0;
        for (std::size_t at = 0; at < value.size(); ++characters) charset::next_utf8(value, at);
        value = std::to_string(characters);
    }
    return value;
}

// RFC 5232, 3: one list, without repeats, whatever strings it is written in.
std::vector<std::string> Machine::flags_of(const Texts& names) {
    std::vector<std::string> flags;
    std::string scratch;
    for (const Text& each : names) take_words(flags, text(each, scratch));
    return flags;
}

void Machine::take_words(std::vector<std::string>& flags, std::string_view words) {
    // A word is compared with every flag that is there; two bytes are the shortest word with its space.
    if (budget_.spend(words.size() * (2 + flags.size() / 2))) add_flags(flags, words);
}

void Machine::set_flags(const Node& node) {
    const bool own = node.args[0].empty();
    std::vector<std::string> current;
    if (own) current = flags_;
    else if (node.op != Op::Setflag)
        take_words(current,
                   node.is(flag::Global) ? globals_[node.number] : variable(static_cast<std::uint32_t>(node.number)));
    const std::vector<std::string> named = flags_of(node.args[1]);
    if (node.op == Op::Setflag) current = named;
    if (node.op == Op::Addflag)
        for (const std::string& each : named) add_flags(current, each);
    if (node.op == Op::Removeflag)
        std::erase_if(current, [&](const std::string& each) { return has_flag(named, each); });
    budget_.spend(current.size() * named.size());
    if (current.size() > kMostFlags) {
        fail(node, "there are more than " + std::to_string(kMostFlags) + " flags");
    } else if (own) {
        flags_ = std::move(current);
    } else {
        store(node, text::join(current, " "));
    }
}

std::string Machine::shown(const Node& node) {
    std::string out(name_of(node.op));
    const auto add = [&](const Texts& texts) {
        if (texts.empty()) return;
        out += texts.size() == 1 ? " " : " [";
        for (std::size_t i = 0; i < texts.size(); ++i)
            out += (i ? ", \"" : "\"") + text::printable(text(texts[i]), 60) + '"';
        if (texts.size() != 1) out += ']';
    };
    if (node.op == Op::Size) out += (node.is(flag::Over) ? " :over " : " :under ") + std::to_string(node.number);
    constexpr std::string_view kMatch[] = {"", " :contains", " :matches", " :regex", " :value", " :count", " :list"};
    out += kMatch[static_cast<std::size_t>(node.matching.type)];
    for (const Texts& each : node.args) add(each);
    return out;
}

void Machine::trace_test(const Node& node, bool result) {
    trace_({node.at, unit().name, depth_, shown(node),
            (detail_.empty() ? "" : detail_ + ": ") + (result ? "true" : "false")});
}

void Machine::message_changed() noexcept {
    noted_version_ = 0;
    outcome_.editions.clear();
}

}  // namespace gk::sieve
