// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <memory>

#include "common/base/log.hpp"
#include "common/os/file.hpp"
#include "common/queue/engine_impl.hpp"

// The files in active/ beside the rows of the index, once after each start, while mail goes out already. A file that
// the index does not know becomes due, a row without a file goes.
namespace gk::queue {
namespace {

constexpr std::size_t kPage = 10'000;
constexpr std::size_t kUnknownAtOnce = 200;

// A million names in one string, 21 bytes each.
struct Names {
    std::string bytes;
    std::vector<std::uint32_t> begins;
    std::string_view at(std::size_t i) const { return bytes.data() + begins[i]; }
};

Result<Names> names_in(const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
    if (!folder) return fail_errno("cannot open '" + path + "'");
    Names names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(folder.get());
        if (!entry && errno != 0) return fail_errno("cannot read '" + path + "'");
        if (!entry) break;
        if (std::string_view(entry->d_name) == "." || std::string_view(entry->d_name) == "..") continue;
        if (names.bytes.size() > UINT32_MAX - sizeof entry->d_name)
            return fail(Errc::Permanent, fmt::format("'{}' has too many files", path));
        names.begins.push_back(static_cast<std::uint32_t>(names.bytes.size()));
        names.bytes += entry->d_name;
        names.bytes += '\0';
    }
    std::sort(names.begins.begin(), names.begins.end(), [&](std::uint32_t a, std::uint32_t b) {
        return std::string_view(names.bytes.data() + a) < std::string_view(names.bytes.data() + b);
    });
    return names;
}

}  // namespace

void Engine::Impl::reconcile() {
    const auto trouble = [](const Error& why) {
        log::Event("queue.trouble", log::Level::Error).field("error", why.in("the spool was not read whole").text);
    };
    const auto report = [&](std::string_view name) {
        std::unique_lock guard(unknown_mutex);
        unknown_taken.wait(guard, [&] { return unknown.size() < 2 * kUnknownAtOnce || !reconciling; });
        unknown.emplace_back(name);
        if (unknown.size() == 1) wake_scheduler();
        return reconciling.load();
    };
    const auto names = names_in(dir + "/active");
    std::size_t at = 0, missing = 0, gone = 0;
    const auto run = [&]() -> Status {
        if (!names) return fail(names.error());
        for (std::string after; reconciling;) {
            GK_TRY(const auto rows, index->ids(after, kPage));
            for (const auto& id : rows) {
                for (; at < names->begins.size() && names->at(at) < id; ++at, ++missing)
                    if (!report(names->at(at))) return ok();
                if (at < names->begins.size() && names->at(at) == id) {
                    ++at;
                } else if (!os::exists(fmt::format("{}/active/{}", dir, id))) {
                    ++gone;
                    GK_CHECK(index->remove(id));
                }
            }
            if (rows.empty()) break;
            after = rows.back();
        }
        for (; at < names->begins.size(); ++at, ++missing)
            if (!report(names->at(at))) return ok();
        return ok();
    };
    if (auto done = run(); !done) trouble(done.error());
    if (missing + gone > 0)
        log::Event("queue.reconciled").field("files_without_row", missing).field("rows_without_file", gone);
    reconciling = false;
    wake_scheduler();
}

// Only this thread moves files into active/ and takes rows from the index; so what is neither in memory nor in the
// index, in this order, and still has its file, was left by an earlier gk-queue.
void Engine::Impl::adopt_unknown() {
    std::vector<std::string> ids;
    {
        const std::lock_guard guard(unknown_mutex);
        for (; !unknown.empty() && ids.size() < kUnknownAtOnce; unknown.pop_front())
            ids.push_back(std::move(unknown.front()));
    }
    if (ids.empty()) return;
    unknown_taken.notify_all();
    std::vector<Index::Entry> entries;
    for (const auto& id : ids) {
        {
            const std::lock_guard guard(mutex);
            if (active.contains(id)) continue;
        }
        const auto known = index->contains(id);
        if (known && *known) continue;
        const std::string path = fmt::format("{}/active/{}", dir, id);
        auto file = is_queue_id(id) ? SpoolFile::open(path) : fail(Errc::BadInput, "not a queue id");
        if (!file && file.error().code == Errc::BadInput) set_aside(path, id, file.error().text);
        if (!file) {
            // Out of descriptors: activate() will find out what it is.
            if (file.error().code != Errc::BadInput && file.error().code != Errc::NotFound)
                (void)index->postpone(id, now() + plan()->settings.stuck_retry);
            continue;
        }
        const auto state = MessageState::of(file->envelope(), file->outcomes());
        entries.push_back({row_of(*file, state), state.held});
    }
    if (auto put = index->put(entries); !put)
        log::Event("queue.trouble", log::Level::Error).field("error", put.error().text);
}

}  // namespace gk::queue
