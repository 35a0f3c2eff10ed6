// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>

#include "common/message/fields.hpp"
#include "common/message/structure.hpp"

namespace gk::message {

namespace {

constexpr std::size_t kMaxBoundary = 998;  // RFC 2046, 5.1.1 says 70; a longer one still fits a line

// A place in the file, and what lies before it.
struct Mark {
    std::uint64_t at = 0;
    std::uint64_t bare = 0;  // LFs that grow a CR on the way out
    std::uint64_t lines = 0;
};

std::uint64_t octets(const Mark& from, const Mark& to) noexcept { return (to.at - from.at) + (to.bare - from.bare); }
std::uint32_t lines(const Mark& from, const Mark& to) noexcept {
    return static_cast<std::uint32_t>(to.lines - from.lines);
}

struct Line {
    std::string_view text;  // without its end
    Mark begin, before_end, end;
};

// A part whose end was not reached yet. Those of a chain of multiparts and messages are open together.
struct Open {
    std::uint32_t part;
    Mark body_begin;
    std::uint32_t last_child = kNone;
    std::string boundary = {};  // of a multipart, until its close delimiter
};

class Scanner {
public:
    Scanner(std::string_view file, LineEnds line_ends, const Limits& limits) : file_(file), limits_(limits) {
        out_.line_ends = line_ends;
    }

    Structure scan() {
        open_part();
        while (read_line()) {
            if (line_.text.size() < 3 || line_.text[0] != '-' || line_.text[1] != '-' || boundaries_ == 0) continue;
            const Delimiter found = find_delimiter();
            if (found.open == kNone) continue;
            close_above(found.open);
            Open& multipart = open_[found.open];
            if (found.close) {
                multipart.boundary.clear();
                --boundaries_;
            } else {
                open_part();
            }
        }
        last_end_ = here_;
        finish();
        return std::move(out_);
    }

private:
    struct Delimiter {
        std::size_t open = kNone;
        bool close = false;
    };

    // Moves over one line; line_ is that line.
    bool read_line() {
        if (here_.at >= file_.size()) return false;
        const char* begin = file_.data() + here_.at;
        const std::size_t left = file_.size() - here_.at;
        const void* found = std::memchr(begin, '\n', left);
        last_end_ = line_.before_end;
        line_.begin = here_;
        if (found == nullptr) {
            line_.text = {begin, left};
            here_.at = file_.size();
            line_.before_end = line_.end = here_;
            return true;
        }
        std::size_t length = static_cast<std::size_t>(static_cast<const char*>(found) - begin);
        const bool cr = length > 0 && begin[length - 1] == '\r';
        here_.at += length + 1;
        here_.lines += 1;
        if (!cr && out_.line_ends == LineEnds::Convert) here_.bare += 1;
        length -= cr;
        line_.text = {begin, length};
        line_.before_end = {line_.begin.at + length, line_.begin.bare, line_.begin.lines};
        line_.end = here_;
        return true;
    }

    // Where boundaries begin with one another, the longest is meant; the same twice is the inner one's.
    Delimiter find_delimiter() const {
        const std::string_view text = line_.text.substr(2);
        Delimiter best;
        std::size_t length = 0;
        for (std::size_t i = open_.size(); i-- > 0;) {
            const std::string& boundary = open_[i].boundary;
            if (boundary.size() <= length || !text.starts_with(boundary)) continue;
            std::string_view rest = text.substr(boundary.size());
            const bool close = rest.starts_with("--");
            if (close) rest.remove_prefix(2);
            if (rest.find_first_not_of(" \t\r") != std::string_view::npos)
                continue;  // transport-padding alone may follow
            length = boundary.size();
            best = {i, close};
        }
        return best;
    }

    // Ends every part that is open inside open_[KEEP]; the line end before the delimiter is the delimiter's
    // (RFC 2046, 5.1.1).
    void close_above(std::size_t keep) {
        Mark end = last_end_;
        while (open_.size() > keep + 1) end = close_last(end);
    }

    // Ends the innermost part at END, or where its body begins: an empty body is behind the empty line that the
    // delimiter would claim. Returns where it was, since what encloses it cannot end before.
    Mark close_last(Mark end) {
        const Open& last = open_.back();
        Part& part = out_.parts[last.part];
        if (end.at < last.body_begin.at) end = last.body_begin;
        part.body_end = end.at;
        part.body_octets = octets(last.body_begin, end);
        part.body_lines = lines(last.body_begin, end);
        if (!last.boundary.empty()) --boundaries_;
        open_.pop_back();
        return end;
    }

    void finish() {
        while (!open_.empty()) close_last(here_);
    }

    // Reads the header at the current place, and those of the messages that begin right behind it.
    void open_part() {
        while (read_part_header()) {}
    }

    // True where the part is a message: another header follows.
    bool read_part_header() {
        const std::uint32_t index = static_cast<std::uint32_t>(out_.parts.size());
        const std::uint32_t parent = open_.empty() ? kNone : open_.back().part;
        Part part;
        part.parent = parent;
        part.header_begin = here_.at;
        const bool is_message = parent == kNone || out_.parts[parent].kind == Part::Kind::Message;
        if (parent != kNone) {
            part.depth = out_.parts[parent].depth + 1;
            if (out_.parts[parent].is("multipart", "digest"))
                part.type = "message", part.subtype = "rfc822";  // RFC 2046, 5.1.5
            std::uint32_t& last = open_.back().last_child;
            (last == kNone ? out_.parts[parent].first_child : out_.parts[last].next_sibling) = index;
            last = index;
        }
        const Mark begin = here_;
        const bool cut_short = skip_header();
        // The line end before a delimiter is the delimiter's, here too.
        const Mark end = !cut_short ? here_ : last_end_.at > begin.at ? last_end_ : begin;
        read_fields(part, file_.substr(begin.at, end.at - begin.at), is_message);
        part.body_begin = end.at;
        part.header_octets = octets(begin, end);
        part.header_lines = lines(begin, end);

        Open open{.part = index, .body_begin = end};
        classify(part, open.boundary, cut_short);
        const bool message = part.kind == Part::Kind::Message;
        if (!open.boundary.empty()) ++boundaries_;
        out_.parts.push_back(std::move(part));
        open_.push_back(std::move(open));
        if (out_.parts.size() >= limits_.parts) {
            // The last part there may be: nothing ends it but the end.
            out_.parts.back().opaque = true;
            out_.parts.back().kind = Part::Kind::Leaf;
            for (Open& each : open_) each.boundary.clear();
            boundaries_ = 0;
            return false;
        }
        return message;
    }

    // Moves behind the empty line, or to a delimiter that stands where header lines should: true then.
    bool skip_header() {
        while (here_.at < file_.size()) {
            const Mark before = here_;
            const Line line_before = line_;
            read_line();
            if (line_.text.empty()) return false;
            if (boundaries_ > 0 && line_.text.starts_with("--") && find_delimiter().open != kNone) {
                here_ = before;
                line_ = line_before;
                return true;
            }
        }
        return false;
    }

    void read_fields(Part& part, std::string_view block, bool is_message) {
        if (block.size() > limits_.header_block) {
            part.opaque = true;
            block = block.substr(0, limits_.header_block);
        }
        const bool detailed = spent_ < limits_.details;
        Envelope envelope;
        FieldReader reader(block);
        for (Field field; reader.next(field);) {
            if (is_message && detailed) add_to_envelope(envelope, field, limits_);
            if (detailed || text_type_field(field)) add_to_part(part, field, limits_);
        }
        if (!detailed) {
            std::erase_if(part.parameters,
                          [](const Parameter& p) { return p.name != "boundary" && p.name != "charset"; });
            part.parameters.shrink_to_fit();
        }
        spent_ += cost(part);
        if (!is_message) return;
        spent_ += cost(envelope);
        part.envelope = static_cast<std::uint32_t>(out_.envelopes.size());
        out_.envelopes.push_back(std::move(envelope));
    }

    static bool text_type_field(const Field& field) noexcept {
        return field.name.size() == 12 || field.name.size() == 25;
    }

    static std::uint64_t cost(const std::vector<Parameter>& parameters) noexcept {
        std::uint64_t sum = 0;
        for (const Parameter& p : parameters) sum += sizeof p + p.name.size() + p.value.size();
        return sum;
    }
    static std::uint64_t cost(const std::optional<std::string>& s) noexcept { return s ? s->size() : 0; }
    static std::uint64_t cost(const std::vector<address::Listed>& list) noexcept {
        std::uint64_t sum = 0;
        for (const address::Listed& a : list)
            sum += sizeof a + a.name.size() + a.route.size() + a.local_part.size() + a.domain.size();
        return sum;
    }
    static std::uint64_t cost(const Part& part) noexcept {
        return sizeof part + cost(part.parameters) + cost(part.disposition_parameters) + cost(part.id) +
               cost(part.description) + cost(part.md5) + cost(part.location) + cost(part.disposition) +
               part.languages.size() * sizeof(std::string);
    }
    static std::uint64_t cost(const Envelope& e) noexcept {
        return sizeof e + cost(e.date) + cost(e.subject) + cost(e.in_reply_to) + cost(e.message_id) + cost(e.from) +
               cost(e.sender) + cost(e.reply_to) + cost(e.to) + cost(e.cc) + cost(e.bcc);
    }

    void classify(Part& part, std::string& boundary, bool cut_short) const {
        const bool multipart = part.type == "multipart";
        const bool message = part.type == "message" && (part.subtype == "rfc822" || part.subtype == "global");
        if (!multipart && !message) return;
        if (part.opaque || part.depth >= limits_.depth) {
            part.opaque = true;
            return;
        }
        if (message) {
            // Only the identity encodings are permitted (RFC 2046, 5.2.1); an encoded message is a leaf to be decoded.
            const bool encoded = part.encoding == "base64" || part.encoding == "quoted-printable";
            if (!encoded && !cut_short) part.kind = Part::Kind::Message;
            return;
        }
        std::string value(raw_parameter(part.parameters, "boundary"));
        if (value.empty()) value = find_parameter(part.parameters, "boundary").value_or("");
        while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.pop_back();
        if (value.empty() || value.size() > kMaxBoundary) return;
        part.kind = Part::Kind::Multipart;
        boundary = std::move(value);
    }

    std::string_view file_;
    Limits limits_;
    Structure out_;
    std::vector<Open> open_;
    std::size_t boundaries_ = 0;  // how many of open_ have one
    std::uint64_t spent_ = 0;
    Mark here_;
    Mark last_end_;  // before the line end that precedes line_
    Line line_;
};

}  // namespace

Structure scan(std::string_view file, LineEnds line_ends, const Limits& limits) {
    return Scanner(file, line_ends, limits).scan();
}

}  // namespace gk::message
