// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/managesieve/command.hpp"
#include "common/sieve_scripts/store.hpp"

// ManageSieve (RFC 5804) once somebody is logged in.
namespace gk::managesieve {

// What CAPABILITY says on either side of the login (RFC 5804, 1.7).
struct Offered {
    std::string implementation = "gk";
    std::string extensions;  // of Sieve, apart by spaces
    std::string notify;      // URI schemes of enotify, apart by spaces
    std::uint64_t max_redirects = 0;
    std::string mechanisms;  // SASL, apart by spaces; empty: no more logins
    bool starttls = false, unauthenticate = false;
    std::string owner;           // the account; empty before the login
    std::string format() const;  // the lines, without the OK behind them
};

// What a compiler says of a script: nothing wrong, or lines of errors; and warnings either way.
struct Judgement {
    bool good = true;
    std::string errors, warnings;
};
using Judge = std::function<Judgement(std::string_view script)>;

// For the log: what became of a script, or why it could not.
struct Change {
    std::string_view what;  // "stored", "activated", "removed", "renamed", "failed"
    std::string_view script, to = {}, error = {};
};

struct SessionOptions {
    Offered offered;
    std::function<void(const Change&)> on_change = [](const Change&) {};
    std::size_t max_line = 8192;
    int max_errors = 50;  // lines in a row that make no sense, then BYE
    std::uint64_t max_skipped = 16u << 20;
};

// One dialogue as a value: bytes in, bytes out, any split giving the same. Scripts are read and written at once: an OK
// means durable. Answers to many commands come piece by piece, so that a client that reads none of them makes us hold
// about one script and no more.
class Session {
public:
    // STORE outlives the session.
    Session(sieve_scripts::Store& store, Judge judge, SessionOptions options);

    // The answer to AUTHENTICATE, which the front leaves to us; SASL_BASE64: what the mechanism has to say with
    // success.
    std::string greet_logged_in(std::string_view sasl_base64);
    std::string greet_preauthenticated();  // capabilities, then OK
    std::string feed(std::string_view bytes);
    // Commands wait until what feed() returned was written: then feed("") goes on.
    bool has_more() const noexcept { return has_more_; }
    std::string bye(std::string_view code, std::string_view text);  // a last word of the host's

    bool closed() const noexcept { return closed_; }
    // The client gave up its account. Where it had sent more behind that, closed() too: it may not (RFC 5804, 2.14).
    bool unauthenticated() const noexcept { return unauthenticated_; }
    std::uint64_t commands() const noexcept { return commands_; }

private:
    void run(const Line& line);
    std::string check(std::string_view script, std::uint64_t dropped, bool& good);
    std::string refuse(const Error& error) const;
    std::string refuse(sieve_scripts::Room room) const;
    std::string on(const Capability&);
    std::string on(const Logout&);
    std::string on(const Noop& noop);
    std::string on(const HaveSpace& have);
    std::string on(const PutScript& put);
    std::string on(const CheckScript& check);
    std::string on(const ListScripts&);
    std::string on(const SetActive& set);
    std::string on(const GetScript& get);
    std::string on(const DeleteScript& remove);
    std::string on(const RenameScript& rename);
    std::string on(const Unauthenticate&);
    std::string on(const Authenticate&);
    std::string on(const StartTls&);

    sieve_scripts::Store& store_;
    Judge judge_;
    SessionOptions options_;
    LineReader reader_;
    std::string out_;
    bool closed_ = false, unauthenticated_ = false, has_more_ = false;
    int errors_ = 0;
    std::uint64_t commands_ = 0;
};

}  // namespace gk::managesieve
