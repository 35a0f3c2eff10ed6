// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/authors.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/address/grammar.hpp"
#include "common/address/list.hpp"
#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"
#include "common/message/header.hpp"

namespace gk::mailauth::dmarc {
namespace {

constexpr std::size_t kMaxMalformed = 5;

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_domain_text(char c) noexcept {
    return text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_' || c == '.' || (c & 0x80) != 0;
}

// One look at a field before it is parsed. Readers of mail disagree on what is not regular (Chen, Paxson, Jiang:
// "Composition Kills", 2020): it is told, and what may be a second address becomes one.
class Scan {
public:
    explicit Scan(std::string_view value) : in_(value) { run(); }

    std::string_view irregular() const noexcept { return irregular_; }
    // The value, with a comma behind each '>': "<a@a.test> b@b.test" names two.
    const std::string& value() const noexcept { return out_; }
    bool saw_at() const noexcept { return saw_at_; }

private:
    void run();
    void take() { out_ += in_[at_++]; }
    bool is_atom_start() const noexcept { return at_ == 0 || !address::grammar::is_atext(in_[at_ - 1]); }
    bool encoded_word();
    void quoted();
    void comment();
    void domain();
    void note(std::string_view what) {
        if (irregular_.empty()) irregular_ = what;
    }

    std::string_view in_, irregular_;
    std::string out_;
    std::size_t at_ = 0;
    bool saw_at_ = false;
    bool at_in_entry_ = false;  // since the last of , ; < >
};

void Scan::run() {
    out_.reserve(in_.size() + 8);
    for (const char c : in_)
        if ((static_cast<unsigned char>(c) < 0x20 && !is_blank(c)) || c == 0x7f) note("a control character");
    while (at_ < in_.size()) {
        switch (in_[at_]) {
            case '"': quoted(); break;
            case '(': comment(); break;
            case '@': domain(); break;
            case '>':
                at_in_entry_ = false;
                take();
                out_ += ',';
                break;
            case ',':
            case ';':
            case '<':
                at_in_entry_ = false;
                take();
                break;
            default:
                if (!encoded_word()) take();
        }
    }
}

// One that holds what an encoded word may not (RFC 2047, 5) is an encoded word to some readers, and to others what it
// looks like. A comma alone ("=?utf-8?Q?Doe,_Ann?=") is common and names nobody else, unless an address stands before
// it.
bool Scan::encoded_word() {
    if (in_.substr(at_, 2) != "=?" || !is_atom_start()) return false;
    const auto word = address::encoded_word(in_.substr(at_));
    if (word.empty()) return false;
    const bool names =
        word.find_first_of("@<>") != std::string_view::npos || std::count(word.begin(), word.end(), '"') % 2 != 0;
    if (names || (at_in_entry_ && word.find_first_of(",;:()") != std::string_view::npos))
        note("an encoded word that may be read as an address");
    out_.append(word);
    at_ += word.size();
    return true;
}

void Scan::quoted() {
    for (take(); at_ < in_.size(); take()) {
        if (in_[at_] == '"') return take();
        if (in_[at_] == '\\' && at_ + 1 < in_.size()) take();
    }
    note("a quoted string without end");
}

void Scan::comment() {
    std::size_t depth = 0;
    while (at_ < in_.size()) {
        const char c = in_[at_];
        if (c == '\\' && at_ + 1 < in_.size()) take();
        else if (c == '(') ++depth;
        else if (c == ')') --depth;
        take();
        if (depth == 0) return;
    }
    note("a comment without end");
}

// Behind '@': white space and comments may stand round the dots (RFC 5322, 4.4), and no two readers agree on them.
void Scan::domain() {
    if (at_in_entry_) note("two '@' in one address");
    saw_at_ = at_in_entry_ = true;
    take();
    const auto skip = [&] {
        const std::size_t from = at_;
        while (at_ < in_.size() && (is_blank(in_[at_]) || in_[at_] == '(')) in_[at_] == '(' ? comment() : take();
        return at_ != from;
    };
    skip();
    bool any = false, dot = false;
    while (at_ < in_.size() && is_domain_text(in_[at_])) {
        dot = in_[at_] == '.';
        any = true;
        take();
    }
    const bool gap = skip();
    if (!any || at_ == in_.size()) return;
    if (!gap) return;
    if (in_[at_] == '.' || (dot && is_domain_text(in_[at_]))) note("white space or a comment within a domain");
}

void add_malformed(Authors& authors, std::string reason) {
    if (authors.malformed.size() < kMaxMalformed) authors.malformed.push_back(std::move(reason));
}

void add_field(std::string_view value, Authors& authors) {
    const Scan scan(value);
    if (!scan.irregular().empty()) add_malformed(authors, fmt::format("From holds {}", scan.irregular()));
    bool any = false;
    const auto entries = address::parse_list(scan.value());
    if (entries.size() >= address::kMaxListed) add_malformed(authors, "From holds more entries than are read");
    for (const auto& listed : entries) {
        if (listed.kind != address::Listed::Kind::Mailbox || (listed.domain.empty() && listed.local_part.empty()))
            continue;
        ++authors.addresses;
        any |= !listed.domain.empty();
        if (listed.domain.empty() || listed.domain.front() == '[') continue;
        std::string domain = author_domain(listed.domain);
        if (domain.empty()) {
            add_malformed(authors,
                          fmt::format("From names '{}', which is no domain", text::printable(listed.domain, 100)));
            continue;
        }
        if (std::find(authors.domains.begin(), authors.domains.end(), domain) != authors.domains.end()) continue;
        if (authors.domains.size() < kMaxAuthorDomains) authors.domains.push_back(std::move(domain));
    }
    if (scan.saw_at() && !any) add_malformed(authors, "From holds an address that cannot be read");
}

}  // namespace

std::string author_domain(std::string_view domain) {
    if (domain.ends_with('.')) domain.remove_suffix(1);
    std::string name;
    if (text::is_ascii(domain)) name = text::lower(domain);
    else if (auto converted = address::to_a_labels(domain)) name = std::move(*converted);
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_' || c == '.';
    });
    return plain && fits_dns(name) ? name : std::string();
}

Authors find_authors(std::string_view header) {
    Authors authors;
    message::FieldReader reader(header);
    for (message::Field field; reader.next(field);) {
        if (!text::equals_nocase(field.name, "From")) continue;
        ++authors.fields;
        add_field(field.value, authors);
    }
    if (authors.fields > 1)
        authors.malformed.insert(authors.malformed.begin(), fmt::format("there are {} From fields", authors.fields));
    if (authors.malformed.size() > kMaxMalformed) authors.malformed.pop_back();
    return authors;
}

}  // namespace gk::mailauth::dmarc
