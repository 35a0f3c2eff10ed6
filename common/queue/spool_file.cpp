// SPDX-License-Identifier: MIT
#include "common/queue/spool_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::queue {
namespace {

// 10,000 recipients of the longest addresses, each with ORCPT and a recorded reply.
constexpr std::size_t kFirstRead = 4096;
constexpr std::uint64_t kMaxEnvelope = 32u << 20;
// Years of retries of that many recipients; what is beyond is not read.
constexpr std::uint64_t kMaxOutcomes = 256u << 20;

constexpr std::array<std::string_view, 13> kKinds = {"attempt",  "delivered", "relayed", "deferred", "failed",
                                                     "notified", "warned",    "hold",    "release",  "retry",
                                                     "schedule", "redirect",  "reroute"};

// Slicing by four: four tables, four bytes a step.
constexpr auto make_tables() {
    std::array<std::array<std::uint32_t, 256>, 4> tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = i;
        for (int bit = 0; bit < 8; ++bit) c = (c & 1) ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        tables[0][i] = c;
    }
    for (std::uint32_t i = 0; i < 256; ++i)
        for (std::size_t t = 1; t < 4; ++t) tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xFF];
    return tables;
}
constexpr auto kTables = make_tables();

template <class Integer>
bool to_number(std::string_view s, Integer& value, int base) {
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value, base);
    return error == std::errc() && end == s.data() + s.size();
}

Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t count, const std::string& path) {
    std::string bytes(count, '\0');
    std::size_t have = 0;
    while (have < count) {
        const ssize_t n = ::pread(fd, bytes.data() + have, count - have, static_cast<off_t>(offset + have));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("cannot read '" + path + "'");
        if (n == 0) break;
        have += static_cast<std::size_t>(n);
    }
    bytes.resize(have);
    return bytes;
}

std::optional<Outcome> parse_outcome(std::string_view line) {
    if (line.size() < 10 || line[8] != '\t') return {};
    std::uint32_t crc = 0;
    if (!to_number(line.substr(0, 8), crc, 16) || crc != crc32(0, line.substr(9))) return {};
    const auto fields = text::split(line.substr(9), '\t');
    Outcome outcome;
    bool known = false;
    for (std::size_t i = 0; i < kKinds.size(); ++i) {
        if (kKinds[i] != fields[0]) continue;
        outcome.kind = static_cast<OutcomeKind>(i);
        known = true;
    }
    if (!known) return {};
    for (std::size_t i = 1; i < fields.size(); ++i) {
        const auto equals = fields[i].find('=');
        if (equals == std::string_view::npos) return {};
        const auto key = fields[i].substr(0, equals);
        auto value = text::percent_decode(fields[i].substr(equals + 1));
        if (!value) return {};
        const auto number = text::to_int(*value);
        if (key == "to" && number && *number >= 0 && *number <= INT32_MAX)
            outcome.recipient = static_cast<int>(*number);
        else if (key == "at" && number) outcome.at = TimePoint(std::chrono::microseconds(*number));
        else if (key == "until" && number) outcome.until = TimePoint(std::chrono::microseconds(*number));
        else if (key == "text") outcome.text = std::move(*value);
        else if (key == "status") outcome.status = std::move(*value);
        else if (key == "peer") outcome.peer = std::move(*value);
        else if (key == "tls") outcome.tls = std::move(*value);
    }
    return outcome;
}

}  // namespace

std::uint32_t crc32(std::uint32_t crc, std::string_view bytes) noexcept {
    std::uint32_t c = ~crc;
    const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
    std::size_t n = bytes.size();
    for (; n >= 4; n -= 4, p += 4) {
        c ^= static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
             static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24;
        c = kTables[3][c & 0xFF] ^ kTables[2][(c >> 8) & 0xFF] ^ kTables[1][(c >> 16) & 0xFF] ^ kTables[0][c >> 24];
    }
    for (; n > 0; --n, ++p) c = kTables[0][(c ^ *p) & 0xFF] ^ (c >> 8);
    return ~c;
}

std::string format_head(const Head& head) {
    return fmt::format("GKSPOOL 1 {:010} {:08x} {:020} {:08x}\n", head.envelope_length, head.envelope_crc,
                       head.message_length, head.message_crc);
}

Result<Head> parse_head(std::string_view line) {
    if (line.size() != kHeadLength || !line.starts_with("GKSPOOL ") || line.back() != '\n')
        return fail(Errc::BadInput, "not a spool file, or one that was never finished");
    const auto fields = text::split(line.substr(0, line.size() - 1), ' ');
    if (fields.size() != 6) return fail(Errc::BadInput, "spool file with a broken first line");
    if (fields[1] != "1")
        return fail(Errc::BadInput, fmt::format("spool file of version {}", text::printable(fields[1])));
    Head head;
    if (!to_number(fields[2], head.envelope_length, 10) || !to_number(fields[3], head.envelope_crc, 16) ||
        !to_number(fields[4], head.message_length, 10) || !to_number(fields[5], head.message_crc, 16))
        return fail(Errc::BadInput, "spool file with a broken first line");
    if (head.envelope_length > kMaxEnvelope || head.message_length > (std::uint64_t{1} << 48))
        return fail(Errc::BadInput, "spool file with an impossible length");
    return head;
}

std::string_view outcome_name(OutcomeKind kind) noexcept { return kKinds[static_cast<std::size_t>(kind)]; }

std::string format_outcome(const Outcome& o) {
    std::string line(outcome_name(o.kind));
    const auto field = [&](std::string_view key, std::string_view value) {
        if (!value.empty()) line += fmt::format("\t{}={}", key, text::percent_encode(value));
    };
    if (o.recipient >= 0) field("to", std::to_string(o.recipient));
    field("at", std::to_string(o.at.time_since_epoch().count()));
    if (o.until != TimePoint{}) field("until", std::to_string(o.until.time_since_epoch().count()));
    field("status", o.status);
    field("peer", o.peer);
    field("tls", o.tls);
    field("text", o.text);
    return fmt::format("{:08x}\t{}\n", crc32(0, line), line);
}

std::vector<Outcome> parse_outcomes(std::string_view tail) {
    std::vector<Outcome> outcomes;
    while (!tail.empty()) {
        const auto end = tail.find('\n');
        if (end == std::string_view::npos) break;
        if (auto outcome = parse_outcome(tail.substr(0, end))) outcomes.push_back(std::move(*outcome));
        tail.remove_prefix(end + 1);
    }
    return outcomes;
}

Result<SpoolFile> SpoolFile::open(const std::string& path) {
    SpoolFile file;
    file.path_ = path;
    file.fd_ = os::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file.fd_) return fail_errno("cannot open '" + path + "'");
    struct stat st {};
    if (::fstat(file.fd_.get(), &st) != 0) return fail_errno("cannot look at '" + path + "'");
    const auto bad = [&](std::string_view why) { return fail(Errc::BadInput, fmt::format("'{}': {}", path, why)); };
    if (!S_ISREG(st.st_mode)) return bad("not a file");

    // Most envelopes fit into the first read, and what the header has to say about the way comes along.
    GK_TRY(std::string first, read_at(file.fd_.get(), 0, kFirstRead, path));
    auto head = parse_head(std::string_view(first).substr(0, kHeadLength));
    if (!head) return bad(head.error().text);
    file.head_ = *head;
    const std::uint64_t tail_at = kHeadLength + head->envelope_length + head->message_length;
    const auto size = static_cast<std::uint64_t>(st.st_size);
    if (size < tail_at) return bad(fmt::format("torn: {} of {} bytes", size, tail_at));
    if (first.size() < kHeadLength + head->envelope_length) {
        GK_TRY(first, read_at(file.fd_.get(), 0, kHeadLength + head->envelope_length, path));
        if (first.size() < kHeadLength + head->envelope_length) return bad("torn");
    }
    const auto lines = std::string_view(first).substr(kHeadLength, head->envelope_length);
    if (crc32(0, lines) != head->envelope_crc) return bad("envelope does not agree with its checksum");
    auto envelope = parse_envelope(lines);
    if (!envelope) return bad(envelope.error().text);
    file.envelope_ = std::move(*envelope);
    // The name is the id: it is what others know, and it changes where two files came with one id.
    const auto name = path.substr(path.rfind('/') + 1);
    if (is_queue_id(name)) file.envelope_.id = name;

    if (const auto at = file.message_offset(); first.size() > at)
        file.begin_ = first.substr(at, static_cast<std::size_t>(head->message_length));
    std::string tail;
    if (size > tail_at) {
        GK_TRY(tail, read_at(file.fd_.get(), tail_at, std::min(size - tail_at, kMaxOutcomes), path));
    }
    file.torn_tail_ = !tail.empty() && tail.back() != '\n';
    file.outcomes_ = parse_outcomes(tail);
    add_redirected(file.envelope_, file.outcomes_);
    std::erase_if(file.outcomes_,
                  [&](const Outcome& o) { return o.recipient >= static_cast<int>(file.envelope_.recipients.size()); });
    return file;
}

void SpoolFile::moved_to(std::string path) {
    path_ = std::move(path);
    envelope_.id = path_.substr(path_.rfind('/') + 1);
}

Result<std::string> SpoolFile::read_message(std::uint64_t offset, std::size_t count) const {
    if (offset >= head_.message_length) return std::string();
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(count, head_.message_length - offset));
    if (offset + want <= begin_.size()) return begin_.substr(static_cast<std::size_t>(offset), want);
    GK_TRY(std::string bytes, read_at(fd_.get(), kHeadLength + head_.envelope_length + offset, want, path_));
    if (bytes.size() != want) return fail(Errc::BadInput, fmt::format("'{}' became shorter", path_));
    return bytes;
}

Status SpoolFile::verify() const {
    std::uint32_t crc = 0;
    for (std::uint64_t at = 0; at < head_.message_length;) {
        GK_TRY(const std::string bytes, read_message(at, 256 * 1024));
        crc = crc32(crc, bytes);
        at += bytes.size();
    }
    if (crc != head_.message_crc)
        return fail(Errc::BadInput, fmt::format("'{}': message does not agree with its checksum", path_));
    return ok();
}

Status SpoolFile::append(std::span<const Outcome> outcomes, bool sync) {
    // The message may end within a line, and so may a torn tail: the first LF closes it.
    std::string lines;
    if (outcomes_.empty() || torn_tail_) lines += '\n';
    for (const auto& outcome : outcomes) lines += format_outcome(outcome);
    // Unless this succeeds the tail may end within a line.
    torn_tail_ = true;
    GK_CHECK(os::append_file(path_, lines, sync, 0660));
    torn_tail_ = false;
    outcomes_.insert(outcomes_.end(), outcomes.begin(), outcomes.end());
    add_redirected(envelope_, outcomes);
    return ok();
}

void add_redirected(Envelope& envelope, std::span<const Outcome> outcomes) {
    for (const auto& o : outcomes) {
        if (o.kind != OutcomeKind::Redirect || o.recipient < 0 || o.text.empty()) continue;
        const auto from = static_cast<std::size_t>(o.recipient);
        const auto& recipients = envelope.recipients;
        if (from >= recipients.size()) continue;
        const bool is_there = std::any_of(recipients.begin(), recipients.end(),
                                          [&](const Recipient& r) { return text::equals_nocase(r.address, o.text); });
        if (is_there) continue;
        Recipient recipient{o.text, recipients[from].orcpt, recipients[from].notify};
        envelope.recipients.push_back(std::move(recipient));
    }
}

}  // namespace gk::queue
