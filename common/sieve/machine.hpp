// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/sieve/mail.hpp"
#include "common/sieve/match.hpp"
#include "common/sieve/program.hpp"

namespace gk::sieve {

class Machine;

// What vnd.dovecot.testsuite adds; Machine asks it about the nodes that are the testsuite's.
class Bench {
public:
    virtual ~Bench() = default;
    virtual bool command(Machine& machine, const Node& node) = 0;  // false: stop
    virtual bool test(Machine& machine, const Node& node) = 0;
};

// One run of one program.
class Machine {
public:
    Machine(const Script::Program& program, const Facts& facts, Mail& mail, Host& host, const Limits& limits,
            Outcome& outcome, const Trace& trace, Bench* bench = nullptr);

    enum class Flow : unsigned char { Next, Stop, Return, Break, Failed };
    void run();
    Flow block(const std::vector<Node>& nodes);
    bool test(const Node& node);
    bool failed() const noexcept { return failed_; }
    void fail(const Node& node, std::string why);
    std::string recover();          // from a failure; what it was
    void remark(std::string text);  // once each, and no more than there may be actions

    // The string, put together in SCRATCH where it holds variables.
    std::string_view text(const Text& text, std::string& scratch);
    std::string text(const Text& text);
    std::vector<std::string> list(const Texts& texts);
    const Facts& facts() const noexcept { return *facts_; }
    Mail& mail() noexcept { return *mail_; }
    const Limits& limits() const noexcept { return limits_; }
    Budget& budget() noexcept { return budget_; }
    Host& host() noexcept { return *host_; }
    void note(std::string value) {
        if (trace_) detail_ += (detail_.empty() ? "" : ", ") + std::move(value);
    }
    bool tracing() const noexcept { return static_cast<bool>(trace_); }
    void message_changed() noexcept;  // the testsuite put another message in place

private:
    struct Frame {
        std::uint32_t unit;
        std::vector<std::string> variables;
    };
    struct Loop {
        std::uint32_t part;  // of mail's structure
    };
    friend class Matcher;
    static constexpr std::uint64_t kAsked = 16'384;  // bytes looked at that a question to the host counts as

    // control.cpp
    Flow command(const Node& node);
    Flow execute(const Node& node);
    Flow include(const Node& node);
    Flow foreverypart(const Node& node);
    std::string& variable(std::uint32_t index);
    bool store(const Node& node, std::string value);  // into the variable that the node names
    std::string modified(const Node& node, std::string value);
    void set_flags(const Node& node);
    std::vector<std::string> flags_of(const Texts& names);
    void take_words(std::vector<std::string>& flags, std::string_view words);  // add_flags, paid for
    void trace_test(const Node& node, bool result);
    std::string shown(const Node& node);
    const Unit& unit() const noexcept { return program_.units[frames_.back().unit]; }

    // tests.cpp
    bool evaluate(const Node& node);
    bool address(const Node& node);
    bool envelope(const Node& node);
    bool exists(const Node& node);
    bool header(const Node& node);
    bool hasflag(const Node& node);
    bool string(const Node& node);
    bool date(const Node& node);
    bool currentdate(const Node& node);
    bool environment(const Node& node);
    bool metadata(const Node& node);
    bool duplicate(const Node& node);
    bool spam(const Node& node);
    bool body(const Node& node);
    bool address_value(class Matcher& matcher, const Node& node, std::string_view local, std::string_view domain);
    // The fields named NAMES that the node is about, its :index, :mime and loop counted in; TAKE returns true to stop.
    bool each_field(const Node& node, const Texts& names,
                    const std::function<bool(std::string_view name, HeaderField& field)>& take);
    std::vector<std::uint32_t> parts_of(const Node& node);
    // The part that the innermost loop is at; the message itself outside of loops, and where a rewrite took the part
    // away.
    std::uint32_t part_here();

    // actions.cpp
    bool act(const Node& node, Action action);
    bool keep(const Node& node);
    bool fileinto(const Node& node);
    bool redirect(const Node& node);
    bool reject(const Node& node);
    bool vacation(const Node& node);
    bool notify(const Node& node);
    bool addheader(const Node& node);
    bool may_be_added(std::string_view name);
    bool deleteheader(const Node& node);
    bool extracttext(const Node& node);
    bool replace(const Node& node);
    bool enclose(const Node& node);
    bool take_flags(const Node& node, Store& store);
    std::optional<Fcc> fcc(const Node& node);
    int edition();
    bool rewritten(const Node& node);  // counts the copy that replace or enclose made
    std::string why_no_response(const Node& node);

    const Script::Program& program_;
    const Facts* facts_;
    Mail* mail_;
    Host* host_;
    const Limits& limits_;
    Outcome& outcome_;
    const Trace& trace_;
    Bench* bench_;

    Budget budget_;
    std::vector<Frame> frames_;
    std::vector<std::string> globals_;
    std::vector<std::string> matched_;  // ${0}, ${1}…
    std::vector<std::string> flags_;    // the internal variable of imap4flags
    std::vector<bool> included_;        // for include :once
    std::vector<Loop> loops_;
    std::uint64_t breaks_ = 0;  // loops that a break has still to leave
    std::uint64_t memory_ = 0, copied_ = 0;
    unsigned depth_ = 0, noted_version_ = 0, rewrites_ = 0;
    bool failed_ = false;
    std::string detail_;  // of the test that is traced

    friend Outcome run_units(const std::vector<const Script::Program*>&, const Facts&, std::string_view, Host&,
                             const Limits&, const Trace&);
};

// Feeds one test's values to its keys (RFC 5228, 2.7.1; RFC 5231, 5).
class Matcher {
public:
    // CAPTURES: a match sets ${1} and so on, where the script has variables.
    Matcher(Machine& machine, const Node& node, const Texts& keys, bool captures = true);
    bool value(std::string_view value);  // true: it matched, and no more values are wanted
    bool finish();                       // after all values: the result

private:
    bool one(std::string_view value, std::string_view key, const Text& text);
    void remember(const Captures& captures);

    Machine& machine_;
    const Node& node_;
    const Texts& keys_;
    bool captures_, matched_ = false;
    std::uint64_t count_ = 0;
    std::vector<std::string> expanded_;  // of keys that hold variables
    Captures found_;
};

}  // namespace gk::sieve
