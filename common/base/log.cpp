// SPDX-License-Identifier: MIT
#include "common/base/log.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <atomic>
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/base/time.hpp"

namespace gk::log {

namespace {

enum class Format { Json, Text, Journal };

struct Sink {
    std::string program = "gk";
    Format format = Format::Json;
    std::atomic<Level> least{Level::Info};
};

Sink& sink() {
    static Sink instance;
    return instance;
}

constexpr const char* kLevelNames[] = {"debug", "info", "warning", "error"};
constexpr int kSyslogLevels[] = {7, 6, 4, 3};

// systemd sets JOURNAL_STREAM to device:inode of the stream it gave us; a redirected stderr differs.
bool stderr_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
    return stream == fmt::format("{}:{}", status.st_dev, status.st_ino);
}

void write_line(std::string_view line) {
    while (!line.empty()) {
        const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;  // nowhere left to complain
        line.remove_prefix(static_cast<std::size_t>(n));
    }
}

}  // namespace

void open(std::string_view program, Level least) {
    sink().program = program;
    sink().least = least;
    const char* wish = std::getenv("GK_LOG");
    const std::string_view wanted = wish ? wish : "";
    if (wanted == "json") sink().format = Format::Json;
    else if (wanted == "text") sink().format = Format::Text;
    else if (wanted == "journal" || stderr_is_journal()) sink().format = Format::Journal;
    else sink().format = ::isatty(STDERR_FILENO) ? Format::Text : Format::Json;
}

void set_level(Level least) noexcept { sink().least = least; }

std::string json_string(std::string_view s) {
    std::string out;
    out.reserve(s.size() + 2);
    out += '"';
    for (std::size_t i = 0; i < s.size();) {
        const auto plain = std::find_if(s.begin() + static_cast<std::ptrdiff_t>(i), s.end(), [](char byte) {
            return byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\';
        });
        const auto end = static_cast<std::size_t>(plain - s.begin());
        out += s.substr(i, end - i);
        if ((i = end) == s.size()) break;
        const auto c = static_cast<unsigned char>(s[i]);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += s[i++];
        } else if (c == '\n') {
            out += "\\n";
            ++i;
        } else if (c < 0x20 || c == 0x7f) {
            out += fmt::format("\\u{:04x}", c);
            ++i;
        } else {
            const std::size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
            if (text::is_utf8(s.substr(i, length))) {
                out += s.substr(i, length);
                i += length;
            } else {
                out += "\xEF\xBF\xBD";
                ++i;
            }
        }
    }
    return out += '"';
}

Event::Event(std::string_view name, Level level)
    : name_(name), level_(level), wanted_(level >= sink().least.load(std::memory_order_relaxed)) {}

Event& Event::field(std::string_view name, std::string_view value) {
    if (wanted_) fields_.push_back({std::string(name), std::string(value), true});
    return *this;
}

Event& Event::field(std::string_view name, bool value) {
    if (wanted_) fields_.push_back({std::string(name), value ? "true" : "false", false});
    return *this;
}

Event& Event::number(std::string_view name, std::int64_t value) {
    if (wanted_) fields_.push_back({std::string(name), std::to_string(value), false});
    return *this;
}

Event::~Event() {
    if (!wanted_) return;
    std::string line;
    if (sink().format == Format::Json) {
        line = fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",\"program\":{},\"pid\":{},\"event\":{}",
                           format_rfc3339(now(), true), kLevelNames[static_cast<int>(level_)],
                           json_string(sink().program), ::getpid(), json_string(name_));
        for (const auto& f : fields_)
            line += fmt::format(",{}:{}", json_string(f.name), f.quoted ? json_string(f.value) : f.value);
        line += "}\n";
    } else {
        // The journal reads <N> as the priority; its own fields carry time, program and pid.
        if (sink().format == Format::Journal) line = fmt::format("<{}>", kSyslogLevels[static_cast<int>(level_)]);
        else line = fmt::format("{} {} ", format_rfc3339(now()), sink().program);
        if (level_ >= Level::Warning && sink().format == Format::Text)
            line += fmt::format("{}: ", kLevelNames[static_cast<int>(level_)]);
        line += name_;
        for (const auto& f : fields_) line += fmt::format(" {}={}", f.name, f.quoted ? json_string(f.value) : f.value);
        line += '\n';
    }
    write_line(line);
}

}  // namespace gk::log
