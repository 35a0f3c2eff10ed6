// SPDX-License-Identifier: MIT
#include "common/message/html_text.hpp"

#include <algorithm>
#include <iterator>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"

namespace gk::message {

namespace {

// The named references that mail uses: those of HTML 4. Sorted by name, case matters.
struct Reference {
    std::string_view name;
    char32_t character;
};
constexpr Reference kReferences[] = {
    {"AElig", 0xc6},    {"Aacute", 0xc1},  {"Acirc", 0xc2},   {"Agrave", 0xc0},   {"Aring", 0xc5},
    {"Atilde", 0xc3},   {"Auml", 0xc4},    {"Ccedil", 0xc7},  {"Dagger", 0x2021}, {"ETH", 0xd0},
    {"Eacute", 0xc9},   {"Ecirc", 0xca},   {"Egrave", 0xc8},  {"Euml", 0xcb},     {"Iacute", 0xcd},
    {"Icirc", 0xce},    {"Igrave", 0xcc},  {"Iuml", 0xcf},    {"Ntilde", 0xd1},   {"OElig", 0x152},
    {"Oacute", 0xd3},   {"Ocirc", 0xd4},   {"Ograve", 0xd2},  {"Oslash", 0xd8},   {"Otilde", 0xd5},
    {"Ouml", 0xd6},     {"Scaron", 0x160}, {"THORN", 0xde},   {"Uacute", 0xda},   {"Ucirc", 0xdb},
    {"Ugrave", 0xd9},   {"Uuml", 0xdc},    {"Yacute", 0xdd},  {"Yuml", 0x178},    {"aacute", 0xe1},
    {"acirc", 0xe2},    {"acute", 0xb4},   {"aelig", 0xe6},   {"agrave", 0xe0},   {"amp", '&'},
    {"apos", '\''},     {"aring", 0xe5},   {"atilde", 0xe3},  {"auml", 0xe4},     {"bdquo", 0x201e},
    {"brvbar", 0xa6},   {"bull", 0x2022},  {"ccedil", 0xe7},  {"cedil", 0xb8},    {"cent", 0xa2},
    {"circ", 0x2c6},    {"copy", 0xa9},    {"curren", 0xa4},  {"dagger", 0x2020}, {"deg", 0xb0},
    {"divide", 0xf7},   {"eacute", 0xe9},  {"ecirc", 0xea},   {"egrave", 0xe8},   {"emsp", 0x2003},
    {"ensp", 0x2002},   {"eth", 0xf0},     {"euml", 0xeb},    {"euro", 0x20ac},   {"fnof", 0x192},
    {"frac12", 0xbd},   {"frac14", 0xbc},  {"frac34", 0xbe},  {"gt", '>'},        {"hellip", 0x2026},
    {"iacute", 0xed},   {"icirc", 0xee},   {"iexcl", 0xa1},   {"igrave", 0xec},   {"iquest", 0xbf},
    {"iuml", 0xef},     {"laquo", 0xab},   {"larr", 0x2190},  {"ldquo", 0x201c},  {"lsaquo", 0x2039},
    {"lsquo", 0x2018},  {"lt", '<'},       {"macr", 0xaf},    {"mdash", 0x2014},  {"micro", 0xb5},
    {"middot", 0xb7},   {"nbsp", 0xa0},    {"ndash", 0x2013}, {"not", 0xac},      {"ntilde", 0xf1},
    {"oacute", 0xf3},   {"ocirc", 0xf4},   {"oelig", 0x153},  {"ograve", 0xf2},   {"ordf", 0xaa},
    {"ordm", 0xba},     {"oslash", 0xf8},  {"otilde", 0xf5},  {"ouml", 0xf6},     {"para", 0xb6},
    {"permil", 0x2030}, {"plusmn", 0xb1},  {"pound", 0xa3},   {"quot", '"'},      {"raquo", 0xbb},
    {"rarr", 0x2192},   {"rdquo", 0x201d}, {"reg", 0xae},     {"rsaquo", 0x203a}, {"rsquo", 0x2019},
    {"sbquo", 0x201a},  {"scaron", 0x161}, {"sect", 0xa7},    {"shy", 0xad},      {"sup1", 0xb9},
    {"sup2", 0xb2},     {"sup3", 0xb3},    {"szlig", 0xdf},   {"thinsp", 0x2009}, {"thorn", 0xfe},
    {"tilde", 0x2dc},   {"times", 0xd7},   {"trade", 0x2122}, {"uacute", 0xfa},   {"ucirc", 0xfb},
    {"ugrave", 0xf9},   {"uml", 0xa8},     {"uuml", 0xfc},    {"yacute", 0xfd},   {"yen", 0xa5},
    {"yuml", 0xff},     {"zwj", 0x200d},   {"zwnj", 0x200c},
};
constexpr std::size_t kLongestReference = 8;

// Elements whose content nobody reads.
constexpr std::string_view kPassedOver[] = {"script", "style", "template", "svg", "iframe", "noframes"};
// Elements that do not part what stands before from what stands after; all others begin a line.
constexpr std::string_view kInline[] = {
    "a",   "abbr", "acronym", "b", "bdo", "big",   "cite", "code",   "del",    "dfn", "em",  "font", "i", "img", "ins",
    "kbd", "mark", "nobr",    "q", "s",   "small", "span", "strike", "strong", "sub", "sup", "tt",   "u", "var", "wbr"};

bool one_of(std::string_view name, const std::string_view* begin, const std::string_view* end) {
    return std::find(begin, end, name) != end;
}

class Reducer {
public:
    Reducer(std::string_view html, std::size_t limit) : in_(html), limit_(limit) {}
    std::string run();

private:
    bool full() const noexcept { return out_.size() >= limit_; }
    void put(std::string_view utf8);
    void part(char with) noexcept { gap_ = gap_ == '\n' ? gap_ : with; }
    void reference();
    void markup();
    void tag();
    // The text from POS up to where WHAT stands, and POS behind it; at the end where it stands nowhere.
    std::string_view up_to(std::string_view what);

    std::string_view in_;
    std::size_t limit_;
    std::size_t at_ = 0;
    std::string out_;
    char gap_ = '\0';  // white space that is owed before the next character
};

void Reducer::put(std::string_view utf8) {
    if (gap_ != '\0' && !out_.empty()) out_ += gap_;
    gap_ = '\0';
    out_ += utf8;
}

std::string_view Reducer::up_to(std::string_view what) {
    const std::size_t found = in_.find(what, at_);
    const std::string_view before = in_.substr(at_, found == std::string_view::npos ? found : found - at_);
    at_ = found == std::string_view::npos ? in_.size() : found + what.size();
    return before;
}

// "&" name or "&#" number, with or without its semicolon; anything else is text.
void Reducer::reference() {
    std::size_t end = at_ + 1;
    char32_t c = 0;
    if (end < in_.size() && in_[end] == '#') {
        const bool hex = ++end < in_.size() && text::to_lower(in_[end]) == 'x';
        if (hex) ++end;
        const std::size_t digits = end;
        for (; end < in_.size(); ++end) {
            const char d = text::to_lower(in_[end]);
            const bool letter = hex && d >= 'a' && d <= 'f';
            if (!letter && !text::is_digit(d)) break;
            c = std::min<char32_t>(c * (hex ? 16 : 10) + static_cast<char32_t>(letter ? d - 'a' + 10 : d - '0'),
                                   0x110000);
        }
        if (end == digits) c = 0;
        else if (c == 0) c = 0xfffd;
    } else {
        while (end < in_.size() && end - at_ <= kLongestReference &&
               (text::is_alpha(in_[end]) || text::is_digit(in_[end])))
            ++end;
        const std::string_view name = in_.substr(at_ + 1, end - at_ - 1);
        const auto* found = std::lower_bound(std::begin(kReferences), std::end(kReferences), name,
                                             [](const Reference& r, std::string_view n) { return r.name < n; });
        if (found != std::end(kReferences) && found->name == name) c = found->character;
    }
    if (c == 0) {
        put("&");
        ++at_;
        return;
    }
    at_ = end < in_.size() && in_[end] == ';' ? end + 1 : end;
    if (c == 0xa0 || c <= ' ' || (c >= 0x2002 && c <= 0x2009)) return part(' ');
    std::string utf8;
    charset::append_utf8(utf8, c);
    put(utf8);
}

// At "<" and something that makes it markup.
void Reducer::markup() {
    const char next = in_[at_ + 1];
    if (next == '!' || next == '?') {
        const bool comment = in_.substr(at_, 4) == "<!--";
        at_ += comment ? 4 : 2;
        // "<!-->" is a comment that ends at once.
        if (comment && at_ < in_.size() && in_[at_] == '>') ++at_;
        else up_to(comment ? "-->" : ">");
        return;
    }
    tag();
}

// As browsers read it: a quoted value may hold ">", and a tag that never ends takes all the rest.
void Reducer::tag() {
    const bool closing = in_[at_ + 1] == '/';
    at_ += closing ? 2 : 1;
    std::size_t end = at_;
    while (end < in_.size() && !text::is_space(in_[end]) && in_[end] != '>' && in_[end] != '/') ++end;
    const std::string name = end - at_ > 16 ? std::string() : text::lower(in_.substr(at_, end - at_));
    at_ = end;
    std::string_view alternative;
    while (at_ < in_.size() && in_[at_] != '>') {
        const char c = in_[at_];
        if (c != '"' && c != '\'') {
            ++at_;
            continue;
        }
        const bool is_alternative = name == "img" && at_ >= 4 && text::equals_nocase(in_.substr(at_ - 4, 4), "alt=");
        ++at_;
        const auto value = up_to(std::string_view(&c, 1));
        if (is_alternative) alternative = value;
    }
    if (at_ < in_.size()) ++at_;
    if (!closing && one_of(name, std::begin(kPassedOver), std::end(kPassedOver))) {
        // Up to its end tag, whatever stands between.
        while (at_ < in_.size()) {
            up_to("</");
            if (text::starts_with_nocase(in_.substr(at_, name.size()), name)) break;
        }
        up_to(">");
        return;
    }
    if (name == "td" || name == "th" || name == "img") part(' ');
    else if (!one_of(name, std::begin(kInline), std::end(kInline))) part('\n');
    if (alternative.empty()) return;
    std::string words;
    for (const auto word : text::words(alternative.substr(0, 1000))) (words += words.empty() ? "" : " ") += word;
    if (!words.empty()) put(charset::valid_utf8(words));
    part(' ');
}

std::string Reducer::run() {
    while (at_ < in_.size() && !full()) {
        const char c = in_[at_];
        if (text::is_space(c) || c == '\0') {
            part(' ');
            ++at_;
        } else if (c == '&') {
            reference();
        } else if (c == '<' && at_ + 1 < in_.size() &&
                   (text::is_alpha(in_[at_ + 1]) || in_[at_ + 1] == '/' || in_[at_ + 1] == '!' ||
                    in_[at_ + 1] == '?')) {
            markup();
        } else {
            std::size_t end = at_ + 1;
            while (end < in_.size() && in_[end] != '&' && in_[end] != '<' && in_[end] != '\0' &&
                   !text::is_space(in_[end]))
                ++end;
            put(in_.substr(at_, end - at_));
            at_ = end;
        }
    }
    if (out_.size() > limit_) {
        std::size_t cut = limit_;
        while (cut > 0 && (static_cast<unsigned char>(out_[cut]) & 0xc0) == 0x80) --cut;
        out_.resize(cut);
    }
    return std::move(out_);
}

}  // namespace

std::string html_to_text(std::string_view html, std::size_t limit) { return Reducer(html, limit).run(); }

}  // namespace gk::message
