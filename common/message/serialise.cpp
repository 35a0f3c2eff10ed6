// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/message/structure.hpp"

namespace gk::message {

namespace {

constexpr char kVersion = 2;  // raise it with every change: readers then scan again

class Writer {
public:
    void number(std::uint64_t n) {
        while (n >= 0x80) {
            out_ += static_cast<char>(0x80 | (n & 0x7F));
            n >>= 7;
        }
        out_ += static_cast<char>(n);
    }
    void index(std::uint32_t i) { number(i == kNone ? 0 : std::uint64_t{i} + 1); }
    void string(std::string_view s) {
        number(s.size());
        out_ += s;
    }
    void optional(const std::optional<std::string>& s) {
        number(s ? s->size() + 1 : 0);
        if (s) out_ += *s;
    }
    void parameters(const std::vector<Parameter>& list) {
        number(list.size());
        for (const Parameter& p : list) string(p.name), string(p.value);
    }
    void addresses(const std::vector<address::Listed>& list) {
        number(list.size());
        for (const address::Listed& a : list) {
            out_ += static_cast<char>(a.kind);
            string(a.name), string(a.route), string(a.local_part), string(a.domain);
        }
    }
    std::string out_;
};

class Reader {
public:
    explicit Reader(std::string_view in) noexcept : in_(in) {}

    std::uint64_t number() noexcept {
        std::uint64_t n = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto c = static_cast<unsigned char>(byte());
            n |= std::uint64_t{c & 0x7Fu} << shift;
            if (c < 0x80) return n;
        }
        good_ = false;
        return 0;
    }
    char byte() noexcept {
        if (in_.empty()) {
            good_ = false;
            return 0;
        }
        const char c = in_[0];
        in_.remove_prefix(1);
        return c;
    }
    std::uint32_t index(std::uint64_t below) noexcept {
        const std::uint64_t n = number();
        if (n > below) good_ = false;
        return n == 0 ? kNone : static_cast<std::uint32_t>(n - 1);
    }
    // A count of things that take some bytes each at least, so that no count allocates more than the input did.
    std::size_t count(std::size_t bytes_each = 1) noexcept {
        const std::uint64_t n = number();
        if (n <= in_.size() / bytes_each) return n;
        good_ = false;
        return 0;
    }
    std::string string() {
        const std::size_t n = count();
        std::string s(in_.substr(0, n));
        in_.remove_prefix(n);
        return s;
    }
    std::optional<std::string> optional() {
        std::optional<std::string> s;
        optional(s);
        return s;
    }
    // Into S, whose memory is used again.
    void optional(std::optional<std::string>& s) {
        const std::uint64_t n = number();
        if (n > in_.size() + 1) good_ = false;
        if (n == 0 || !good_) return s.reset();
        if (!s) s.emplace();
        s->assign(in_.substr(0, n - 1));
        in_.remove_prefix(n - 1);
    }
    void string(std::string& s) {
        const std::size_t n = count();
        s.assign(in_.substr(0, n));
        in_.remove_prefix(n);
    }
    std::vector<Parameter> parameters() {
        std::vector<Parameter> list(count(2));
        for (Parameter& p : list) {
            if (!good_) break;
            p.name = string(), p.value = string();
        }
        return list;
    }
    void pass(std::uint64_t n) noexcept {
        if (n > in_.size()) good_ = false;
        else in_.remove_prefix(n);
    }
    void pass_optional() noexcept {
        if (const std::uint64_t n = number(); n > 0) pass(n - 1);
    }
    void pass_addresses() noexcept {
        for (std::size_t n = count(5); n > 0 && good_; --n) {
            byte();
            for (int part = 0; part < 4; ++part) pass(number());
        }
    }
    void addresses(std::vector<address::Listed>& list) {
        list.resize(count(5));
        for (address::Listed& a : list) {
            if (!good_) break;
            const char kind = byte();
            if (kind < 0 || kind > 2) good_ = false;
            a.kind = static_cast<address::Listed::Kind>(kind);
            string(a.name), string(a.route), string(a.local_part), string(a.domain);
        }
    }
    bool done() const noexcept { return in_.empty(); }

    std::string_view in_;
    bool good_ = true;
};

void write(Writer& w, const Part& p) {
    w.out_ += static_cast<char>(static_cast<unsigned>(p.kind) | (p.opaque ? 4u : 0u) | (p.has_type ? 8u : 0u));
    w.index(p.parent), w.index(p.first_child), w.index(p.next_sibling), w.index(p.envelope);
    w.number(p.depth);
    w.number(p.header_begin), w.number(p.body_begin - p.header_begin), w.number(p.body_end - p.body_begin);
    w.number(p.header_octets), w.number(p.body_octets), w.number(p.header_lines), w.number(p.body_lines);
    w.string(p.type), w.string(p.subtype), w.parameters(p.parameters), w.string(p.encoding);
    w.optional(p.id), w.optional(p.description), w.optional(p.md5), w.optional(p.location);
    w.optional(p.disposition), w.parameters(p.disposition_parameters);
    w.number(p.languages.size());
    for (const std::string& language : p.languages) w.string(language);
}

void read(Reader& r, Part& p, std::uint64_t parts, std::uint64_t envelopes) {
    const auto flags = static_cast<unsigned char>(r.byte());
    if ((flags & 3) == 3 || flags > 15) r.good_ = false;
    p.kind = static_cast<Part::Kind>(flags & 3);
    p.opaque = flags & 4, p.has_type = flags & 8;
    p.parent = r.index(parts), p.first_child = r.index(parts), p.next_sibling = r.index(parts),
    p.envelope = r.index(envelopes);
    p.depth = static_cast<std::uint32_t>(r.number());
    p.header_begin = r.number(), p.body_begin = p.header_begin + r.number(), p.body_end = p.body_begin + r.number();
    p.header_octets = r.number(), p.body_octets = r.number();
    p.header_lines = static_cast<std::uint32_t>(r.number()), p.body_lines = static_cast<std::uint32_t>(r.number());
    p.type = r.string(), p.subtype = r.string(), p.parameters = r.parameters(), p.encoding = r.string();
    p.id = r.optional(), p.description = r.optional(), p.md5 = r.optional(), p.location = r.optional();
    p.disposition = r.optional(), p.disposition_parameters = r.parameters();
    p.languages.resize(r.count());
    for (std::string& language : p.languages) language = r.string();
    if (p.body_begin < p.header_begin || p.body_end < p.body_begin) r.good_ = false;
}

void read(Reader& r, Envelope& e, EnvelopeFields wanted = kAllFields) {
    EnvelopeFields field = kDateField;
    for (auto* text : {&e.date, &e.subject, &e.in_reply_to, &e.message_id}) {
        if (wanted & field) r.optional(*text);
        else r.pass_optional();
        field <<= 1;
    }
    for (auto* list : {&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc}) {
        if (wanted < field) return;  // nothing that is wanted comes any more
        if (wanted & field) r.addresses(*list);
        else r.pass_addresses();
        field <<= 1;
    }
}

// Walks over the tree end only where indices grow; a damaged cache must not make them circle.
bool is_tree(const Structure& s) noexcept {
    if (s.parts.empty() || s.envelopes.empty() || s.parts[0].parent != kNone || s.parts[0].envelope != 0) return false;
    for (std::uint32_t i = 0; i < s.parts.size(); ++i) {
        const Part& p = s.parts[i];
        if (i > 0 && p.parent >= i) return false;
        if (p.kind == Part::Kind::Message && p.first_child == kNone) return false;
        if (p.first_child != kNone && (p.first_child <= i || s.parts[p.first_child].parent != i)) return false;
        if (p.next_sibling != kNone && (p.next_sibling <= i || s.parts[p.next_sibling].parent != p.parent))
            return false;
        const bool is_message = i == 0 || s.parts[p.parent].kind == Part::Kind::Message;
        if (is_message != (p.envelope != kNone)) return false;
    }
    return true;
}

}  // namespace

std::string serialise(const Structure& structure) {
    Writer w;
    w.out_ += kVersion;
    w.out_ += static_cast<char>(structure.line_ends);
    w.number(structure.parts.size());
    w.number(structure.envelopes.size());
    // First, so that whoever wants no more need not read on.
    for (const Envelope& e : structure.envelopes) {
        w.optional(e.date), w.optional(e.subject), w.optional(e.in_reply_to), w.optional(e.message_id);
        for (const auto* list : {&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc}) w.addresses(*list);
    }
    for (const Part& part : structure.parts) write(w, part);
    return std::move(w.out_);
}

bool deserialise_envelope(std::string_view bytes, Envelope& envelope, EnvelopeFields wanted) {
    Reader r(bytes);
    if (r.byte() != kVersion) return false;
    r.byte();
    if (r.number() == 0 || r.number() == 0 || !r.good_) return false;
    read(r, envelope, wanted);
    return r.good_;
}

Result<Structure> deserialise(std::string_view bytes) {
    const auto damaged = [] { return fail(Errc::BadInput, "stored structure is of another version or damaged"); };
    Reader r(bytes);
    Structure s;
    if (r.byte() != kVersion) return damaged();
    const char line_ends = r.byte();
    if (line_ends != 0 && line_ends != 1) return damaged();
    s.line_ends = static_cast<LineEnds>(line_ends);
    const std::size_t parts = r.count(), envelopes = r.count();
    if (!r.good_) return damaged();
    // Grown one by one: a count that lies ends at the first missing byte, not in an allocation.
    for (std::size_t i = 0; i < envelopes && r.good_; ++i) read(r, s.envelopes.emplace_back());
    for (std::size_t i = 0; i < parts && r.good_; ++i) read(r, s.parts.emplace_back(), parts, envelopes);
    if (!r.good_ || !r.done() || !is_tree(s)) return damaged();
    return s;
}

}  // namespace gk::message
