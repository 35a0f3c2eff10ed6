// SPDX-License-Identifier: MIT
#include "common/dnscheck/update.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "common/base/text.hpp"
#include "common/dnscheck/check.hpp"
#include "common/dnscheck/run_program.hpp"
#include "common/mailauth/ip.hpp"
#include "common/os/file.hpp"

namespace gk::dnscheck {
namespace {

constexpr std::chrono::seconds kProgramTime{60};
constexpr int kNotMine = 69;

// A DS record is its parent's.
std::string zone_of(const Record& record, Lookups& dns) {
    std::string_view name = record.name;
    if (record.type == dns::Type::Ds) name.remove_prefix(std::min(name.find('.') + 1, name.size()));
    return find_zone(name, dns);
}

std::string primary_of(const std::string& zone, Lookups& dns) {
    const auto& soa = dns.data(zone, dns::Type::Soa);
    return soa.empty() ? std::string() : without_dot(soa[0].substr(0, soa[0].find(' ')));
}

bool is_base64(std::string_view secret) { return !secret.empty() && text::from_base64(secret).has_value(); }

bool is_word(std::string_view word) {
    return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
        return text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '.' || c == '_';
    });
}

Result<UpdateKey> checked(UpdateKey key) {
    if (!is_word(key.algorithm) || !is_word(key.name) || !is_base64(key.secret))
        return fail(Errc::BadInput,
                    "no TSIG key: hmac-sha256:NAME:SECRET is wanted, or a key block as tsig-keygen writes");
    key.algorithm = text::lower(key.algorithm);
    return key;
}

// Adding a CNAME replaces the one that is there (RFC 2136, 3.4.2.2), and some servers pass over one that was deleted in
// the same message.
bool is_replaced(const Record& record, const std::vector<Change>& changes) {
    return record.type == dns::Type::Cname && std::any_of(changes.begin(), changes.end(), [&](const Change& each) {
               return each.op == Change::Op::Add && each.record.type == record.type && each.record.name == record.name;
           });
}

std::string first_lines(std::string_view output) {
    return text::printable(text::trim(text::replace_all(text::trim(output), "\n", "; ")), 300);
}

}  // namespace

std::vector<ZoneChanges> by_zone(const std::vector<Change>& changes, Lookups& dns) {
    std::vector<ZoneChanges> zones;
    for (const auto& change : changes) {
        const std::string name = zone_of(change.record, dns);
        auto at = std::find_if(zones.begin(), zones.end(), [&](const ZoneChanges& z) { return z.zone == name; });
        if (at == zones.end())
            at = zones.insert(zones.end(), {name, name.empty() ? std::string() : primary_of(name, dns), {}});
        at->changes.push_back(change);
    }
    return zones;
}

Result<UpdateKey> parse_update_key(std::string_view whole) {
    std::string plain;  // without comments
    for (const auto line : text::split(whole, '\n')) {
        const auto trimmed = text::trim(line);
        if (!trimmed.starts_with('#') && !trimmed.starts_with("//")) plain += std::string(trimmed) + ' ';
    }
    const auto words = text::words(plain);
    if (words.size() == 1) {
        const auto parts = text::split(words[0], ':');
        if (parts.size() == 3) return checked({std::string(parts[0]), std::string(parts[1]), std::string(parts[2])});
        if (parts.size() == 2) return checked({"hmac-sha256", std::string(parts[0]), std::string(parts[1])});
    }
    std::vector<std::string> tokens;
    std::string token;
    for (const char c : plain + " ") {
        if (!text::is_space(c) && c != '{' && c != '}' && c != ';' && c != '"') {
            token += c;
            continue;
        }
        if (!token.empty()) tokens.push_back(std::exchange(token, {}));
    }
    UpdateKey key;
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
        if (tokens[i] == "key" && key.name.empty()) key.name = tokens[++i];
        else if (tokens[i] == "algorithm") key.algorithm = tokens[++i];
        else if (tokens[i] == "secret") key.secret = tokens[++i];
    }
    return checked(std::move(key));
}

Result<std::pair<std::string, unsigned>> parse_server(std::string_view text) {
    std::string ip(text);
    std::uint64_t port = 53;
    std::string_view number;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        ip = text.substr(1, end == std::string_view::npos ? end : end - 1);
        if (end != std::string_view::npos && end + 2 < text.size()) number = text.substr(end + 2);
    } else if (const auto at = text.find('@'); at != std::string_view::npos) {
        ip = text.substr(0, at);
        number = text.substr(at + 1);
    } else if (std::count(text.begin(), text.end(), ':') == 1) {
        ip = text.substr(0, text.find(':'));
        number = text.substr(text.find(':') + 1);
    }
    if (!number.empty()) port = text::to_uint(number).value_or(0);
    if (!mailauth::Ip::parse(ip) || port == 0 || port > 65535)
        return fail(Errc::BadInput,
                    fmt::format("'{}' is no address such as 192.0.2.1 or 192.0.2.1@5353", text::printable(text, 80)));
    return std::pair{ip, static_cast<unsigned>(port)};
}

std::string update_script(const ZoneChanges& zone, std::string_view server, unsigned port, const UpdateKey* key) {
    std::string out = fmt::format("server {} {}\nzone {}\n", server, port, zone_name(zone.zone));
    if (key != nullptr) out += fmt::format("key {}:{} {}\n", key->algorithm, key->name, key->secret);
    for (const auto& change : zone.changes) {
        const Record& record = change.record;
        if (change.op == Change::Op::Delete && is_replaced(record, zone.changes)) continue;
        if (change.op == Change::Op::Delete)
            out += fmt::format("update delete {} IN {} {}\n", zone_name(record.name), dns::type_name(record.type),
                               zone_data(record));
        else out += fmt::format("update add {}\n", zone_line(record));
    }
    return out + "send\nquit\n";
}

Status send_update(const ZoneChanges& zone, std::string_view server, unsigned port, const UpdateKey* key) {
    const std::string program = find_program({"nsupdate", "knsupdate"});
    if (program.empty())
        return fail(Errc::Unsupported,
                    "neither nsupdate (Debian: bind9-dnsutils) nor knsupdate (knot-dnsutils) is installed");
    // The key goes in by standard input, so that no process list shows it.
    GK_TRY(const Ran ran, run_program({program}, update_script(zone, server, port, key), kProgramTime));
    // knsupdate says some failures only in words.
    const bool complained =
        ran.output.find("ERROR") != std::string::npos || ran.output.find("update failed") != std::string::npos;
    if (ran.code == 0 && !complained) return ok();
    return fail(
        Errc::Denied,
        fmt::format("zone {}: {} did not update it at {}: {}", zone.zone, program.substr(program.rfind('/') + 1),
                    server, ran.output.empty() ? fmt::format("exit {}", ran.code) : first_lines(ran.output)));
}

std::vector<std::string> hooks_in(const std::string& directory) {
    std::vector<std::string> names;
    if (const auto entries = os::list_directory(directory))
        for (const auto& entry : *entries)
            if (!entry.is_directory && entry.name[0] != '.' &&
                ::access((directory + "/" + entry.name).c_str(), X_OK) == 0)
                names.push_back(entry.name);
    std::sort(names.begin(), names.end());
    return names;
}

Status send_by_hooks(const std::string& directory, const ZoneChanges& zone) {
    std::string lines;
    for (const auto& change : zone.changes) lines += change_json(change, zone.zone) + '\n';
    for (const auto& name : hooks_in(directory)) {
        const std::string path = directory + "/" + name;
        GK_TRY(const Ran ran, run_program({path}, lines, kProgramTime));
        if (ran.code == 0) return ok();
        if (ran.code == kNotMine) continue;
        return fail(Errc::Temporary,
                    fmt::format("zone {}: '{}' ended with {}: {}", zone.zone, path, ran.code, first_lines(ran.output)));
    }
    return fail(Errc::NotFound, fmt::format("zone {}: no program in '{}' serves it", zone.zone, directory));
}

std::vector<Change> not_seen(const std::vector<Change>& changes, Lookups& dns) {
    std::vector<Change> out;
    for (const auto& change : changes) {
        const auto& data = dns.data(change.record.name, change.record.type);
        const bool there = std::find(data.begin(), data.end(), change.record.data) != data.end();
        if (there != (change.op == Change::Op::Add)) out.push_back(change);
    }
    return out;
}

}  // namespace gk::dnscheck
