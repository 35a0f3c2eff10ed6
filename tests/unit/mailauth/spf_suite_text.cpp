// SPDX-License-Identifier: MIT
#include <cstdlib>
#include <stdexcept>

#include "common/base/text.hpp"
#include "common/os/file.hpp"
#include "tests/unit/mailauth/spf_suite.hpp"

namespace gk::mailauth::spf {
namespace {

// "case NAME: IP HELO MAILFROM = RESULT[|RESULT] [EXPLANATION]"; "<>" is the null reverse-path.
SuiteCase parse_case(std::string_view line, const std::string& file) {
    const auto colon = line.find(": "), equals = line.find(" = ");
    if (colon == std::string_view::npos || equals == std::string_view::npos)
        throw std::runtime_error("tests/data/spf/" + file + ": not a case: " + std::string(line));
    SuiteCase each;
    each.name = std::string(line.substr(5, colon - 5));
    const auto facts = text::words(line.substr(colon + 1, equals - colon - 1));
    if (facts.size() != 3)
        throw std::runtime_error("tests/data/spf/" + file + ": three facts are needed: " + std::string(line));
    each.ip = facts[0];
    each.helo = facts[1];
    each.mail_from = facts[2] == "<>" ? "" : facts[2];
    auto answer = line.substr(equals + 3);
    const auto blank = std::min(answer.find(' '), answer.size());
    for (const auto result : text::split(answer.substr(0, blank), '|')) each.results.emplace_back(result);
    each.explanation = text::trim(answer.substr(blank));
    return each;
}

}  // namespace

std::string source_directory() {
    if (const char* given = std::getenv("GK_SOURCE_DIR")) return given;
    const std::string here = __FILE__;
    return here.substr(0, here.rfind("/tests/unit/"));
}

std::vector<SuiteCase> own_cases() {
    std::vector<SuiteCase> cases;
    const std::string folder = source_directory() + "/tests/data/spf";
    auto entries = os::list_directory(folder);
    if (!entries) throw std::runtime_error(entries.error().text);
    std::sort(entries->begin(), entries->end(), [](const auto& x, const auto& y) { return x.name < y.name; });
    for (const auto& entry : *entries) {
        if (!entry.name.ends_with(".txt")) continue;
        const auto content = os::read_file(folder + '/' + entry.name);
        if (!content) throw std::runtime_error(content.error().text);
        auto zone = std::make_shared<DnsTable>();
        const std::string section = entry.name.substr(0, entry.name.size() - 4);
        for (const auto line : text::split(*content, '\n')) {
            if (line.starts_with("case ")) {
                cases.push_back(parse_case(line, entry.name));
                cases.back().name = section + '_' + cases.back().name;
                cases.back().zone = zone;
            } else if (const auto status = zone->add_line(line); !status) {
                throw std::runtime_error(entry.name + ": " + status.error().text + ": " + std::string(line));
            }
        }
    }
    return cases;
}

}  // namespace gk::mailauth::spf
