// SPDX-License-Identifier: MIT
#include "common/reports/outbox.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/os/file.hpp"
#include "common/queue/spool.hpp"

namespace gk::reports {

Status Outbox::stage(const std::string& id, const std::string& sender, const std::string& recipient,
                     std::string_view message) const {
    for (const char* name : {"tmp", "new"}) GK_CHECK(os::make_directories(fmt::format("{}/{}", dir_, name), 0770));
    queue::Envelope envelope;
    envelope.id = id;
    envelope.reverse_path = sender;
    envelope.is_own = true;  // gk-queue signs it (RFC 9990, 3.5.2: an aligned pass)
    // A report that does not arrive is nobody's business here: no DSN.
    envelope.recipients.push_back({recipient, "", queue::kNotifyNever});
    if (!text::is_ascii(message)) envelope.body = queue::Body::EightBitMime;
    GK_TRY(auto writer, queue::SpoolWriter::create(dir_, envelope));
    GK_CHECK(writer.write(message));
    GK_TRY(const std::string committed, writer.commit());
    return ok();
}

bool Outbox::has(const std::string& id) const { return os::exists(fmt::format("{}/new/{}", dir_, id)); }

Status Outbox::release(const std::string& id) const {
    const std::string from = fmt::format("{}/new/{}", dir_, id), to = fmt::format("{}/new/{}", spool_, id);
    if (!os::exists(spool_ + "/new")) GK_CHECK(queue::create_spool(spool_));
    auto moved = os::rename(from, to);
    if (!moved && !os::exists(from) && os::exists(dir_ + "/new")) moved = ok();  // it was moved before
    GK_CHECK(moved);
    GK_CHECK(os::sync_directory(spool_ + "/new"));
    return os::sync_directory(dir_ + "/new");
}

std::vector<std::string> Outbox::staged() const {
    std::vector<std::string> out;
    if (const auto entries = os::list_directory(dir_ + "/new"))
        for (const auto& entry : *entries) out.push_back(entry.name);
    return out;
}

void Outbox::remove(const std::string& id) const { (void)os::unlink(fmt::format("{}/new/{}", dir_, id)); }

Status Outbox::clear_unfinished() const {
    const auto entries = os::list_directory(dir_ + "/tmp");
    if (!entries) return ok();
    for (const auto& entry : *entries) GK_CHECK(os::unlink(fmt::format("{}/tmp/{}", dir_, entry.name)));
    return ok();
}

}  // namespace gk::reports
