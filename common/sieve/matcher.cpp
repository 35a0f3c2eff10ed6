// SPDX-License-Identifier: MIT
#include <re2/re2.h>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/sieve/compiler.hpp"
#include "common/sieve/machine.hpp"

namespace gk::sieve {

Matcher::Matcher(Machine& machine, const Node& node, const Texts& keys, bool captures)
    : machine_(machine),
      node_(node),
      keys_(keys),
      captures_(captures && (machine.unit().required & bit(Ext::Variables)) != 0) {
    for (const Text& key : keys)
        if (!key.constant()) {
            for (const Text& each : keys) expanded_.push_back(machine.text(each));
            break;
        }
}

bool Matcher::value(std::string_view value) {
    if (matched_) return true;
    if (machine_.tracing()) machine_.note('"' + text::printable(value, 80) + '"');
    if (node_.matching.type == Match::Count) {
        ++count_;
        return false;
    }
    for (std::size_t i = 0; i < keys_.size() && !matched_; ++i) {
        if (!machine_.budget().spend(256)) return machine_.fail(node_, {}), true;
        matched_ = one(value, expanded_.empty() ? std::string_view(keys_[i].literal) : expanded_[i], keys_[i]);
        if (machine_.failed()) return true;
    }
    if (machine_.budget().left == 0) return machine_.fail(node_, {}), true;
    return matched_;
}

bool Matcher::finish() {
    if (node_.matching.type == Match::Count && !matched_) {
        const std::string count = std::to_string(count_);
        if (machine_.tracing()) machine_.note("count " + count);
        for (std::size_t i = 0; i < keys_.size() && !matched_; ++i)
            matched_ = holds(compare(count, expanded_.empty() ? std::string_view(keys_[i].literal) : expanded_[i],
                                     node_.matching.comparator, machine_.budget()),
                             node_.matching.relation);
    }
    return matched_ && !machine_.failed();
}

bool Matcher::one(std::string_view value, std::string_view key, const Text& text) {
    Budget& budget = machine_.budget();
    const Comparator comparator = node_.matching.comparator;
    switch (node_.matching.type) {
        case Match::Is:
            if (!text.folded.empty())
                return budget.spend(value.size() * 4) && charset::collation_key(value) == text.folded;
            return equals(value, key, comparator, budget);
        case Match::Contains: return contains(value, key, comparator, budget);
        case Match::Value: return holds(compare(value, key, comparator, budget), node_.matching.relation);
        case Match::Matches: {
            if (!matches(value, key, comparator, budget, captures_ ? &found_ : nullptr)) return false;
            if (captures_) remember(found_);
            return true;
        }
        case Match::Regex: {
            std::shared_ptr<const re2::RE2> regex = text.regex;
            if (!regex) {
                std::string error;
                // A pattern from a variable is compiled for every value: it costs what it weighs, and what it became.
                if (!budget.spend(4096 + key.size() * 64)) return false;
                regex = compile_regex(key, comparator, machine_.limits().regex_memory, error);
                if (!regex)
                    return machine_.fail(
                               node_, "the regular expression '" + text::printable(key, 80) + "' is wrong: " + error),
                           false;
                if (!budget.spend(static_cast<std::uint64_t>(regex->ProgramSize()) * 64)) return false;
            }
            // A large program has more states than fit, and is slower by its size then.
            const auto weight = 4 + static_cast<std::uint64_t>(regex->ProgramSize()) / 64;
            if (!budget.spend(value.size() * weight + 1)) return false;
            const re2::StringPiece subject(value.data(), value.size());
            if (!captures_) return regex->Match(subject, 0, value.size(), re2::RE2::UNANCHORED, nullptr, 0);
            const int groups = std::min<int>(regex->NumberOfCapturingGroups(), kMostMatches) + 1;
            std::vector<re2::StringPiece> pieces(static_cast<std::size_t>(groups));
            if (!regex->Match(subject, 0, value.size(), re2::RE2::UNANCHORED, pieces.data(), groups)) return false;
            found_.clear();
            for (const re2::StringPiece& piece : pieces)
                found_.emplace_back(piece.data() ? piece.data() : "", piece.size());
            remember(found_);
            return true;
        }
        case Match::List: {
            if (!budget.spend(Machine::kAsked)) return false;
            const auto in = machine_.host().in_list(key, value);
            if (!in) machine_.fail(node_, "there is no list '" + text::printable(key, 80) + "'");
            return in.value_or(false);
        }
        case Match::Count: break;
    }
    return false;
}

// RFC 5229, 3.2.
void Matcher::remember(const Captures& captures) {
    auto& into = machine_.matched_;
    const std::size_t count = std::min<std::size_t>(captures.size(), kMostMatches + 1);
    // A value may itself come from ${1}: new strings first, then they take the old ones' place.
    std::vector<std::string> fresh;
    fresh.reserve(count);
    for (std::size_t i = 0; i < count; ++i) fresh.emplace_back(captures[i].substr(0, machine_.limits().variable_size));
    into = std::move(fresh);
}

}  // namespace gk::sieve
