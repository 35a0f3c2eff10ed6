// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/message/header.hpp"
#include "common/os/file.hpp"
#include "common/reports_log/observations.hpp"

namespace gk::reports {
namespace {

// What one string may take, before escaping. A domain has 253 octets; the rest is for people.
constexpr std::size_t kNameLimit = 255, kTextLimit = 200, kWordLimit = 32, kAddressLimit = 48, kUriLimit = 500;
constexpr std::size_t kListLimit = 100;
// 0770: the daemons share the directory's group, and a file's first writer need not be its last.
constexpr unsigned kDirectoryMode = 0770, kFileMode = 0660;

// VALUE without what would be long when escaped: control characters and bytes that are not UTF-8 become "?".
std::string plain(std::string_view value, std::size_t limit) {
    std::string out;
    for (std::size_t i = 0; i < value.size() && out.size() < limit;) {
        const auto c = static_cast<unsigned char>(value[i]);
        const std::size_t length = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        const std::string_view character = value.substr(i, length);
        if (out.size() + length > limit) break;
        const bool good = c >= 0x20 && c != 0x7F && text::is_utf8(character);
        out += good ? character : std::string_view("?");
        i += good ? length : 1;
    }
    return out;
}

// JSON with the members that are not empty. One element of a list is written or left out as a whole.
class Line {
public:
    void add(std::string_view key, std::string_view value, std::size_t limit) {
        if (!value.empty()) member(key) += string(value, limit);
    }
    void add(std::string_view key, bool value) { member(key) += value ? "true" : "false"; }
    void add(std::string_view key, std::int64_t value) { member(key) += std::to_string(value); }
    void add_raw(std::string_view key, const std::string& json) { member(key) += json; }
    std::string object() const { return "{" + out_ + "}"; }

    static std::string string(std::string_view value, std::size_t limit) {
        return log::json_string(plain(value, limit));
    }

private:
    std::string& member(std::string_view key) {
        if (!out_.empty()) out_ += ',';
        out_ += '"';
        out_ += key;
        out_ += "\":";
        return out_;
    }
    std::string out_;
};

struct List {
    std::string key;
    std::vector<std::string> elements;
};

std::string whole(const Line& line, const std::vector<List>& lists) {
    Line full = line;
    for (const auto& list : lists)
        if (!list.elements.empty()) full.add_raw(list.key, "[" + text::join(list.elements, ",") + "]");
    return full.object() + "\n";
}

// Lists are shortened in the order given until the line fits.
Result<std::string> fitted(const Line& line, std::vector<List> lists, const std::vector<std::size_t>& order) {
    for (auto& list : lists)
        if (list.elements.size() > kListLimit) list.elements.resize(kListLimit);
    std::string out = whole(line, lists);
    for (const std::size_t index : order) {
        auto& elements = lists[index].elements;
        while (out.size() > kLineLimit && !elements.empty()) {
            elements.pop_back();
            out = whole(line, lists);
        }
    }
    if (out.size() > kLineLimit) return fail(Errc::BadInput, "an observation does not fit into a line");
    return out;
}

std::vector<std::string> strings(const std::vector<std::string>& list, std::size_t limit) {
    std::vector<std::string> out;
    for (const auto& one : list) {
        if (out.size() == kListLimit) break;
        out.push_back(Line::string(one, limit));
    }
    return out;
}

// A URI that was changed would lead elsewhere: it is left out.
std::vector<std::string> uris(const std::vector<std::string>& list) {
    std::vector<std::string> out;
    for (const auto& one : list)
        if (one.size() <= kUriLimit && out.size() < kListLimit && plain(one, kUriLimit) == one)
            out.push_back(log::json_string(one));
    return out;
}

std::int64_t milliseconds(TimePoint at) {
    return std::chrono::floor<std::chrono::milliseconds>(at).time_since_epoch().count();
}

Status need(std::string_view what, const std::string& value) {
    if (value.empty()) return fail(Errc::BadInput, fmt::format("an observation without {}", what));
    return ok();
}

template <class Observation>
Status append_line(const std::string& dir, Kind kind, Observation observation) {
    if (dir.empty()) return ok();
    if (observation.at == TimePoint{}) observation.at = now();
    GK_TRY(const std::string line, format(observation));
    const auto day = std::chrono::floor<std::chrono::days>(observation.at).time_since_epoch().count();
    const std::string path = dir + "/" + file_name(kind, day);
    auto done = os::append_regular_file(path, line, kFileMode);
    if (!done && done.error().code == Errc::NotFound) {
        GK_CHECK(os::make_directories(dir, kDirectoryMode));
        done = os::append_regular_file(path, line, kFileMode);
    }
    return done;
}

}  // namespace

Result<std::string> format(const DmarcObservation& o) {
    GK_CHECK(need("source_ip", o.source_ip));
    GK_CHECK(need("header_from", o.header_from));
    GK_CHECK(need("policy_domain", o.policy_domain));
    GK_CHECK(need("disposition", o.disposition));
    Line line;
    line.add("v", std::int64_t{1});
    line.add("at_ms", milliseconds(o.at == TimePoint{} ? now() : o.at));
    line.add("source_ip", o.source_ip, kAddressLimit);
    line.add("envelope_from", o.envelope_from, kNameLimit);
    line.add("envelope_to", o.envelope_to, kNameLimit);
    line.add("header_from", o.header_from, kNameLimit);
    line.add("policy_domain", o.policy_domain, kNameLimit);
    line.add("organizational_domain", o.organizational_domain, kNameLimit);
    line.add("p", o.p, kWordLimit);
    line.add("sp", o.sp, kWordLimit);
    line.add("np", o.np, kWordLimit);
    line.add("adkim", o.adkim, kWordLimit);
    line.add("aspf", o.aspf, kWordLimit);
    line.add("t", o.t, kWordLimit);
    line.add("fo", o.fo, kWordLimit);
    line.add("discovery_method", o.discovery_method, kWordLimit);
    line.add("disposition", o.disposition, kWordLimit);
    line.add("dkim_aligned", o.dkim_aligned);
    line.add("spf_aligned", o.spf_aligned);
    if (o.is_report) line.add("is_report", true);
    if (o.spf) {
        Line spf;
        spf.add("domain", o.spf->domain, kNameLimit);
        spf.add("scope", o.spf->scope, kWordLimit);
        spf.add("result", o.spf->result, kWordLimit);
        line.add_raw("spf", spf.object());
    }
    std::vector<List> lists = {{"reasons", {}}, {"dkim", {}}, {"rua", uris(o.rua)}};
    for (const auto& reason : o.reasons) {
        Line one;
        one.add("type", reason.type, kWordLimit);
        one.add("comment", reason.comment, kTextLimit);
        lists[0].elements.push_back(one.object());
    }
    for (const auto& signature : o.dkim) {
        Line one;
        one.add("domain", signature.domain, kNameLimit);
        one.add("selector", signature.selector, kNameLimit);
        one.add("result", signature.result, kWordLimit);
        lists[1].elements.push_back(one.object());
        if (lists[1].elements.size() == kListLimit) break;
    }
    return fitted(line, std::move(lists), {1, 0, 2});
}

Result<std::string> format(const TlsObservation& o) {
    GK_CHECK(need("policy_domain", o.policy_domain));
    GK_CHECK(need("policy_type", o.policy_type));
    GK_CHECK(need("result", o.result));
    Line line;
    line.add("v", std::int64_t{1});
    line.add("at_ms", milliseconds(o.at == TimePoint{} ? now() : o.at));
    line.add("policy_domain", o.policy_domain, kNameLimit);
    line.add("policy_type", o.policy_type, kWordLimit);
    line.add("result", o.result, kWordLimit);
    line.add("sending_ip", o.sending_ip, kAddressLimit);
    line.add("receiving_mx", o.receiving_mx, kNameLimit);
    line.add("receiving_ip", o.receiving_ip, kAddressLimit);
    line.add("receiving_helo", o.receiving_helo, kNameLimit);
    line.add("reason_code", o.reason_code, kTextLimit);
    line.add("additional", o.additional, kTextLimit);
    if (o.is_report) line.add("is_report", true);
    return fitted(line,
                  {{"policy", strings(o.policy, kUriLimit)},
                   {"mx_patterns", strings(o.mx_patterns, kNameLimit)},
                   {"rua", uris(o.rua)}},
                  {0, 1, 2});
}

bool is_report(std::string_view header_block) {
    if (message::find_field(header_block, "TLS-Report-Domain")) return true;
    const auto subject = message::find_field(header_block, "Subject");
    if (!subject) return false;
    // RFC 9990, 3.5.2: the words may be folded; RFC 7489 wrote them in any case.
    const auto words = text::words(*subject);
    return words.size() >= 4 && text::equals_nocase(words[0], "Report") && text::equals_nocase(words[1], "Domain:") &&
           text::equals_nocase(words[3], "Submitter:");
}

std::string file_name(Kind kind, std::int64_t day) {
    const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
    return fmt::format("{}-{:04}{:02}{:02}.jsonl", kind == Kind::Dmarc ? "dmarc" : "tlsrpt",
                       static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()));
}

Status append(const std::string& reports_dir, const DmarcObservation& observation) {
    return append_line(reports_dir, Kind::Dmarc, observation);
}

Status append(const std::string& reports_dir, const TlsObservation& observation) {
    return append_line(reports_dir, Kind::Tls, observation);
}

}  // namespace gk::reports
