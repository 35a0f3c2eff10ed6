// SPDX-License-Identifier: MIT
#include "common/queue/spool.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "common/base/ids.hpp"
#include "common/queue/spool_file.hpp"

namespace gk::queue {
namespace {

constexpr std::size_t kBufferSize = 64 * 1024;
// Group members (gk-queue and who drops messages) share the files; the directory's group decides who they are.
constexpr unsigned kFileMode = 0660;

// One fsync serves every thread that asked before it began: a thread that asks while a sync runs waits for
// the next one, which one of the waiting threads performs for all.
class SharedSync {
public:
    Status sync(const std::string& dir) {
        std::unique_lock lock(mutex_);
        const std::uint64_t mine = ++asked_;
        while (done_ < mine) {
            if (running_) {
                changed_.wait(lock);
                continue;
            }
            running_ = true;
            const std::uint64_t serves = asked_;
            lock.unlock();
            Status result = os::sync_directory(dir);
            lock.lock();
            running_ = false;
            done_ = serves;
            // All whom a failed sync served must hear of it: they keep the round's result alive by sharing it.
            result_ = std::make_shared<Status>(std::move(result));
            if (!*result_) failed_.push_back({first_, serves, result_});
            if (failed_.size() > 64) failed_.erase(failed_.begin());
            first_ = serves + 1;
            changed_.notify_all();
        }
        for (const auto& round : failed_)
            if (mine >= round.first && mine <= round.last) return *round.result;
        return ok();
    }

private:
    struct Round {
        std::uint64_t first, last;
        std::shared_ptr<Status> result;
    };
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t asked_ = 0, done_ = 0, first_ = 1;
    bool running_ = false;
    std::shared_ptr<Status> result_;
    std::vector<Round> failed_;
};

SharedSync& shared_sync_of(const std::string& dir) {
    static std::mutex mutex;
    static std::unordered_map<std::string, std::unique_ptr<SharedSync>> all;
    const std::lock_guard lock(mutex);
    auto& one = all[dir];
    if (!one) one = std::make_unique<SharedSync>();
    return *one;
}

}  // namespace

Status sync_directory_shared(const std::string& dir) { return shared_sync_of(dir).sync(dir); }

Status create_spool(const std::string& dir) {
    for (const char* name : {"tmp", "new", "active", "dsn", "corrupt"})
        GK_CHECK(os::make_directories(fmt::format("{}/{}", dir, name), 0770));
    return ok();
}

Result<SpoolWriter> SpoolWriter::create(const std::string& spool_dir, const Envelope& envelope) {
    Envelope full = envelope;
    if (full.id.empty()) full.id = new_id();
    if (!is_queue_id(full.id)) return fail(Errc::BadInput, "not a queue id: '" + full.id + "'");
    if (full.recipients.empty()) return fail(Errc::BadInput, "a message for the queue needs a recipient");
    for (const auto& recipient : full.recipients)
        if (recipient.address.empty()) return fail(Errc::BadInput, "a recipient for the queue needs an address");
    if (full.trace_id.empty()) full.trace_id = full.id;
    if (full.arrival == TimePoint{}) full.arrival = now();

    SpoolWriter writer;
    writer.dir_ = spool_dir;
    writer.id_ = full.id;
    writer.envelope_ = format_envelope(full);
    const std::string path = fmt::format("{}/tmp/{}.{}", spool_dir, full.id, new_id());
    auto file = os::NewFile::create(path, kFileMode);
    if (!file && file.error().code == Errc::NotFound) {
        GK_CHECK(create_spool(spool_dir));
        file = os::NewFile::create(path, kFileMode);
    }
    if (!file) return fail(std::move(file).error());
    writer.file_ = std::move(*file);
    writer.open_ = true;
    // Blank until commit() knows length and checksum: a file that was left halfway is not mistaken for a message.
    writer.buffer_.assign(kHeadLength - 1, ' ');
    writer.buffer_ += '\n';
    writer.buffer_ += writer.envelope_;
    return writer;
}

SpoolWriter::SpoolWriter(SpoolWriter&& other) noexcept { *this = std::move(other); }

SpoolWriter& SpoolWriter::operator=(SpoolWriter&& other) noexcept {
    if (this == &other) return *this;
    if (open_) file_.unlink();
    file_ = std::move(other.file_);
    dir_ = std::move(other.dir_);
    id_ = std::move(other.id_);
    buffer_ = std::move(other.buffer_);
    envelope_ = std::move(other.envelope_);
    size_ = other.size_;
    checksum_ = other.checksum_;
    open_ = std::exchange(other.open_, false);
    return *this;
}

SpoolWriter::~SpoolWriter() {
    if (open_) file_.unlink();
}

Status SpoolWriter::flush() {
    GK_CHECK(file_.write(buffer_));
    buffer_.clear();
    return ok();
}

Status SpoolWriter::write(std::string_view bytes) {
    checksum_ = crc32(checksum_, bytes);
    size_ += bytes.size();
    if (buffer_.size() + bytes.size() > kBufferSize) {
        GK_CHECK(flush());
        if (bytes.size() > kBufferSize / 2) return file_.write(bytes);
    }
    buffer_ += bytes;
    return ok();
}

Result<std::string> SpoolWriter::commit(std::string_view folder) {
    const Head head{envelope_.size(), size_, crc32(0, envelope_), checksum_};
    const std::string line = format_head(head);
    // A small message is still whole in the buffer: one write.
    if (buffer_.size() == kHeadLength + envelope_.size() + size_) {
        buffer_.replace(0, kHeadLength, line);
        GK_CHECK(flush());
    } else {
        GK_CHECK(flush());
        GK_CHECK(file_.write_at(0, line));
    }
    GK_CHECK(file_.sync());
    GK_CHECK(file_.close());
    std::string final_path = fmt::format("{}/{}/{}", dir_, folder, id_);
    auto renamed = os::rename_new(file_.path(), final_path);
    if (!renamed && renamed.error().code == Errc::Exists) {
        // The id was used already (two parts of one message): the name decides, so this part gets another.
        id_ = new_id();
        final_path = fmt::format("{}/{}/{}", dir_, folder, id_);
        renamed = os::rename_new(file_.path(), final_path);
    }
    GK_CHECK(renamed);
    open_ = false;
    if (auto synced = sync_directory_shared(fmt::format("{}/{}", dir_, folder)); !synced) {
        // Not known to be durable, so the caller will not say 250: the sender tries again, and this copy must go.
        (void)os::unlink(final_path);
        return fail(std::move(synced).error());
    }
    return id_;
}

}  // namespace gk::queue
