// SPDX-License-Identifier: MIT
#include "common/address/list.hpp"

#include "common/address/grammar.hpp"
#include "common/address/path.hpp"

namespace gk::address {

namespace {

constexpr std::size_t kMaxEncodedWord = 512;  // RFC 2047 says 75; longer ones are seen

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0'; }

// Each byte is looked at once, but for encoded words: a look ahead of bounded length, once an atom.
class ListParser {
public:
    explicit ListParser(std::string_view value) noexcept : in_(value) {}

    std::vector<Listed> parse() {
        while (out_.size() < kMaxListed) {
            const bool gap = skip_cfws();
            if (at_ == in_.size()) break;
            step(gap);
        }
        finish_entry();
        if (in_group_)
            out_.push_back({.kind = Listed::Kind::GroupEnd, .name = {}, .route = {}, .local_part = {}, .domain = {}});
        return std::move(out_);
    }

private:
    void step(bool gap) {
        const char c = in_[at_];
        switch (c) {
            case ',': ++at_, finish_entry(); return;
            case ';':  // ends a group; elsewhere it separates, as Outlook users write it
                ++at_;
                finish_entry();
                if (in_group_) end_group();
                return;
            case ':':
                ++at_;
                if (!in_group_ && !has_domain_) begin_group();
                return;
            case '<': ++at_, read_angle(); return;
            case '@':
                ++at_;
                if (!has_domain_) {
                    has_domain_ = true;
                    local_ = run_;  // once an entry
                    read_domain(domain_);
                    everything_.append("@").append(domain_);
                }
                return;
            case '.': ++at_, add_dot(); return;
            case '>': ++at_; return;  // without its '<'
            case '"': add_word(read_quoted(), gap); return;
            case '[': {  // a literal belongs behind '@'; elsewhere it is only text
                std::string literal;
                read_literal(literal);
                add_word(literal, gap);
                return;
            }
            default: add_word(read_atom(), gap); return;
        }
    }

    // White space and comments. A comment's text is remembered: "joe@a.test (Joe)" names Joe (RFC 5322, A.6.3).
    bool skip_cfws() {
        const std::size_t from = at_;
        while (at_ < in_.size()) {
            if (is_blank(in_[at_])) {
                ++at_;
            } else if (in_[at_] == '(') {
                read_comment();
            } else {
                break;
            }
        }
        return at_ != from;
    }

    void read_comment() {
        comment_.clear();
        std::size_t depth = 0;
        for (; at_ < in_.size(); ++at_) {
            char c = in_[at_];
            if (c == '\\' && at_ + 1 < in_.size()) {
                c = in_[++at_];
            } else if (c == '(') {
                if (depth++ == 0) continue;
            } else if (c == ')') {
                if (--depth == 0) {
                    ++at_;
                    return;
                }
            }
            if (c != '\r' && c != '\n' && c != '\0') comment_ += c;
        }
    }

    std::string read_quoted() {
        std::string text;
        for (++at_; at_ < in_.size(); ++at_) {
            char c = in_[at_];
            if (c == '"') {
                ++at_;
                break;
            }
            if (c == '\\' && at_ + 1 < in_.size()) c = in_[++at_];
            if (c != '\r' && c != '\n' && c != '\0') text += c;
        }
        return text;
    }

    std::string_view read_atom() {
        const std::size_t from = at_;
        if (const auto word = encoded_word(in_.substr(at_)); !word.empty()) {
            at_ += word.size();
            return word;
        }
        while (at_ < in_.size() && grammar::is_atext(in_[at_])) ++at_;
        if (at_ == from) ++at_;  // a special where none may be, or a control: kept as text
        return in_.substr(from, at_ - from);
    }

    void read_literal(std::string& out) {
        while (at_ < in_.size()) {
            const char c = in_[at_++];
            if (!is_blank(c)) out += c;
            if (c == ']') return;
        }
    }

    // Dots and words, with white space only round dots; what follows without a dot is no part of it.
    void read_domain(std::string& out) {
        bool want_word = true;
        for (;;) {
            const std::size_t from = at_;
            skip_cfws();
            if (at_ == in_.size()) return;
            const char c = in_[at_];
            if (c == '.') {
                ++at_, out += '.', want_word = true;
            } else if (want_word && c == '[') {
                read_literal(out), want_word = false;
            } else if ((want_word || at_ == from) && grammar::is_atext(c)) {
                while (at_ < in_.size() && grammar::is_atext(in_[at_])) out += in_[at_++];
                want_word = false;
            } else {
                return;
            }
        }
    }

    void read_angle() {
        std::string route, local, domain;
        bool at_seen = false, gap;
        std::string outside = std::move(comment_);
        comment_.clear();
        for (;;) {
            gap = skip_cfws();
            if (at_ == in_.size()) break;
            const char c = in_[at_];
            if (c == '>') {
                ++at_;
                break;
            }
            if (c == ';' && !at_seen) {  // "<Undisclosed-Recipient:;>"
                ++at_;
                continue;
            }
            if (c == ',' || c == ';' || c == '<') {
                if (c == ',' && at_seen && local.empty()) {  // obs-route: "@a,@b:"
                    route.append(route.empty() ? "@" : ",@").append(domain);
                    domain.clear(), at_seen = false, ++at_;
                    continue;
                }
                break;  // the '>' was forgotten
            }
            if (c == ':') {
                ++at_;
                if (at_seen && local.empty()) {
                    route.append(route.empty() ? "@" : ",@").append(domain);
                    domain.clear(), at_seen = false;
                } else if (!at_seen && text::equals_nocase(local, "mailto")) {
                    local.clear();  // "<mailto:joe@a.test>"
                }
                continue;
            }
            if (c == '@') {
                ++at_;
                if (at_seen) local.append("@").append(domain), domain.clear();
                at_seen = true;
                read_domain(domain);
                continue;
            }
            std::string& into = at_seen ? domain : local;
            if (gap && !into.empty() && into.back() != '.' && c != '.') into += ' ';
            if (c == '"') into += read_quoted();
            else if (c == '[') read_literal(into);
            else into += read_atom();
        }
        comment_ = std::move(outside);
        if (angle_) return;  // a second one in the same entry
        name_length_ = everything_.size();
        local_ = std::move(local), domain_ = std::move(domain), route_ = std::move(route);
        angle_ = has_domain_ = true;
    }

    void add_word(std::string_view word, bool gap) {
        if (angle_) return;  // text behind "<...>" means nothing
        if (gap && !everything_.empty()) everything_ += ' ';
        if (gap && !after_dot_ && !has_domain_) {
            name_length_ = everything_.size();
            run_.clear();
        }
        if (!has_domain_) run_ += word;
        everything_ += word;
        after_dot_ = false;
        any_ = true;
    }

    void add_dot() {
        if (angle_) return;
        everything_ += '.';
        if (!has_domain_) run_ += '.';
        after_dot_ = true;
        any_ = true;
    }

    void begin_group() {
        in_group_ = true;
        out_.push_back({.kind = Listed::Kind::GroupBegin,
                        .name = std::move(everything_),
                        .route = {},
                        .local_part = {},
                        .domain = {}});
        reset();
    }

    void end_group() {
        out_.push_back({.kind = Listed::Kind::GroupEnd, .name = {}, .route = {}, .local_part = {}, .domain = {}});
        in_group_ = false;
    }

    void finish_entry() {
        Listed entry;
        if (has_domain_) {
            entry = {.kind = Listed::Kind::Mailbox,
                     .name = everything_.substr(0, name_length_),
                     .route = std::move(route_),
                     .local_part = std::move(local_),
                     .domain = std::move(domain_)};
        } else if (any_) {
            // Words alone: one is a local part without domain, several are a name without address.
            const bool one = name_length_ == 0;
            entry.name = one ? std::string() : std::move(everything_);
            entry.local_part = one ? std::move(run_) : std::string();
        }
        while (!entry.name.empty() && entry.name.back() == ' ') entry.name.pop_back();
        if (entry.name.empty() && (has_domain_ || any_)) entry.name = std::move(comment_);
        if (!entry.name.empty() || !entry.local_part.empty() || !entry.domain.empty()) out_.push_back(std::move(entry));
        reset();
    }

    void reset() {
        everything_.clear(), run_.clear(), local_.clear(), domain_.clear(), route_.clear(), comment_.clear();
        name_length_ = 0;
        has_domain_ = angle_ = after_dot_ = any_ = false;
    }

    std::string_view in_;
    std::size_t at_ = 0;
    std::vector<Listed> out_;
    bool in_group_ = false;
    // of the entry being read
    std::string everything_;       // all words, spaced as they were
    std::size_t name_length_ = 0;  // how much of it stands before run_
    std::string run_;              // the last words joined by dots: a local part, should '@' follow
    std::string local_, domain_, route_, comment_;
    bool has_domain_ = false, angle_ = false, after_dot_ = false, any_ = false;
};

}  // namespace

// Encoded words that hold specials unencoded ("=?utf-8?Q?Doe,_Jane?=") are common in bulk mail.
std::string_view encoded_word(std::string_view text) noexcept {
    if (!text.starts_with("=?")) return {};
    std::size_t marks = 0;
    const std::size_t end = std::min(text.size(), kMaxEncodedWord);
    for (std::size_t i = 2; i + 1 < end && !is_blank(text[i]); ++i) {
        if (text[i] != '?') continue;
        if (marks == 2 && text[i + 1] == '=') return text.substr(0, i + 2);
        if (++marks > 2) break;
    }
    return {};
}

std::vector<Listed> parse_list(std::string_view value) { return ListParser(value).parse(); }

std::vector<std::string> addresses_of(std::string_view value) {
    std::vector<std::string> out;
    for (const Listed& entry : parse_list(value)) {
        if (entry.kind != Listed::Kind::Mailbox || entry.local_part.empty() || entry.domain.empty()) continue;
        out.push_back(Address{entry.local_part, entry.domain}.text());
    }
    return out;
}

}  // namespace gk::address
