// SPDX-License-Identifier: MIT
#include "common/managesieve/session.hpp"

#include <fmt/format.h>
#include <cerrno>

#include "common/base/text.hpp"

namespace gk::managesieve {

using sieve_scripts::Room;

namespace {

constexpr std::size_t kWrittenFirst = 64 * 1024;  // of answers, before the next command is run

}  // namespace

std::string Offered::format() const {
    std::string lines =
        fmt::format("\"IMPLEMENTATION\" {}\r\n\"SASL\" {}\r\n\"SIEVE\" {}\r\n", format_string(implementation),
                    format_string(mechanisms), format_string(extensions));
    if (starttls) lines += "\"STARTTLS\"\r\n";
    if (!notify.empty()) lines += fmt::format("\"NOTIFY\" {}\r\n", format_string(notify));
    lines += fmt::format("\"MAXREDIRECTS\" \"{}\"\r\n", max_redirects);
    if (unauthenticate) lines += "\"UNAUTHENTICATE\"\r\n";
    if (!owner.empty()) lines += fmt::format("\"OWNER\" {}\r\n", format_string(owner));
    return lines + "\"VERSION\" \"1.0\"\r\n";
}

Session::Session(sieve_scripts::Store& store, Judge judge, SessionOptions options)
    : store_(store),
      judge_(std::move(judge)),
      options_(std::move(options)),
      reader_({.line = options_.max_line, .literal = store.limits().size, .skipped = options_.max_skipped}) {}

std::string Session::greet_logged_in(std::string_view sasl_base64) {
    return format_reply("OK", sasl_base64.empty() ? "" : fmt::format("SASL {}", format_string(sasl_base64)),
                        "logged in");
}

std::string Session::greet_preauthenticated() { return on(Capability{}); }

std::string Session::bye(std::string_view code, std::string_view text) {
    if (std::exchange(closed_, true)) return "";
    return format_reply("BYE", code, text);
}

std::string Session::feed(std::string_view bytes) {
    out_.clear();
    has_more_ = false;
    if (closed_ || unauthenticated_) return out_;
    reader_.feed(bytes);
    while (!closed_ && !unauthenticated_) {
        const auto line = reader_.next();
        if (!line) break;
        run(*line);
        has_more_ = out_.size() >= kWrittenFirst && !closed_ && !unauthenticated_;
        if (has_more_) return std::move(out_);
    }
    if (reader_.gave_up() && !closed_) out_ += bye("", "that is too long to be a command");
    if (unauthenticated_ && reader_.waiting() > 0) out_ += bye("", "nothing may be sent behind UNAUTHENTICATE");
    return std::move(out_);
}

void Session::run(const Line& line) {
    const auto command = parse_command(line);
    if (!command) {
        out_ += format_reply("NO", "", command.error().text);
        if (++errors_ >= options_.max_errors) out_ += bye("", "too many commands that make no sense");
        return;
    }
    errors_ = 0;
    ++commands_;
    out_ += std::visit([this](const auto& c) { return on(c); }, *command);
}

std::string Session::refuse(const Error& error) const {
    switch (error.code) {
        case Errc::NotFound: return format_reply("NO", "NONEXISTENT", error.text);
        case Errc::Exists: return format_reply("NO", "ALREADYEXISTS", error.text);
        case Errc::Denied: return format_reply("NO", "ACTIVE", error.text);
        case Errc::BadInput: return format_reply("NO", "", error.text);
        default: break;
    }
    options_.on_change({.what = "failed", .script = {}, .error = error.text});
    if (error.os_errno == EDQUOT || error.os_errno == ENOSPC)
        return format_reply("NO", "QUOTA", "there is no space left");
    return format_reply("NO", "TRYLATER", "the scripts are not to be had just now");
}

std::string Session::refuse(Room room) const {
    if (room == Room::TooMany)
        return format_reply("NO", "QUOTA/MAXSCRIPTS", fmt::format("there may be {} scripts", store_.limits().scripts));
    return format_reply("NO", "QUOTA/MAXSIZE", fmt::format("a script may have {} octets", store_.limits().size));
}

std::string Session::on(const Capability&) { return options_.offered.format() + format_reply("OK", "", ""); }

std::string Session::on(const Logout&) {
    closed_ = true;
    return format_reply("OK", "", "goodbye");
}

// RFC 5804, 2.13
std::string Session::on(const Noop& noop) {
    return format_reply("OK", noop.tag ? "TAG " + format_string(*noop.tag) : "", "done");
}

std::string Session::on(const HaveSpace& have) {
    const auto room = store_.room_for(have.name, have.size);
    if (!room) return refuse(room.error());
    return *room == Room::Enough ? format_reply("OK", "", "") : refuse(*room);
}

// The reply about a script that is not stored, or "" and GOOD; warnings are said with success (RFC 5804, 1.3).
std::string Session::check(std::string_view script, std::uint64_t dropped, bool& good) {
    good = false;
    if (dropped > 0 || script.size() > store_.limits().size) return refuse(Room::TooLarge);
    const auto judgement = judge_(script);
    if (!judgement.good) return format_reply("NO", "", judgement.errors);
    good = true;
    if (judgement.warnings.empty()) return format_reply("OK", "", "");
    return format_reply("OK", "WARNINGS", judgement.warnings);
}

std::string Session::on(const CheckScript& command) {
    bool good = false;
    return check(command.script, command.dropped, good);
}

std::string Session::on(const PutScript& put) {
    if (const auto name = sieve_scripts::check_name(put.name); !name) return refuse(name.error());
    bool good = false;
    auto reply = check(put.script, put.dropped, good);
    if (!good) return reply;
    const auto stored = store_.put(put.name, put.script);
    if (!stored) return refuse(stored.error());
    if (*stored != Room::Enough) return refuse(*stored);
    options_.on_change({.what = "stored", .script = put.name});
    return reply;
}

std::string Session::on(const ListScripts&) {
    const auto scripts = store_.list();
    if (!scripts) return refuse(scripts.error());
    std::string lines;
    for (const auto& script : *scripts) lines += format_string(script.name) + (script.active ? " ACTIVE\r\n" : "\r\n");
    return lines + format_reply("OK", "", "");
}

std::string Session::on(const SetActive& set) {
    const auto done = store_.activate(set.name);
    if (!done) return refuse(done.error());
    options_.on_change({.what = "activated", .script = set.name});
    return format_reply("OK", "", "");
}

std::string Session::on(const GetScript& get) {
    const auto script = store_.get(get.name);
    if (!script) return refuse(script.error());
    return fmt::format("{{{}}}\r\n{}\r\n", script->size(), *script) + format_reply("OK", "", "");
}

std::string Session::on(const DeleteScript& command) {
    const auto done = store_.remove(command.name);
    if (!done) return refuse(done.error());
    options_.on_change({.what = "removed", .script = command.name});
    return format_reply("OK", "", "");
}

std::string Session::on(const RenameScript& rename) {
    const auto done = store_.rename(rename.from, rename.to);
    if (!done) return refuse(done.error());
    options_.on_change({.what = "renamed", .script = rename.from, .to = rename.to});
    return format_reply("OK", "", "");
}

// RFC 5804, 2.14.1: TLS stays, and the front asks for a login again.
std::string Session::on(const Unauthenticate&) {
    if (!options_.offered.unauthenticate) return format_reply("NO", "", "UNAUTHENTICATE is not offered here");
    unauthenticated_ = true;
    return format_reply("OK", "", "");
}

std::string Session::on(const Authenticate&) { return format_reply("NO", "", "you are logged in already"); }
std::string Session::on(const StartTls&) { return format_reply("NO", "", "STARTTLS comes before the login"); }

}  // namespace gk::managesieve
