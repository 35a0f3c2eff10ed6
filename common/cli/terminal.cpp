// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/cli/render.hpp"
#include "common/os/file.hpp"

namespace gk::cli {

namespace {

std::string& program() {
    static std::string name = "gk";
    return name;
}

std::int64_t monotonic_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

void complain(std::string_view text) {
    const bool colour = stderr_is_terminal() && std::getenv("NO_COLOR") == nullptr;
    fmt::print(stderr, "{}: {}{}{}\n", program(), colour ? "\033[31m" : "", text, colour ? "\033[0m" : "");
}

// Columns a terminal gives to valid UTF-8 without wide characters: enough for our lists.
std::size_t width_of(std::string_view s) {
    return static_cast<std::size_t>(
        std::count_if(s.begin(), s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string for_terminal(std::string_view s) {
    std::string out;
    for (const char c : s) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        else out += c;
    }
    return out;
}

Result<std::string> read_line_hidden(const std::string& prompt) {
    termios before{};
    if (::tcgetattr(STDIN_FILENO, &before) != 0) return fail_errno("cannot read a secret from this terminal");
    termios hidden = before;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    // Before the prompt: what is typed the moment it appears must neither be shown nor be flushed away.
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    fmt::print(stderr, "{}: ", prompt);
    std::string line;
    char c = 0;
    while (::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') line += c;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fmt::print(stderr, "\n");
    return line;
}

}  // namespace

void remember_program(const std::string& name) { program() = name; }

int exit_code(Errc code) noexcept {
    switch (code) {
        case Errc::BadInput: return 65;
        case Errc::NotFound: return 66;
        case Errc::Unsupported: return 69;
        case Errc::Bug: return 70;
        case Errc::Exists: return 73;
        case Errc::Permanent: return 74;
        case Errc::Temporary:
        case Errc::Timeout:
        case Errc::Closed: return 75;
        case Errc::Denied: return 77;
        case Errc::Config: return 78;
    }
    return 70;
}

int fail(const Error& error) {
    complain(error.text);
    return exit_code(error.code);
}

int usage(const std::string& text) {
    complain(text);
    fmt::print(stderr, "try '{} --help'\n", program());
    return 64;
}

bool stdout_is_terminal() noexcept { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() noexcept { return ::isatty(STDERR_FILENO) == 1; }
bool use_colour() noexcept { return stdout_is_terminal() && std::getenv("NO_COLOR") == nullptr; }

Rows::Rows(bool json, std::vector<std::string> columns) : json_(json), columns_(std::move(columns)) {}

void Rows::add(std::vector<Cell> cells) {
    std::string line;
    std::vector<std::string> plain;
    for (std::size_t i = 0; i < cells.size() && i < columns_.size(); ++i) {
        const std::string* words = std::get_if<std::string>(&cells[i]);
        const std::int64_t* number = std::get_if<std::int64_t>(&cells[i]);
        const std::string shown = words != nullptr    ? *words
                                  : number != nullptr ? std::to_string(*number)
                                  : json_             ? (std::get<bool>(cells[i]) ? "true" : "false")
                                                      : (std::get<bool>(cells[i]) ? "yes" : "no");
        if (json_)
            line += fmt::format("{}{}:{}", i > 0 ? "," : "{", log::json_string(columns_[i]),
                                words != nullptr ? log::json_string(shown) : shown);
        else plain.push_back(shown);
    }
    if (json_) {
        fmt::print("{}}}\n", line);
    } else if (stdout_is_terminal()) {
        for (auto& cell : plain) cell = for_terminal(cell);
        held_.push_back(std::move(plain));
    } else {
        for (auto& cell : plain)
            std::replace_if(
                cell.begin(), cell.end(), [](char c) { return c == '\t' || c == '\n'; }, ' ');
        fmt::print("{}\n", text::join(plain, "\t"));
    }
}

Rows::~Rows() {
    if (held_.empty()) return;
    std::vector<std::size_t> widths;
    for (const auto& column : columns_) widths.push_back(column.size());
    for (const auto& row : held_)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    const auto print = [&](const std::vector<std::string>& row) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line.append(widths[i] - width_of(row[i]) + 2, ' ');
        }
        return line;
    };
    const bool colour = use_colour();
    fmt::print("{}{}{}\n", colour ? "\033[1m" : "", print(columns_), colour ? "\033[0m" : "");
    for (const auto& row : held_) fmt::print("{}\n", print(row));
}

Result<std::string> read_secret(const std::string& file, const std::string& prompt, bool twice) {
    std::string secret;
    if (file == "-" || (file.empty() && ::isatty(STDIN_FILENO) == 0)) {
        char c = 0;
        while (::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') secret += c;
    } else if (!file.empty()) {
        GK_TRY(secret, os::read_file(file, 65536));
        secret = secret.substr(0, secret.find('\n'));
    } else {
        GK_TRY(secret, read_line_hidden(prompt));
        if (twice) {
            GK_TRY(const std::string again, read_line_hidden(prompt + " again"));
            if (again != secret) return gk::fail(Errc::BadInput, "the two are not the same");
        }
    }
    if (!secret.empty() && secret.back() == '\r') secret.pop_back();
    if (secret.empty()) return gk::fail(Errc::BadInput, "an empty " + prompt + " is refused");
    return secret;
}

bool confirm(const std::string& question, bool yes) {
    if (yes) return true;
    if (::isatty(STDIN_FILENO) == 0) return false;
    fmt::print(stderr, "{} [y/N] ", question);
    std::string answer;
    char c = 0;
    while (::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') answer += c;
    return text::equals_nocase(answer, "y") || text::equals_nocase(answer, "yes");
}

std::vector<std::string> read_items(bool nul) {
    std::vector<std::string> items;
    std::string bytes;
    char buffer[65536];
    for (ssize_t n = 0; (n = ::read(STDIN_FILENO, buffer, sizeof buffer)) > 0;)
        bytes.append(buffer, static_cast<std::size_t>(n));
    for (const auto part : text::split(bytes, nul ? '\0' : '\n')) {
        // A list's first column feeds the next command.
        const auto item = nul ? part : text::trim(part.substr(0, part.find('\t')));
        if (!item.empty()) items.emplace_back(item);
    }
    return items;
}

Progress::Progress(std::string what, std::uint64_t total)
    : what_(std::move(what)), total_(total), started_ms_(monotonic_ms()) {}

void Progress::advance(std::uint64_t by) {
    done_ += by;
    if (!stderr_is_terminal()) return;
    const std::int64_t time_ms = monotonic_ms();
    if (time_ms - started_ms_ < 2000 || time_ms - drawn_ms_ < 100) return;
    drawn_ms_ = time_ms;
    const std::uint64_t permille = total_ > 0 ? std::min<std::uint64_t>(1000, done_ * 1000 / total_) : 0;
    const std::string bar(permille * 30 / 1000, '#');
    fmt::print(stderr, "\r{} [{:30}] {}/{} ({}%)\033[K", what_, bar, done_, total_, permille / 10);
    std::fflush(stderr);
}

Progress::~Progress() {
    if (drawn_ms_ > 0) fmt::print(stderr, "\r\033[K");
}

}  // namespace gk::cli
