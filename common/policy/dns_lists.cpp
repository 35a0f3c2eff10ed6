// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/mailauth/ip.hpp"
#include "common/mailauth/iprev.hpp"
#include "common/policy/policy.hpp"

namespace gk::policy {

namespace {

using mailauth::Ip;

std::optional<std::uint32_t> number_of(std::string_view ip) {
    const auto parsed = Ip::parse(ip);
    if (!parsed || parsed->v6) return std::nullopt;
    std::uint32_t number = 0;
    for (int i = 0; i < 4; ++i) number = number << 8 | parsed->octets[static_cast<std::size_t>(i)];
    return number;
}

constexpr std::uint32_t kLoopback = 127u << 24;
bool is_loopback(std::uint32_t number) noexcept { return number >> 24 == 127; }
// Lists use it to say that they do not answer this resolver, or that it asks too much; it never means "listed".
bool is_error(std::uint32_t number) noexcept { return number >> 8 == ((kLoopback | 255u << 16 | 255u << 8) >> 8); }

}  // namespace

Result<DnsList> DnsList::parse(const std::string& zone, std::string_view text) {
    DnsList list{zone, {}};
    const auto bad = [&](std::string_view word) {
        return fail(Errc::Config, fmt::format("gate.dns_lists: '{}' of {} is no score, nor ADDRESS=SCORE",
                                              text::printable(word), zone));
    };
    const auto score_of = [](std::string_view word) -> std::optional<int> {
        const auto number = text::to_int(word);
        if (!number || std::abs(*number) > 1000) return std::nullopt;
        return static_cast<int>(*number);
    };
    for (const auto word : text::words(text)) {
        const auto equals = word.find('=');
        if (equals == std::string_view::npos) {
            const auto score = score_of(word);
            if (!score) return bad(word);
            list.ranges.push_back({kLoopback, kLoopback | 0xFFFFFF, *score});
            continue;
        }
        const auto score = score_of(word.substr(equals + 1));
        const auto span = word.substr(0, equals);
        const auto dash = span.find('-');
        const auto from = number_of(span.substr(0, dash));
        if (!score || !from || !is_loopback(*from)) return bad(word);
        std::uint32_t to = *from;
        if (dash != std::string_view::npos) {
            const auto last = text::to_uint(span.substr(dash + 1));
            if (!last || *last > 255 || *last < (*from & 255)) return bad(word);
            to = (*from & ~255u) | static_cast<std::uint32_t>(*last);
        }
        list.ranges.push_back({*from, to, *score});
    }
    if (list.ranges.empty()) return bad(text);
    return list;
}

std::string question_for(std::string_view ip, std::string_view zone) {
    const auto parsed = Ip::parse(ip);
    if (!parsed) return {};
    const Ip plain = parsed->without_mapping();
    std::string name;
    if (!plain.v6) {
        for (int i = 3; i >= 0; --i) name += std::to_string(plain.octets[static_cast<std::size_t>(i)]) + ".";
    } else {
        constexpr std::string_view hex = "0123456789abcdef";
        for (int i = 15; i >= 0; --i) {
            const auto octet = plain.octets[static_cast<std::size_t>(i)];
            name += {hex[octet & 15], '.', hex[octet >> 4], '.'};
        }
    }
    return name + std::string(zone);
}

std::optional<Verdict> judge_answer(const DnsList& list, const std::vector<std::string>& answers) {
    std::optional<Verdict> worst;
    for (const auto& answer : answers) {
        const auto number = number_of(answer);
        // RFC 5782, 2.1: only 127.0.0.0/8 means anything; else the domain is for sale, or a resolver rewrites.
        if (!number || !is_loopback(*number))
            return Verdict{"dnsbl", "error", 0,
                           fmt::format("{} answers {}: it is no list any more", list.zone, answer)};
        if (is_error(*number))
            return Verdict{"dnsbl", "error", 0, fmt::format("{} refuses to answer us ({})", list.zone, answer)};
        for (const auto& range : list.ranges) {
            if (*number < range.from || *number > range.to) continue;
            if (!worst || std::abs(range.score) > std::abs(worst->score))
                worst = Verdict{"dnsbl", range.score < 0 ? "allowed" : "listed", range.score,
                                fmt::format("{} says {}", list.zone, answer)};
            break;
        }
    }
    return worst;
}

bool Options::wants_dns() const noexcept {
    return mode != Mode::Off && (!dns_lists.empty() || score_no_name != 0 || score_wrong_name != 0);
}

std::vector<Verdict> ask_dns(const Options& options, std::string_view ip, mailauth::DnsSource& dns) {
    std::vector<Verdict> verdicts;
    const auto parsed = Ip::parse(ip);
    if (!parsed || !options.wants_dns()) return verdicts;
    dns.set_deadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(options.dns_time_ms));
    for (const auto& list : options.dns_lists) {
        const auto found = dns.a(question_for(ip, list.zone));
        if (found.found()) {
            if (auto verdict = judge_answer(list, found.records)) verdicts.push_back(std::move(*verdict));
        } else if (found.outcome == mailauth::Outcome::TempError) {
            verdicts.push_back({"dnsbl", "error", 0, fmt::format("{} does not answer", list.zone)});
        }
    }
    if (options.score_no_name == 0 && options.score_wrong_name == 0) return verdicts;
    const auto name = mailauth::check_iprev(parsed->without_mapping(), dns);
    if (name.verdict == mailauth::IprevVerdict::PermError)
        verdicts.push_back({"rdns", "none", options.score_no_name, "the address has no name"});
    else if (name.verdict == mailauth::IprevVerdict::Fail)
        verdicts.push_back({"rdns", "wrong", options.score_wrong_name, "the address's name does not lead back to it"});
    return verdicts;
}

}  // namespace gk::policy
