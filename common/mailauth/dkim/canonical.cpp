// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/canonical.hpp"

#include "common/base/text.hpp"
#include "common/mailauth/dkim/regular.hpp"

namespace gk::mailauth {
namespace {

constexpr std::size_t kBuffer = 32 * 1024;

constexpr std::size_t kDirect = 512;     // a run that long is not worth copying
constexpr std::size_t kRun = 16 * 1024;  // looked at in one go: what is hashed next is in the nearest cache still

bool is_blank_or_end(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string relaxed_value(std::string_view value) {
    std::string out;
    out.reserve(value.size());
    bool space = false;
    for (const char c : value) {
        // 3.4.2: unfolded, runs of white space become one SP, none at either end.
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            space = true;
            continue;
        }
        if (space && !out.empty()) out += ' ';
        space = false;
        out += c;
    }
    return out;
}

std::string with_crlf(std::string_view field) {
    std::string out;
    out.reserve(field.size() + 8);
    for (std::size_t i = 0; i < field.size(); ++i) {
        if (field[i] == '\n' && (i == 0 || field[i - 1] != '\r')) out += '\r';
        out += field[i];
    }
    return out;
}

}  // namespace

std::string_view canon_name(Canon canon) noexcept { return canon == Canon::Simple ? "simple" : "relaxed"; }

std::string canonical_field(std::string_view field, Canon canon, bool with_end) {
    if (field.ends_with('\n')) field.remove_suffix(1);
    if (field.ends_with('\r')) field.remove_suffix(1);
    std::string out;
    if (canon == Canon::Simple) {
        out = with_crlf(field);
    } else {
        const auto colon = std::min(field.find(':'), field.size());
        out = text::lower(text::trim(field.substr(0, colon))) + ':';
        out += relaxed_value(field.substr(std::min(colon + 1, field.size())));
    }
    if (with_end) out += "\r\n";
    return out;
}

BodyCanonicaliser::BodyCanonicaliser(Canon canon) noexcept : canon_(canon) {}

void BodyCanonicaliser::flush(const Sink& sink, std::size_t least) {
    if (out_.size() < least || out_.empty()) return;
    wrote_ = true;
    sink(out_);
    out_.clear();
}

void BodyCanonicaliser::begin_content(const Sink& sink) {
    for (; empty_lines_ > 0; --empty_lines_) {
        out_ += "\r\n";
        flush(sink, kBuffer);
    }
    if (space_) out_ += ' ';
    space_ = false;
    in_line_ = true;
}

void BodyCanonicaliser::end_line(const Sink& sink) {
    space_ = false;
    if (!in_line_) {
        ++empty_lines_;
        return;
    }
    in_line_ = false;
    out_ += "\r\n";
    flush(sink, kBuffer);
}

void BodyCanonicaliser::slow(char c, const Sink& sink) {
    if (cr_) {
        cr_ = false;
        if (c == '\n') return end_line(sink);
        begin_content(sink);
        out_ += '\r';
    }
    if (c == '\r') {
        cr_ = true;
        return;
    }
    if (c == '\n') return end_line(sink);
    if (canon_ == Canon::Relaxed && (c == ' ' || c == '\t')) {
        space_ = true;
        return;
    }
    begin_content(sink);
    out_ += c;
}

void BodyCanonicaliser::feed(std::string_view bytes, const Sink& sink) {
    const bool relaxed = canon_ == Canon::Relaxed;
    while (!bytes.empty()) {
        const bool plain = !cr_ && !is_blank_or_end(bytes.front());
        const std::size_t regular = plain ? regular_length(bytes.substr(0, kRun), relaxed) : 0;
        if (regular == 0) {
            slow(bytes.front(), sink);
            bytes.remove_prefix(1);
            continue;
        }
        begin_content(sink);
        const auto run = bytes.substr(0, regular);
        if (regular >= kDirect) {
            flush(sink, 1);
            wrote_ = true;
            sink(run);
        } else {
            out_ += run;
            flush(sink, kBuffer);
        }
        in_line_ = run.back() != '\n';
        bytes.remove_prefix(regular);
    }
}

void BodyCanonicaliser::finish(const Sink& sink) {
    if (cr_) {
        cr_ = false;
        begin_content(sink);
        out_ += '\r';
    }
    if (in_line_) end_line(sink);
    flush(sink, 1);
    // 3.4.3: an empty body is one CRLF in the simple form, and nothing in the relaxed one.
    if (canon_ == Canon::Simple && !wrote_) sink("\r\n");
    empty_lines_ = 0;
}

}  // namespace gk::mailauth
