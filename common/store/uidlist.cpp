// SPDX-License-Identifier: MIT
#include "common/maildir/uidlist.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>

#include "common/maildir/name.hpp"
#include "common/os/file.hpp"
#include "common/store/state.hpp"

// The file is appended to before the rows are committed. A crash between leaves a line without a row: the file is
// longer than the index remembers, which the next writer notices, and the line then says which UID the message gets.
namespace gk::store {

namespace {

std::string uidlist_path(State& state, const Record& record) { return state.path_of(record.name) + "/dovecot-uidlist"; }

void remember(Record& record, const maildir::Stamp& stamp) {
    record.uidlist_inode = stamp.inode;
    record.uidlist_size = stamp.size;
}

}  // namespace

bool uidlist_is_ours(State& state, const Record& record) {
    const auto stamp = maildir::stamp_of(uidlist_path(state, record));
    return stamp.inode != 0 && stamp.inode == record.uidlist_inode && stamp.size == record.uidlist_size;
}

Status append_uidlist(State& state, Record& record, std::string_view lines, std::size_t count) {
    const std::string path = uidlist_path(state, record);
    const os::Fd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return fail_errno(fmt::format("cannot open '{}'", path));
    while (!lines.empty()) {
        const ssize_t n = ::write(fd.get(), lines.data(), lines.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            const Error error = os_error(errno, fmt::format("cannot write '{}'", path));
            // Back to whole lines; where that fails too, the next reader copes.
            if (::ftruncate(fd.get(), record.uidlist_size) != 0) return fail(error);
            return fail(error);
        }
        lines.remove_prefix(static_cast<std::size_t>(n));
        record.uidlist_size += n;
    }
    record.uidlist_lines += static_cast<std::int64_t>(count);
    // Lines of expunged messages stay until they are the greater part.
    if (record.uidlist_lines > std::int64_t{record.messages} * 2 + 1000) return rewrite_uidlist(state, record);
    return ok();
}

Status rewrite_uidlist(State& state, Record& record) {
    if (record.guid.empty()) record.guid = maildir::new_guid();
    std::string out = maildir::format_uidlist_header(record.uidvalidity, record.uidnext, record.guid);
    GK_TRY(auto query, state.index.prepare("SELECT key, file, extra FROM messages WHERE key BETWEEN ? AND ?"));
    query.bind(row_key(record.number, 0)).bind(row_key(record.number, 0xffffffff));
    std::int64_t lines = 0;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        maildir::append_uidlist_line(out, static_cast<Uid>(query.integer(0) & 0xffffffff), query.text(2),
                                     base_of_file(query.text(1)));
        ++lines;
    }
    const std::string path = uidlist_path(state, record);
    GK_CHECK(state.replace(path, out));
    remember(record, maildir::stamp_of(path));
    record.uidlist_lines = lines;
    return ok();
}

}  // namespace gk::store
