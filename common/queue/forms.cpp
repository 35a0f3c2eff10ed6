// SPDX-License-Identifier: MIT
#include "common/queue/forms.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <memory>

#include "common/base/ids.hpp"
#include "common/os/file.hpp"

namespace gk::queue {
namespace {

std::string_view message_in(const SpoolFile& file, const os::MappedFile& mapped) {
    return mapped.bytes().substr(file.message_offset(), file.message_size());
}

Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t done = 0;
    while (done < count) {
        const ssize_t n = ::pread(fd, bytes.data() + done, count - done, static_cast<off_t>(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("cannot read a rewritten message back");
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    bytes.resize(done);
    return bytes;
}

}  // namespace

smtp_client::Source source_of(const SpoolFile& file) {
    return [&file](std::uint64_t offset, std::size_t count) { return file.read_message(offset, count); };
}

Status Forms::learn_demands(const SpoolFile& file, const std::string& path) {
    if (demands_) return ok();
    GK_TRY(const auto mapped, os::MappedFile::open(path));
    demands_ = message::demands_of(message_in(file, mapped));
    return ok();
}

Result<Content*> Forms::rewritten(Form form, const SpoolFile& file, const std::string& path,
                                  const std::string& spool_dir) {
    auto& content = contents_[form];
    if (content) return &*content;
    GK_TRY(const auto mapped, os::MappedFile::open(path));
    GK_TRY(auto made, os::NewFile::create(spool_dir + "/tmp/" + new_id()));
    const auto kept = std::make_shared<os::Fd>(::open(made.path().c_str(), O_RDONLY | O_CLOEXEC));
    made.unlink();
    if (!*kept) return fail_errno("cannot open a rewritten message");
    std::uint64_t size = 0;
    GK_CHECK(message::convert(message_in(file, mapped),
                              form == SevenBit ? message::Transport::SevenBit : message::Transport::EightBit,
                              [&](std::string_view piece) {
                                  size += piece.size();
                                  return made.write(piece);
                              }));
    content.emplace();
    content->size = size;
    content->source = [kept](std::uint64_t offset, std::size_t count) { return read_at(kept->get(), offset, count); };
    return &*content;
}

Result<ChosenContent> Forms::choose(const SpoolFile& file, const std::string& path, const std::string& spool_dir,
                                    const smtp_client::Capabilities& peer) {
    const std::lock_guard guard(mutex_);
    const Envelope& envelope = file.envelope();
    auto& as_it_is = contents_[AsItIs];
    if (!as_it_is) {
        as_it_is.emplace();
        as_it_is->source = source_of(file);
        as_it_is->size = file.message_size();
    }
    const bool takes_binary = peer.binary && peer.chunking;
    const bool is_binary = envelope.body == Body::BinaryMime;
    if (peer.eight_bit && (!is_binary || takes_binary) && (!envelope.smtputf8 || peer.smtputf8))
        return ChosenContent{&*as_it_is, envelope.body != Body::SevenBit, is_binary, false};

    GK_CHECK(learn_demands(file, path));
    const bool utf8_header = envelope.smtputf8 && demands_->utf8_header;
    // RFC 6531, 3.5: no form is without the UTF-8 of its header.
    if (utf8_header && !peer.smtputf8) return ChosenContent{&*as_it_is, false, false, true};
    Form form = AsItIs;
    if (!peer.eight_bit && (demands_->eight_bit || demands_->utf8_header)) form = SevenBit;
    else if (is_binary && demands_->binary && !takes_binary) form = peer.eight_bit ? EightBit : SevenBit;
    if (form != AsItIs) {
        GK_TRY(Content * content, rewritten(form, file, path, spool_dir));
        return ChosenContent{content, form == EightBit && demands_->eight_bit, false, utf8_header};
    }
    return ChosenContent{&*as_it_is, demands_->eight_bit, is_binary && demands_->binary, utf8_header};
}

}  // namespace gk::queue
