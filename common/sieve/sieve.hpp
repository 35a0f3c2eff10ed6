// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "common/sieve/outcome.hpp"

// Sieve, the mail filtering language (RFC 5228): text to a checked program, and a program run over one message. Nothing
// here delivers, sends or stores: run() returns what is to be done, in order, for others to do.
namespace gk::sieve {

// What a script may cost. Each is a bound with an error that names line and column.
struct Limits {
    std::uint64_t script_size = 1u << 20;   // bytes of one script
    std::uint32_t nesting = 32;             // blocks within blocks, and tests within tests (RFC 5228, 2.7.2 wants 15)
    std::uint32_t problems = 20;            // told of one script; after that many it is not read on
    std::uint32_t include_depth = 10;       // scripts that include scripts
    std::uint32_t includes = 255;           // different scripts in one program
    std::uint64_t program_size = 8u << 20;  // bytes of all scripts of one program together
    std::uint64_t steps = 1'000'000;        // commands, tests, values compared, and one for every 256 bytes looked at;
                                            // a question to the mail store counts 64
    std::uint64_t variable_size = 64u << 10;   // bytes of one variable (RFC 5229, 3 wants 4,000 characters)
    std::uint64_t memory = 8u << 20;           // bytes of all variables and edited headers together
    std::uint32_t variables = 128;             // of one script (RFC 5229, 3 wants 128)
    std::uint64_t copied = 192u << 20;         // bytes of all copies of the message that one run makes to change it
    std::uint32_t actions = 32;                // that one run may ask for
    std::uint32_t redirects = 4;               // of those
    std::uint32_t notifications = 4;           // of those
    std::uint64_t regex_memory = 1u << 20;     // bytes that one regular expression may take when compiled
    std::uint64_t regexes_memory = 32u << 20;  // that all constant ones of a program may take
    std::uint32_t nodes = 200'000;             // commands, tests and strings of one program
    std::uint64_t body_size = 8u << 20;      // decoded bytes of a message's parts that body, extracttext and others see
    std::int64_t vacation_least_s = 86'400;  // the shortest time between two responses to one address
    std::int64_t vacation_default_s = 7 * 86'400;
    std::int64_t vacation_most_s = 60 * 86'400;
    std::int64_t duplicate_default_s = 7 * 86'400;
    std::int64_t duplicate_most_s = 30 * 86'400;
};

struct Position {
    std::uint32_t line = 1, column = 1;  // from 1; columns count characters
    bool operator==(const Position&) const = default;
};

struct Problem {
    Position at;
    std::string script;  // the name of the included script that it is in; empty: the script itself
    std::string text;    // lower case, no full stop
    std::string format(std::string_view name = {}) const;  // "NAME:LINE:COLUMN: text"
};

// Where include (RFC 6609) finds its scripts, when a program is compiled. Called by compile() alone.
class Includes {
public:
    virtual ~Includes() = default;
    enum class Place : unsigned char { Personal, Global };
    // The script's text, or nothing where there is none of that name.
    virtual std::optional<std::string> find(Place place, std::string_view name) = 0;
};

// What the compiler knows of extensions: a set, as configured.
class Extensions {
public:
    static Extensions all();   // everything that is complete: what ManageSieve advertises for delivery
    static Extensions none();  // the base alone
    // NAME on or off; false where there is no such extension.
    bool set(std::string_view name, bool on);
    bool has(std::string_view name) const;
    std::vector<std::string_view> names() const;  // sorted
    std::string joined() const;                   // with spaces: the value of ManageSieve's SIEVE (RFC 5804, 1.7)

    std::uint64_t bits = 0;
};

// A compiled program: immutable, shared between threads, holds nothing of the text it came from.
class Script {
public:
    struct Included {
        Includes::Place place;
        std::string name;
        bool found;
    };
    struct Program;
    explicit Script(std::unique_ptr<const Program> program);
    ~Script();
    Script(const Script&) = delete;
    Script& operator=(const Script&) = delete;

    const Program& program() const noexcept { return *program_; }
    const std::vector<Included>& includes() const noexcept;  // what a cache compares before it uses this again
    std::vector<std::string> required() const;               // the extensions that it names

private:
    std::unique_ptr<const Program> program_;
};

struct Dialect {
    Limits limits = {};
    Extensions extensions = Extensions::all();
    Includes* includes = nullptr;  // null: include is checked, and fails when it is run
    bool testsuite = false;        // vnd.dovecot.testsuite may be required: for gk-sieve testsuite
};

// Every error that can be told at once, with its place, or the program. Costs time linear in TEXT and what it includes.
tl::expected<std::shared_ptr<const Script>, std::vector<Problem>> compile(std::string_view text, const Dialect& = {});

// What the script may ask about this delivery. All views must outlive the run.
struct Facts {
    std::string_view reverse_path;           // without angle brackets; empty: the null reverse-path
    std::string_view recipient;              // as the envelope had it, detail included
    std::string_view original_recipient;     // what the sender wrote (ORCPT), where it is known
    std::vector<std::string> own_addresses;  // all that reach the account: whom vacation answers for
    std::string_view own_name;               // for From of what vacation sends; may be empty
    std::string_view subaddress_delimiter = "+";
    std::string_view default_mailbox = "INBOX";  // where keep stores; for IMAP events the mailbox it lies in
    std::string_view host_name, domain;          // environment "host", "domain" (RFC 5183)
    std::string_view remote_host, remote_ip;     // of the client that brought the message, where it is known
    std::string_view location = "MDA", phase = "during";
    std::vector<std::string> flags;  // that the message has already: IMAP events (RFC 6785)
    std::int64_t now_s = 0;          // Unix seconds; 0: the clock's
    std::optional<int> zone_min;     // east of UTC; nothing: the machine's zone
};

// Questions that only the mail store or the gate can answer. The defaults know of nothing.
class Host {
public:
    virtual ~Host() = default;
    virtual bool mailbox_exists(std::string_view mailbox);  // and may be delivered to (RFC 5490, 3.1)
    // An annotation of MAILBOX, of the server where it is empty (RFC 5490, 3.3 and 4). Nothing: there is none.
    virtual std::optional<std::string> metadata(std::string_view mailbox, std::string_view annotation);
    // Some mailbox, or MAILBOX where it is not empty, has this special use (RFC 8579, 4).
    virtual bool special_use_exists(std::string_view mailbox, std::string_view attribute);
    // Whether ID was remembered before and is still within its time (RFC 7352); what is to be remembered is in
    // Outcome::remember.
    virtual bool seen(std::string_view id);
    // 0 to 100, nothing where the message was not looked at (RFC 5235, 2).
    virtual std::optional<double> spam_percent();
    virtual std::optional<int> virus_value();  // 1 to 5 (RFC 5235, 3)
    // An item of environment that Facts does not hold: "imap.cause", "vnd.…".
    virtual std::optional<std::string> environment(std::string_view name);
    // Whether VALUE is a member of the list (RFC 6134); nothing: there is no such list.
    virtual std::optional<bool> in_list(std::string_view list, std::string_view value);
};

// One line of a trace: what was done or asked, with its values, and what came of it.
struct Step {
    Position at;
    std::string_view script;  // included script, or empty
    unsigned depth;           // blocks and tests that it is in
    std::string what;         // "header :contains \"Subject\" \"x\"", "fileinto \"x\""
    std::string detail;       // values that were looked at, with the result
};
using Trace = std::function<void(const Step&)>;

// Runs SCRIPT over MESSAGE (the whole of it, LF or CRLF). Never throws and never fails: an error at run time is in the
// outcome, whose only action then is the keep that RFC 5228, 2.10.6 asks for. Thread-safe for one Script.
Outcome run(const Script& script, const Facts& facts, std::string_view message, Host& host, const Limits& limits = {},
            const Trace& trace = {});

// Several scripts one after the other, as an administrator's before the account's own: the next is run where the
// implicit keep of the one before is still in force, and actions add up (the last one's implicit keep counts). One that
// fails has asked for nothing but the keep; the others are not touched by that.
Outcome run_all(const std::vector<std::shared_ptr<const Script>>& scripts, const Facts& facts, std::string_view message,
                Host& host, const Limits& limits = {}, const Trace& trace = {});

}  // namespace gk::sieve
