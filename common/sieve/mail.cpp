// SPDX-License-Identifier: MIT
#include "common/sieve/mail.hpp"

#include <algorithm>

#include "common/base/text.hpp"
#include "common/message/header.hpp"
#include "common/message/html_text.hpp"
#include "common/message/text.hpp"

namespace gk::sieve {

namespace {

constexpr std::size_t kFoldAt = 76;

// Nothing to decode: ASCII on one line, without encoded words.
bool is_plain(std::string_view value) noexcept {
    for (std::size_t i = 0; i < value.size(); ++i) {
        const auto c = static_cast<unsigned char>(value[i]);
        if (c >= 0x80 || c == '\n' || c == '\r' || c == 0) return false;
        if (c == '=' && i + 1 < value.size() && value[i + 1] == '?') return false;
    }
    return true;
}

}  // namespace

std::size_t read_fields(std::string_view block, std::vector<HeaderField>& fields) {
    message::FieldReader reader(block.substr(0, kMostHeader));
    std::size_t end = 0;
    for (message::Field field; fields.size() < kMostFields && reader.next(field); end = reader.position()) {
        if (field.whole.data() + field.whole.size() == block.data() + kMostHeader) break;  // it may go on behind
        fields.push_back({.name = field.name, .value = field.value, .whole = field.whole});
    }
    return end;
}

std::vector<HeaderField>& Mail::fields() {
    if (!have_fields_) {
        have_fields_ = true;
        const std::string_view header = message_.substr(0, header_length());
        unread_ = header.substr(read_fields(header, fields_));
        for (const std::string empty : {"\r\n", "\n"})  // the empty line is no field
            if (unread_ == empty || unread_.ends_with('\n' + empty)) {
                unread_.remove_suffix(empty.size());
                break;
            }
    }
    return fields_;
}

std::size_t Mail::header_length() {
    if (!header_length_) header_length_ = message::header_length(message_);
    return *header_length_;
}

std::string_view Mail::text_of(HeaderField& field) {
    if (!field.worked_out) {
        field.worked_out = true;
        const std::string_view trimmed = text::trim(field.value);
        if (is_plain(trimmed)) {
            field.plain = trimmed;
        } else {
            field.decoded = message::decode_text(field.value);
            field.plain = {};
        }
    }
    return field.decoded.empty() ? field.plain : std::string_view(field.decoded);
}

const std::vector<address::Listed>& Mail::addresses_of(HeaderField& field) {
    if (!field.addresses) field.addresses = address::parse_list(field.value);
    return *field.addresses;
}

std::string_view Mail::body() { return message_.substr(header_length()); }

std::uint64_t Mail::octets() {
    if (octets_) return *octets_;
    std::uint64_t octets = message_.size();
    for (std::size_t at = 0; (at = message_.find('\n', at)) != std::string_view::npos; ++at)
        if (at == 0 || message_[at - 1] != '\r') ++octets;
    octets_ = octets;
    return octets;
}

const message::Structure& Mail::structure() {
    if (!structure_) structure_ = message::scan(message_);
    return *structure_;
}

std::string_view Mail::header_of(std::uint32_t part) {
    const message::Part& each = structure().parts[part];
    return message_.substr(each.header_begin, each.body_begin - each.header_begin);
}

std::string_view Mail::content(std::uint32_t index, bool words, std::uint64_t limit, bool& fresh) {
    const auto [at, added] = contents_.try_emplace(index * 2 + (words ? 1 : 0));
    fresh = added;
    std::string& out = at->second;
    if (!added) return out;
    const message::Part& part = structure().parts[index];
    const auto take = [&](std::string_view bytes) {
        out.append(bytes.substr(0, limit - out.size()));
        return out.size() < limit;
    };
    if (part.type == "text") message::read_text(message_, part, take);
    else message::read_content(message_, part, take);
    if (words && part.is("text", "html")) out = message::html_to_text(out, limit);
    return out;
}

const char* Mail::line_end() {
    const std::size_t at = message_.find('\n');
    return at != std::string_view::npos && at > 0 && message_[at - 1] == '\r' ? "\r\n" : "\n";
}

std::size_t Mail::add_field(std::string_view name, std::string_view value, bool last) {
    auto& fields = this->fields();
    std::string clean;
    for (const char c : value) {
        if (c == '\r' || c == '\0') continue;
        clean += c == '\n' ? ' ' : c;
    }
    std::string& whole = owned_.emplace_back(name);
    whole += ": ";
    const std::size_t value_at = whole.size() - 1;
    // Folds go where the value has a space already; the rest is one long line, as it must be.
    std::size_t column = whole.size();
    const std::string encoded = text::is_ascii(clean) ? clean : message::encode_words(clean);
    for (std::size_t from = 0; from < encoded.size();) {
        const std::size_t space = std::min(encoded.find(' ', from + 1), encoded.size());
        if (from > 0 && column + (space - from) > kFoldAt && encoded[from] == ' ' && space > from + 1) {
            whole += line_end();
            column = 0;
        }
        whole.append(encoded, from, space - from);
        column += space - from;
        from = space;
    }
    const std::size_t value_end = whole.size();
    whole += line_end();
    HeaderField field{.name = std::string_view(whole).substr(0, name.size()),
                      .value = std::string_view(whole).substr(value_at, value_end - value_at),
                      .whole = whole};
    ++version_;
    // In front of everything, but behind a line that is no field ("From " of mbox files).
    auto at = fields.end();
    if (!last)
        at = std::find_if(fields.begin(), fields.end(), [](const HeaderField& each) { return !each.name.empty(); });
    else
        while (at != fields.begin() && std::prev(at)->name.empty()) --at;
    const std::size_t cost = whole.size();
    fields.insert(at, std::move(field));
    return cost;
}

void Mail::remove_fields(const std::vector<std::size_t>& indices) {
    if (indices.empty()) return;
    std::size_t kept = indices.front(), next = 0;
    for (std::size_t i = kept; i < fields_.size(); ++i) {
        if (next < indices.size() && indices[next] == i) ++next;
        else fields_[kept++] = std::move(fields_[i]);
    }
    fields_.resize(kept);
    ++version_;
}

void Mail::replace_all(std::string header, std::string body) {
    const std::string& whole = owned_.emplace_back(std::move(header) + std::move(body));
    message_ = whole;
    fields_.clear();
    have_fields_ = false;
    header_length_.reset();
    octets_.reset();
    structure_.reset();
    contents_.clear();
    replaced_ = true;
    ++version_;
}

void Mail::restore(const Edition& edition) {
    replace_all(edition.header, edition.body ? *edition.body : std::string(body()));
}

Edition Mail::edition() {
    Edition out;
    for (const HeaderField& each : fields()) {
        out.header += each.whole;
        if (!out.header.empty() && out.header.back() != '\n') out.header += line_end();
    }
    out.header += unread_;
    if (!out.header.empty() && out.header.back() != '\n') out.header += line_end();
    out.header += line_end();
    if (replaced_) out.body = body();
    return out;
}

std::string Edition::apply(std::string_view message) const {
    std::string out = header;
    if (body) return out += *body;
    return out += message.substr(message::header_length(message));
}

}  // namespace gk::sieve
