// SPDX-License-Identifier: MIT
#include "common/spam/pending.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <algorithm>
#include <optional>

#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::spam {

namespace {

constexpr off_t kMostBytes = 1 << 20;
constexpr std::size_t kMostUids = 10'000;  // of one move

std::string path_of(const std::string& home) { return home + "/spam.pending"; }
std::string begun_of(const std::string& home) { return home + "/spam.learning"; }

std::optional<Pending> parse(std::string_view line) {
    const auto words = text::split(line, '\t');
    if (words.size() != 4 || (words[0] != "spam" && words[0] != "ham")) return {};
    Pending pending{words[0] == "spam", {}, 0, {}};
    const auto mailbox = text::percent_decode(words[1]);
    const auto uidvalidity = text::to_uint(words[2]);
    if (!mailbox || !uidvalidity || *uidvalidity > UINT32_MAX) return {};
    pending.mailbox = *mailbox;
    pending.uidvalidity = static_cast<std::uint32_t>(*uidvalidity);
    for (const auto word : text::split(words[3], ',')) {
        const auto uid = text::to_uint(word);
        if (!uid || *uid == 0 || *uid > UINT32_MAX || pending.uids.size() >= kMostUids) return {};
        pending.uids.push_back(static_cast<std::uint32_t>(*uid));
    }
    return pending;
}

}  // namespace

void note_pending(const std::string& home, const Pending& pending) noexcept {
    struct stat status {};
    if (::stat(path_of(home).c_str(), &status) == 0 && status.st_size > kMostBytes) return;
    std::string line = fmt::format("{}\t{}\t{}\t", pending.spam ? "spam" : "ham", text::percent_encode(pending.mailbox),
                                   pending.uidvalidity);
    for (std::size_t i = 0; i < std::min(pending.uids.size(), kMostUids); ++i)
        line += fmt::format("{}{}", i == 0 ? "" : ",", pending.uids[i]);
    (void)os::append_regular_file(path_of(home), line + '\n');
}

bool has_pending(const std::string& home) noexcept { return os::exists(path_of(home)) || os::exists(begun_of(home)); }

Status take_pending(const std::string& home, const std::function<Status(const Pending&)>& action) {
    for (int round = 0; round < 2; ++round) {
        // What was begun first; then what came meanwhile.
        if (!os::exists(begun_of(home))) {
            if (!os::exists(path_of(home))) return ok();
            GK_CHECK(os::rename(path_of(home), begun_of(home)));
        }
        GK_TRY(const auto lines, os::read_file(begun_of(home)));
        for (const auto line : text::split(lines, '\n')) {
            // A line that a full disk cut short is one move less.
            if (const auto pending = parse(line)) GK_CHECK(action(*pending));
        }
        if (const auto gone = os::unlink(begun_of(home)); !gone && gone.error().code != Errc::NotFound) return gone;
    }
    return ok();
}

}  // namespace gk::spam
