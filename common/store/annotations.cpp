// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <cerrno>

#include "common/base/text.hpp"
#include "common/maildir/annotations.hpp"
#include "common/os/file.hpp"
#include "common/store/state.hpp"

// Annotations (RFC 5464) are kept in their file alone: it is small, and it is asked for rarely.
namespace gk::store {

namespace {

std::string annotations_path(const State& state, const std::optional<Record>& record) {
    return record ? state.path_of(record->name) + "/gk-metadata" : state.root + "/gk-metadata-account";
}

Result<Annotations> read_annotations(const std::string& path) {
    const auto bytes = os::read_file(path);
    if (bytes) return maildir::parse_annotations(*bytes);
    if (bytes.error().code == Errc::NotFound) return Annotations();
    return fail(bytes.error());
}

// Nothing for the account itself.
Result<std::optional<Record>> annotated(State& state, std::string_view mailbox) {
    if (mailbox.empty()) return std::optional<Record>();
    GK_TRY(auto record, get_mailbox(state, mailbox));
    return std::optional(std::move(record));
}

}  // namespace

Result<Annotations> Account::annotations(std::string_view mailbox) {
    const Locked lock(*state_);
    GK_TRY(const auto record, annotated(*state_, mailbox));
    return read_annotations(annotations_path(*state_, record));
}

std::uint64_t Account::annotations_version(std::string_view mailbox) {
    const std::string path =
        mailbox.empty() ? state_->root + "/gk-metadata-account" : state_->path_of(mailbox) + "/gk-metadata";
    const auto stamp = maildir::stamp_of(path);  // replaced as a whole, so another inode or time
    return static_cast<std::uint64_t>(stamp.inode) * 0x9e3779b97f4a7c15u ^ static_cast<std::uint64_t>(stamp.mtime_ns);
}

Status Account::annotate(std::string_view mailbox, const std::vector<AnnotationChange>& changes) {
    State& s = *state_;
    const Locked lock(s);
    GK_TRY(auto record, annotated(s, mailbox));
    // The index's write lock keeps two sessions from overwriting each other's.
    GK_TRY(auto transaction, WriteTransaction::begin(s));
    if (record) {
        GK_TRY(record, get_record(s, record->number, record->uidvalidity));
    }
    const std::string path = annotations_path(s, record);
    GK_TRY(auto annotations, read_annotations(path));
    const Annotations before = annotations;
    std::size_t bytes = 0;
    for (const auto& [name, value] : changes) {
        if (!maildir::is_annotation_name(name))
            return fail(Errc::BadInput,
                        fmt::format("'{}' is not the name of an annotation", text::printable(name, 100)));
        if (name.size() > kMaxAnnotationName)
            return fail(Errc::BadInput,
                        fmt::format("the name of an annotation may have {} octets", kMaxAnnotationName));
        if (value && value->size() > kMaxAnnotationValue)
            return fail(
                Error{Errc::BadInput, fmt::format("an annotation may have {} octets", kMaxAnnotationValue), EMSGSIZE});
        if (value) annotations.insert_or_assign(text::lower(name), *value);
        else annotations.erase(text::lower(name));
    }
    for (const auto& [name, value] : annotations) bytes += name.size() + value.size();
    if (annotations != before && (annotations.size() > kMaxAnnotations || bytes > kMaxAnnotationBytes))
        return fail(Error{
            Errc::BadInput,
            fmt::format("there may be {} annotations with {} octets together", kMaxAnnotations, kMaxAnnotationBytes),
            E2BIG});
    if (annotations == before) return ok();
    GK_CHECK(s.replace(path, maildir::format_annotations(annotations)));
    s.changes.push_back({record ? record->name : std::string(), 0});
    return transaction.commit();
}

}  // namespace gk::store
