// SPDX-License-Identifier: MIT
#include "common/imap/output.hpp"

namespace gk::imap {

namespace {

constexpr std::size_t kBlock = 32 * 1024;
// A smaller slice is copied: cheaper than to keep its file mapped.
constexpr std::uint64_t kSmallSlice = 8 * 1024;

}  // namespace

std::string& OutputQueue::text() { return text_; }

void OutputQueue::close_text() {
    if (text_.empty()) return;
    Chunk chunk;
    chunk.octets = text_.size();
    slices_octets_ += text_.size();
    chunk.own = std::move(text_);
    text_.clear();
    chunks_.push_back(std::move(chunk));
}

void OutputQueue::slice(const File& file, std::uint64_t begin, std::uint64_t end, bool to_crlf, std::uint64_t octets) {
    const std::string_view bytes = file->file.bytes();
    end = std::min<std::uint64_t>(end, bytes.size());
    if (begin >= end) return;
    if (end - begin <= kSmallSlice) {
        const std::string_view part = bytes.substr(begin, end - begin);
        if (to_crlf) CrlfWriter().feed(part, text_);
        else text_ += part;
        return;
    }
    close_text();
    Chunk chunk;
    chunk.file = file;
    chunk.at = begin;
    chunk.end = end;
    chunk.to_crlf = to_crlf;
    chunk.octets = octets;
    slices_octets_ += octets;
    chunks_.push_back(std::move(chunk));
}

void OutputQueue::decoded(const File& file, std::uint64_t begin, std::uint64_t end, bool to_crlf,
                          message::Encoding encoding, std::uint64_t skip, std::uint64_t count) {
    close_text();
    Chunk chunk;
    chunk.file = file;
    chunk.end = std::min<std::uint64_t>(end, file->file.bytes().size());
    chunk.at = std::min(begin, chunk.end);
    chunk.to_crlf = to_crlf;
    chunk.decoder.emplace(encoding);
    chunk.skip = skip;
    chunk.left = count;
    chunk.octets = count;
    slices_octets_ += count;
    chunks_.push_back(std::move(chunk));
}

bool OutputQueue::empty() const noexcept { return chunks_.empty() && text_.empty() && ready_at_ >= ready_.size(); }

// Converts the next block of CHUNK into ready_; leaves it empty only when nothing came of the block.
void OutputQueue::refill(Chunk& chunk) {
    const std::uint64_t size = std::min<std::uint64_t>(kBlock, chunk.end - chunk.at);
    const std::string_view raw = chunk.file->file.bytes().substr(chunk.at, size);
    chunk.at += size;
    std::string converted;
    if (chunk.to_crlf) chunk.crlf.feed(raw, converted);
    else converted = raw;
    if (chunk.decoder) {
        std::string decoded;
        chunk.decoder->feed(converted, decoded);
        if (chunk.at == chunk.end && !chunk.finished) {
            chunk.decoder->finish(decoded);
            chunk.finished = true;
        }
        converted = std::move(decoded);
    }
    const std::size_t skipped = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.skip, converted.size()));
    chunk.skip -= skipped;
    const std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.left, converted.size() - skipped));
    chunk.left -= taken;
    ready_.assign(converted, skipped, taken);
    ready_at_ = 0;
}

std::string_view OutputQueue::front() {
    for (;;) {
        if (ready_at_ < ready_.size()) return std::string_view(ready_).substr(ready_at_);
        if (chunks_.empty()) {
            if (text_.empty()) return {};
            close_text();
        }
        Chunk& chunk = chunks_.front();
        ready_at_ = 0;
        if (!chunk.file) {
            ready_ = std::move(chunk.own);
            slices_octets_ -= chunk.octets;
            chunks_.pop_front();
        } else if (chunk.at < chunk.end && chunk.left > 0) {
            refill(chunk);
        } else {
            ready_ = std::string();
            slices_octets_ -= chunk.octets;
            chunks_.pop_front();
        }
    }
}

void OutputQueue::consume(std::size_t count) { ready_at_ += std::min(count, ready_.size() - ready_at_); }

DecodedSize decoded_size(std::string_view bytes, bool to_crlf, message::Encoding encoding) {
    DecodedSize size;
    CrlfWriter crlf;
    message::Decoder decoder(encoding);
    std::string converted, decoded;
    const auto count = [&] {
        size.octets += decoded.size();
        size.has_nul = size.has_nul || decoded.find('\0') != std::string::npos;
        decoded.clear();
    };
    while (!bytes.empty()) {
        const std::string_view raw = bytes.substr(0, kBlock);
        bytes.remove_prefix(raw.size());
        converted.clear();
        if (to_crlf) crlf.feed(raw, converted);
        decoder.feed(to_crlf ? std::string_view(converted) : raw, decoded);
        count();
    }
    decoder.finish(decoded);
    count();
    return size;
}

}  // namespace gk::imap
