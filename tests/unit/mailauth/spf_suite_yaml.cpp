// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <cstdlib>
#include <functional>

#include "common/base/text.hpp"
#include "common/os/file.hpp"
#include "tests/unit/mailauth/spf_suite.hpp"

// Reads as much of YAML as the public suite uses: documents of two levels of mappings, scalars plain, quoted and
// folded, and lists in brackets.
namespace gk::mailauth::spf {
namespace {

struct Line {
    std::size_t indent;
    std::string text;
};

std::string suite_path() {
    if (const char* given = std::getenv("GK_SPF_SUITE")) return given;
    const std::string parent = source_directory() + "/..";
    const auto entries = os::list_directory(parent);
    for (const auto& entry : entries ? *entries : std::vector<os::DirEntry>())
        if (const auto path = parent + '/' + entry.name + "/data/rfc7208-tests.yml"; os::exists(path)) return path;
    return {};
}

std::string double_quoted(std::string_view s) {
    std::string out;
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (s[i] != '\\' || i + 1 == s.size()) {
            out += s[i];
            continue;
        }
        switch (s[++i]) {
            case 'x':
                out += text::from_hex(s.substr(i + 1, 2)).value_or("");
                i += 2;
                break;
            case '0': out += '\0'; break;
            case 'n': out += '\n'; break;
            case 'r': out += '\r'; break;
            case 't': out += '\t'; break;
            default: out += s[i];
        }
    }
    return out;
}

std::string scalar(std::string_view s) {
    s = text::trim(s);
    if (s.size() >= 2 && s.front() == '"' && s.back() == '"') return double_quoted(s.substr(1, s.size() - 2));
    if (s.size() >= 2 && s.front() == '\'' && s.back() == '\'')
        return text::replace_all(s.substr(1, s.size() - 2), "''", "'");
    if (s.starts_with(">-") || s.starts_with("|-")) s = text::trim(s.substr(2));
    else if (s.starts_with("|") || s.starts_with(">")) s = text::trim(s.substr(1));
    return std::string(s);
}

std::vector<std::string> list(std::string_view s) {
    s = text::trim(s);
    if (!s.starts_with('[')) return {scalar(s)};
    s = text::trim(s.substr(1, s.size() - 2));
    std::vector<std::string> out;
    std::size_t begin = 0;
    char quote = 0;
    for (std::size_t i = 0; i <= s.size() && !s.empty(); ++i) {
        const char c = i < s.size() ? s[i] : ',';
        if (quote ? c == quote : (c == '"' || c == '\'')) quote = quote ? '\0' : c;
        if (c != ',' || quote) continue;
        out.push_back(scalar(s.substr(begin, i - begin)));
        begin = i + 1;
    }
    return out;
}

// Entries of one document at indent 4, with what is folded below them.
void read_document(
    const std::vector<Line>& lines, std::size_t& at,
    const std::function<void(std::string_view section, std::string_view name, const std::string& entry)>& sink) {
    std::string section, name;
    while (at < lines.size() && lines[at].text != "---") {
        const Line& line = lines[at++];
        if (line.indent > 0 && line.indent < 4 && line.text.ends_with(':')) {
            name = scalar(std::string_view(line.text).substr(0, line.text.size() - 1));
            continue;
        }
        std::string entry = line.text;
        const std::size_t indent = line.indent;
        while (at < lines.size() && lines[at].indent > indent && indent >= 4) entry += ' ' + lines[at++].text;
        if (indent == 0 && entry.ends_with(':')) section = entry;
        if (indent >= 4) sink(section, name, entry);
    }
    ++at;
}

std::vector<Line> read_lines(std::string_view yaml) {
    std::vector<Line> lines;
    for (const auto raw : text::split(yaml, '\n')) {
        const auto trimmed = text::trim(raw);
        if (trimmed.empty() || trimmed.starts_with('#')) continue;
        lines.push_back({raw.find_first_not_of(' '), std::string(trimmed)});
    }
    return lines;
}

void add_record(DnsTable& zone, std::map<std::string, std::vector<std::string>>& spf, std::set<std::string>& txt,
                const std::string& name, std::string_view entry) {
    entry = text::trim(entry.substr(1));
    if (entry == "TIMEOUT") return zone.add_failure(name, "*");
    const auto colon = entry.find(':');
    const std::string type(entry.substr(0, colon));
    const auto parts = list(entry.substr(colon + 1));
    if (type == "MX") {
        zone.add(name, type, parts.size() == 2 ? parts[0] + ' ' + parts[1] : "0 ");
    } else if (type == "SPF") {
        spf[name].push_back(text::join(parts, ""));
    } else if (type == "TXT") {
        txt.insert(name);
        if (parts != std::vector<std::string>{"NONE"}) zone.add(name, type, text::join(parts, ""));
    } else {
        zone.add(name, type, parts.empty() ? "" : parts[0]);
    }
}

}  // namespace

std::vector<SuiteCase> public_cases() {
    const std::string path = suite_path();
    const auto yaml = path.empty() ? Result<std::string>(std::string()) : os::read_file(path);
    if (!yaml) return {};
    const auto lines = read_lines(*yaml);
    std::vector<SuiteCase> cases;
    for (std::size_t at = 0; at < lines.size();) {
        auto zone = std::make_shared<DnsTable>();
        std::map<std::string, std::vector<std::string>> spf;
        std::set<std::string> txt;
        std::map<std::string, SuiteCase> tests;
        read_document(lines, at, [&](std::string_view section, std::string_view name, const std::string& entry) {
            if (section == "zonedata:") return add_record(*zone, spf, txt, std::string(name), entry);
            if (section != "tests:") return;
            SuiteCase& each = tests[std::string(name)];
            const auto colon = entry.find(':');
            const auto key = entry.substr(0, colon), value = entry.substr(colon + 1);
            if (key == "host") each.ip = scalar(value);
            if (key == "helo") each.helo = scalar(value);
            if (key == "mailfrom") each.mail_from = scalar(value);
            if (key == "result") each.results = list(value);
            if (key == "explanation") each.explanation = scalar(value);
        });
        // The suite's records of the obsolete type SPF stand for TXT where a name has none of those (see its head).
        for (const auto& [name, records] : spf)
            if (!txt.contains(name))
                for (const auto& record : records) zone->add(name, "TXT", record);
        for (auto& [name, each] : tests) {
            each.name = name;
            each.zone = zone;
            cases.push_back(std::move(each));
        }
    }
    return cases;
}

}  // namespace gk::mailauth::spf
