// SPDX-License-Identifier: MIT
#include "common/queue/access.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <cerrno>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/os/file.hpp"
#include "common/os/owner.hpp"
#include "common/queue/notices.hpp"
#include "common/queue/spool.hpp"
#include "common/queue/state.hpp"

namespace gk::queue {

Summary summarize(const SpoolFile& file, const MessageState& state) {
    const auto& envelope = file.envelope();
    Summary s;
    s.id = envelope.id;
    s.trace_id = envelope.trace_id;
    s.sender = envelope.reverse_path;
    s.account = envelope.account;
    s.status = state.summary();
    s.size = file.message_size();
    s.arrival = envelope.arrival;
    s.next = state.next_due();
    s.recipients_total = envelope.recipients.size();
    TimePoint last{};
    for (std::size_t i = 0; i < envelope.recipients.size(); ++i) {
        const auto& r = state.recipients[i];
        s.attempts = std::max(s.attempts, r.attempts);
        if (r.kind == RecipientState::Kind::Waiting) {
            s.recipients.push_back(envelope.recipients[i].address);
            s.due.emplace_back(domain_of(envelope.recipients[i].address), r.next);
        }
        if (!r.text.empty() && r.kind != RecipientState::Kind::Delivered && r.last >= last) {
            last = r.last;
            s.reason = r.text;
        }
    }
    if (s.recipients.empty())
        for (const auto& recipient : envelope.recipients) s.recipients.push_back(recipient.address);
    return s;
}

Status check_scheduled(const Envelope& envelope, const MessageState& state) {
    constexpr std::chrono::seconds kGrace{2};
    if (state.summary() == "scheduled" && state.begins > now() + kGrace) return ok();
    return fail(Errc::BadInput, fmt::format("message '{}' is not scheduled, or leaves now", envelope.id));
}

Result<os::Fd> lock_spool(const std::string& spool_dir) {
    const std::string path = spool_dir + "/lock";
    os::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0660));
    if (!fd) return fail_errno("cannot open '" + path + "'");
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail(Errc::Temporary, "the spool '" + spool_dir + "' is in use by another gk-queue");
        return fail_errno("cannot lock '" + path + "'");
    }
    return fd;
}

namespace {

// The queue while no daemon runs. Reads the files each time; the lock keeps a daemon from starting meanwhile.
class FileAccess final : public Access {
public:
    FileAccess(std::string spool_dir, os::Fd lock) : dir_(std::move(spool_dir)), lock_(std::move(lock)) {}

    Status list(const Filter& filter, const std::function<void(const Summary&)>& each) override {
        if (!filter.next_hop.empty())
            return fail(Errc::Unsupported, "which way messages go is known only while gk-queue serve runs");
        std::uint64_t shown = 0;
        GK_TRY(const auto files, all());
        for (const auto& path : files) {
            auto file = SpoolFile::open(path);
            if (!file) continue;  // the daemon sets it aside when it starts
            const auto summary = summarize(*file, MessageState::of(file->envelope(), file->outcomes()));
            if (!filter.matches(summary)) continue;
            each(summary);
            if (filter.limit != 0 && ++shown >= filter.limit) break;
        }
        return ok();
    }

    Result<Detail> show(const std::string& id) override {
        GK_TRY(const auto file, find(id));
        const auto state = MessageState::of(file.first.envelope(), file.first.outcomes());
        return Detail{file.first.envelope(), file.first.outcomes(), file.first.message_size(),
                      std::string(state.summary())};
    }

    Result<Facts> explain(const std::string& id) override {
        Facts facts;
        GK_TRY(facts.detail, show(id));
        return facts;
    }

    Result<std::string> read(const std::string& id, std::uint64_t offset, std::size_t count) override {
        GK_TRY(const auto file, find(id));
        return file.first.read_message(offset, count);
    }

    Status change(const Command& command, const std::string& id) override {
        GK_TRY(auto file, find(id));
        const std::string name = file.second.substr(file.second.rfind('/') + 1);
        if (command.action == Action::Delete) {
            // A notice that the message does not count would count once the message is gone.
            GK_CHECK(settle_dsns(dir_));
            GK_CHECK(os::unlink(file.second));
            GK_CHECK(os::sync_directory(file.second.substr(0, file.second.rfind('/'))));
            return with_index([&](Index& index) { return index.remove(name); });
        }
        const auto state = MessageState::of(file.first.envelope(), file.first.outcomes());
        GK_TRY(const auto outcomes, outcomes_of(command, file.first.envelope(), state, now()));
        return append(file.first, file.second, outcomes);
    }

    Status schedule(const std::string& id, TimePoint until) override {
        GK_TRY(auto file, find(id));
        GK_CHECK(
            check_scheduled(file.first.envelope(), MessageState::of(file.first.envelope(), file.first.outcomes())));
        Outcome outcome;
        outcome.kind = OutcomeKind::Schedule;
        outcome.at = now();
        outcome.until = until;
        outcome.text = "by command";
        return append(file.first, file.second, std::span(&outcome, 1));
    }

    Result<std::uint64_t> flush() override {
        std::uint64_t count = 0;
        GK_TRY(const auto files, all());
        for (const auto& path : files) {
            auto file = SpoolFile::open(path);
            if (!file) continue;
            ++count;
            const auto state = MessageState::of(file->envelope(), file->outcomes());
            if (state.held || !state.has_waiting() || state.summary() == "scheduled") continue;
            GK_TRY(const auto outcomes, outcomes_of(Action::Retry, file->envelope(), state, now()));
            GK_CHECK(append(*file, path, outcomes));
        }
        return count;
    }

    Result<bool> take_report(const std::string&, const message::DeliveryReport&) override {
        return fail(Errc::Temporary, "the queue is not running");
    }

    Status bounces(const std::function<void(const Bounce&)>& each) override {
        GK_TRY(auto sent, SentLog::open(dir_ + "/sent.db"));
        return sent.list(each);
    }

    Result<std::vector<Stat>> stats(By by) override {
        Tally tally(by, now());
        GK_CHECK(list({}, [&](const Summary& summary) { tally.add(summary); }));
        GK_TRY(const auto drained, read_drained(dir_));
        auto rows = tally.rows();
        if (by == By::Destination || by == By::Age)
            for (auto& row : rows)
                if (drained.contains("*") || drained.contains(row.name)) row.state = "drained";
        return rows;
    }

    Result<Drained> drain(const std::optional<DrainChange>& change) override {
        GK_TRY(auto drained, read_drained(dir_));
        if (!change) return drained;
        GK_CHECK(apply(drained, *change));
        GK_CHECK(write_drained(dir_, drained));
        return drained;
    }

private:
    // What the index says of the message is brought up to date. Without one the daemon makes it when it starts.
    Status append(SpoolFile& file, const std::string& path, std::span<const Outcome> outcomes) {
        GK_CHECK(file.append(outcomes));
        if (path.find("/active/") == std::string::npos) return ok();
        const auto state = MessageState::of(file.envelope(), file.outcomes());
        Summary summary = summarize(file, state);
        if (!summary.next) summary.next = now();
        return with_index([&](Index& index) { return index.put(summary, state.held); });
    }

    Status with_index(const std::function<Status(Index&)>& f) {
        if (!index_) {
            if (!os::exists(dir_ + "/queue.db")) return ok();
            GK_TRY(index_, Index::open(dir_ + "/queue.db"));
        }
        return f(*index_);
    }

    Result<std::vector<std::string>> all() const {
        std::vector<std::pair<std::string, std::string>> named;
        for (const char* sub : {"active", "new"}) {
            const std::string dir = fmt::format("{}/{}", dir_, sub);
            if (!os::exists(dir)) continue;
            GK_TRY(const auto entries, os::list_directory(dir));
            for (const auto& entry : entries)
                if (is_queue_id(entry.name)) named.emplace_back(entry.name, fmt::format("{}/{}", dir, entry.name));
        }
        std::sort(named.begin(), named.end());
        std::vector<std::string> paths;
        for (auto& [name, path] : named) paths.push_back(std::move(path));
        return paths;
    }

    Result<std::pair<SpoolFile, std::string>> find(const std::string& id) {
        if (!is_queue_id(id))
            return fail(Errc::BadInput, fmt::format("'{}' is not a queue id", text::printable(id, 80)));
        for (const char* sub : {"active", "new"}) {
            std::string path = fmt::format("{}/{}/{}", dir_, sub, id);
            auto file = SpoolFile::open(path);
            if (file) return std::pair(std::move(*file), std::move(path));
            if (file.error().code != Errc::NotFound) return fail(file.error());
        }
        GK_TRY(const auto files, all());
        for (const auto& path : files)
            if (auto file = SpoolFile::open(path); file && file->envelope().trace_id == id)
                return std::pair(std::move(*file), path);
        return fail(Errc::NotFound, fmt::format("no message '{}' in the queue", id));
    }

    std::string dir_;
    os::Fd lock_;
    std::optional<Index> index_;
};

}  // namespace

std::unique_ptr<Access> connect_control(const std::string& socket_path);

Result<std::unique_ptr<Access>> open_access(const std::string& spool_dir, const std::string& socket_path) {
    if (auto access = connect_control(socket_path)) return access;
    // A spool may not have been needed yet; but where nothing of gk is, a mistyped --root must not begin one.
    if (!os::exists(spool_dir)) {
        const auto parent = spool_dir.substr(0, spool_dir.rfind('/'));
        if (!os::exists(parent))
            return fail(Errc::NotFound, fmt::format("cannot open '{}': No such file or directory", spool_dir));
        GK_CHECK(create_spool(spool_dir));
    }
    GK_CHECK(os::become_owner_of(spool_dir));
    auto lock = lock_spool(spool_dir);
    if (!lock) return fail(lock.error());
    return std::unique_ptr<Access>(std::make_unique<FileAccess>(spool_dir, std::move(*lock)));
}

}  // namespace gk::queue
