// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/text.hpp"

// Dialogues as files (tests/protocol/PROTOCOL/*.txt), replayed in process: "C: line", "C- bytes without CRLF", "S:
// line", "S~ regex for a whole line", "# comment". Escapes in what the client says: \xNN \r \n \0 \\. The same files
// are replayed against the programs that run (dialogues.py), but for those that say "# only in process: why". "# with:
// key=value …": settings.
namespace gk::test {

struct Transcript {
    std::string name, said;  // all that the client says
    std::vector<std::pair<std::string, std::string>> with;
    struct Expected {
        std::string text;
        bool regex;
        std::size_t line;
    };
    std::vector<Expected> expected;
};

inline std::string unescape(std::string_view s) {
    std::string out;
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (s[i] != '\\' || i + 1 == s.size()) {
            out += s[i];
            continue;
        }
        switch (s[++i]) {
            case 'r': out += '\r'; break;
            case 'n': out += '\n'; break;
            case '0': out += '\0'; break;
            case 'x': {
                const auto byte = text::from_hex(s.substr(i + 1, 2));
                out += byte.value_or("?");
                i += 2;
                break;
            }
            default: out += s[i];
        }
    }
    return out;
}

inline Transcript read_transcript(const std::string& path) {
    Transcript transcript;
    transcript.name = std::filesystem::path(path).filename();
    std::ifstream file(path);
    std::string line;
    for (std::size_t number = 1; std::getline(file, line); ++number) {
        if (line.starts_with("# with: ")) {
            for (const auto pair : text::split(std::string_view(line).substr(8), ' ')) {
                const auto equals = pair.find('=');
                transcript.with.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
            }
        }
        if (line.empty() || line[0] == '#') continue;
        const std::string text = line.size() > 3 ? line.substr(3) : "";
        if (line.starts_with("C:")) transcript.said += unescape(text) + "\r\n";
        else if (line.starts_with("C-")) transcript.said += unescape(text);
        else if (line.starts_with("S:")) transcript.expected.push_back({text, false, number});
        else if (line.starts_with("S~")) transcript.expected.push_back({text, true, number});
        else ADD_FAILURE() << path << ':' << number << ": neither C nor S";
    }
    return transcript;
}

inline std::vector<Transcript> read_transcripts(const std::string& directory) {
    std::vector<Transcript> all;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error))
        if (entry.path().extension() == ".txt") all.push_back(read_transcript(entry.path()));
    EXPECT_FALSE(all.empty()) << "no transcripts in " << directory;
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return all;
}

inline std::string source_directory() {
    const char* const dir = std::getenv("GK_SOURCE_DIR");
    return dir != nullptr ? dir : ".";
}

inline void expect_said(const Transcript& transcript, const std::string& heard) {
    std::size_t at = 0, n = 0;
    while (at < heard.size()) {
        const auto end = heard.find("\r\n", at);
        ASSERT_NE(end, std::string::npos) << transcript.name << ": a reply without CRLF: " << heard.substr(at);
        const std::string line = heard.substr(at, end - at);
        at = end + 2;
        ASSERT_LT(n, transcript.expected.size()) << transcript.name << ": unexpected: " << line;
        const auto& expected = transcript.expected[n++];
        if (expected.regex)
            EXPECT_TRUE(std::regex_match(line, std::regex(expected.text)))
                << transcript.name << ':' << expected.line << ": got " << line;
        else EXPECT_EQ(line, expected.text) << transcript.name << ':' << expected.line;
    }
    if (n < transcript.expected.size())
        ADD_FAILURE() << transcript.name << ':' << transcript.expected[n].line
                      << ": never came: " << transcript.expected[n].text;
}

// A dialogue: given bytes, returns replies; begins with the greeting for the first, empty, bytes.
using Dialogue = std::function<std::string(std::string_view)>;

// Replays at once, byte by byte, and cut in two at every place: the replies are the same.
inline void replay_at_every_split(const Transcript& transcript, const std::function<Dialogue()>& begin) {
    const std::string& said = transcript.said;
    Dialogue whole = begin();
    std::string expected = whole("");
    expected += whole(said);
    expect_said(transcript, expected);
    Dialogue bytes = begin();
    std::string heard = bytes("");
    for (const char c : said) heard += bytes({&c, 1});
    EXPECT_EQ(heard, expected) << transcript.name << ", byte by byte";
    for (std::size_t cut = 1; cut < said.size(); ++cut) {
        Dialogue halves = begin();
        std::string both = halves("");
        both += halves(std::string_view(said).substr(0, cut));
        both += halves(std::string_view(said).substr(cut));
        ASSERT_EQ(both, expected) << transcript.name << ", cut at " << cut;
    }
}

}  // namespace gk::test
