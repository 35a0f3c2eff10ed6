// SPDX-License-Identifier: MIT
#include "common/queue/notices.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/base/log.hpp"
#include "common/os/file.hpp"
#include "common/queue/spool_file.hpp"

namespace gk::queue {
namespace {

std::string place_of(const std::string& spool_dir, const std::string& id) {
    return fmt::format("{}/dsn/{}", spool_dir, id);
}

// Whether the message ABOUT counts DSN_ID as made, or is gone.
Result<bool> is_counted(const std::string& spool_dir, const std::string& about, const std::string& dsn_id) {
    if (!is_queue_id(about)) return true;
    for (const char* folder : {"active", "new"}) {
        const auto file = SpoolFile::open(fmt::format("{}/{}/{}", spool_dir, folder, about));
        if (!file && file.error().code == Errc::NotFound) continue;
        // Torn: it will be set aside, and its sender should hear of it at least.
        if (!file && file.error().code == Errc::BadInput) return true;
        if (!file) return fail(file.error());
        const auto& outcomes = file->outcomes();
        return std::any_of(outcomes.begin(), outcomes.end(),
                           [mark = dsn_mark(dsn_id)](const Outcome& o) { return o.text == mark; });
    }
    return true;
}

Status settle(const std::string& spool_dir, const std::string& dsn_id) {
    const auto file = SpoolFile::open(place_of(spool_dir, dsn_id));
    if (!file && file.error().code != Errc::BadInput) return fail(file.error());
    bool counts = false;
    if (file) {
        GK_TRY(counts, is_counted(spool_dir, file->envelope().about, dsn_id));
    }
    log::Event("queue.dsn_found").field("dsn", dsn_id).field("released", counts);
    return counts ? release_dsn(spool_dir, dsn_id) : os::unlink(place_of(spool_dir, dsn_id));
}

}  // namespace

std::string dsn_mark(const std::string& dsn_id) { return "DSN " + dsn_id; }

Status release_dsn(const std::string& spool_dir, const std::string& dsn_id) {
    auto moved = os::rename_new(place_of(spool_dir, dsn_id), fmt::format("{}/new/{}", spool_dir, dsn_id));
    if (!moved && moved.error().code == Errc::NotFound) return ok();
    // Where moving is linking and unlinking, a kill between the two leaves both names of the one file.
    if (!moved && moved.error().code == Errc::Exists) return os::unlink(place_of(spool_dir, dsn_id));
    return moved;
}

void discard_dsn(const std::string& spool_dir, const std::string& dsn_id) {
    (void)os::unlink(place_of(spool_dir, dsn_id));
}

Status settle_dsns(const std::string& spool_dir) {
    GK_TRY(const auto entries, os::list_directory(spool_dir + "/dsn"));
    for (const auto& entry : entries)
        // What cannot be read, or is no file, stays where it is: the queue is worth more.
        if (auto settled = settle(spool_dir, entry.name); !settled)
            log::Event("queue.dsn_stuck", log::Level::Error)
                .field("dsn", entry.name)
                .field("error", settled.error().text);
    return ok();
}

}  // namespace gk::queue
