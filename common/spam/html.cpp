// SPDX-License-Identifier: MIT
#include <algorithm>
#include <functional>
#include <iterator>

#include "common/base/text.hpp"
#include "common/message/html_text.hpp"
#include "common/spam/readers.hpp"

namespace gk::spam {

namespace {

constexpr std::size_t kMostAttributes = 30;  // of one tag
constexpr std::size_t kMostShown = 300;      // bytes of what stands between <a> and </a>

// Attributes whose values say how a page is to look; others are too many.
constexpr std::string_view kLooks[] = {"color", "bgcolor", "size", "face", "align", "width", "height", "border"};
constexpr std::string_view kHiding[] = {"display:none",  "visibility:hidden", "font-size:0", "font-size:1px",
                                        "font-size:1pt", "opacity:0",         "mso-hide:all"};

class Reader {
public:
    Reader(std::string_view html, std::size_t most_links, Features& features, std::vector<Link>& links)
        : in_(html), most_links_(most_links), features_(features), links_(links) {}
    void run();

private:
    void tag();
    void attribute(const std::string& tag, const std::string& name, std::string_view value);
    void comment();
    void link(std::string_view target, bool is_source);
    void anchor_ends();

    std::string_view in_;
    std::size_t most_links_;
    Features& features_;
    std::vector<Link>& links_;
    std::size_t at_ = 0;
    std::size_t tags_ = 0, images_ = 0, comments_ = 0;
    bool in_anchor_ = false;
    std::size_t anchor_begin_ = 0, anchor_link_ = 0;
};

void Reader::link(std::string_view target, bool is_source) {
    if (links_.size() >= most_links_) return;
    // The source writes "&amp;" for "&".
    links_.push_back({text::replace_all(text::trim(target.substr(0, 2000)), "&amp;", "&"), {}, is_source});
}

void Reader::anchor_ends() {
    if (!std::exchange(in_anchor_, false) || anchor_link_ >= links_.size()) return;
    const auto inside = in_.substr(anchor_begin_, std::min(at_ - anchor_begin_, 4 * kMostShown));
    links_[anchor_link_].shown = message::html_to_text(inside, kMostShown);
}

void Reader::attribute(const std::string& tag, const std::string& name, std::string_view value) {
    if (name == "href" || name == "action") {
        if (tag == "a" || tag == "area") {
            anchor_ends();
            in_anchor_ = tag == "a";
            anchor_link_ = links_.size();
        }
        link(value, false);
    } else if (name == "src" || name == "background") {
        link(value, true);
        if (text::starts_with_nocase(value, "cid:")) features_.add("html-image", "enclosed");
    } else if (name.starts_with("on")) {
        features_.add("html-event", name);
    } else if (name == "style") {
        std::string plain;
        for (const char c : value.substr(0, 500))
            if (!text::is_space(c)) plain += text::to_lower(c);
        for (const auto hiding : kHiding)
            if (plain.find(hiding) != std::string::npos) features_.add("html-hidden", hiding);
        for (const auto each : text::split(plain, ';'))
            if (!each.empty()) features_.add("html-style", each);
    } else if (std::find(std::begin(kLooks), std::end(kLooks), name) != std::end(kLooks)) {
        features_.add("html-look", tag + ' ' + name, "=", text::lower(text::trim(value.substr(0, 40))));
        if (tag == "img" && (name == "width" || name == "height") && (value == "0" || value == "1"))
            features_.add("html-image", "as small as a point");
    }
}

void Reader::tag() {
    ++at_;
    const bool closing = at_ < in_.size() && in_[at_] == '/';
    if (closing) ++at_;
    const auto stops = [&](std::string_view set) { return at_ >= in_.size() || set.find(in_[at_]) != set.npos; };
    const std::size_t begin = at_;
    while (!stops("> \t\r\n/")) ++at_;
    const std::string name = text::lower(in_.substr(begin, std::min<std::size_t>(at_ - begin, 20)));
    ++tags_;
    if (closing && name == "a") {
        at_ = begin - 2;
        anchor_ends();
        at_ = begin + 1;
    }
    features_.add(closing ? "html-end" : "html", name);
    if (name == "img") ++images_;
    for (std::size_t count = 0; at_ < in_.size() && in_[at_] != '>';) {
        while (!stops(">") && (text::is_space(in_[at_]) || in_[at_] == '/')) ++at_;
        const std::size_t from = at_;
        while (!stops("=> \t\r\n")) ++at_;
        const std::size_t to = at_;
        while (!stops(">") && text::is_space(in_[at_])) ++at_;
        std::string_view value;
        if (at_ < in_.size() && in_[at_] == '=') {
            ++at_;
            while (!stops(">") && text::is_space(in_[at_])) ++at_;
            if (at_ < in_.size() && (in_[at_] == '"' || in_[at_] == '\'')) {
                const std::size_t end = std::min(in_.find(in_[at_], at_ + 1), in_.size());
                value = in_.substr(at_ + 1, end - at_ - 1);
                at_ = std::min(end + 1, in_.size());
            } else {
                const std::size_t plain = at_;
                while (!stops("> \t\r\n")) ++at_;
                value = in_.substr(plain, at_ - plain);
            }
        } else if (at_ == from) {
            ++at_;  // a lone "=" or what else is no attribute
        }
        if (!closing && to > from && ++count <= kMostAttributes)
            attribute(name, text::lower(in_.substr(from, std::min<std::size_t>(to - from, 20))), value);
    }
    if (at_ < in_.size()) ++at_;
    if (name == "a" && !closing) anchor_begin_ = at_;
}

// Comments that part a word hide it from filters which read the source.
void Reader::comment() {
    const bool within = at_ > 0 && text::is_alpha(in_[at_ - 1]);
    const std::size_t end = in_.find("-->", at_ + 4);
    at_ = end == std::string_view::npos ? in_.size() : end + 3;
    ++comments_;
    if (within && at_ < in_.size() && text::is_alpha(in_[at_])) features_.add("html", "comment within a word");
}

void Reader::run() {
    while (at_ < in_.size() && !features_.is_full()) {
        at_ = std::min(in_.find('<', at_), in_.size());
        if (at_ + 1 >= in_.size()) break;
        const char next = in_[at_ + 1];
        if (in_.substr(at_, 4) == "<!--") comment();
        else if (text::is_alpha(next) || next == '/') tag();
        else ++at_;
    }
    features_.add("html-tags", magnitude(tags_));
    features_.add("html-images", magnitude(images_));
    features_.add("html-comments", magnitude(comments_));
    if (const auto entities = std::count(in_.begin(), in_.end(), '&'); entities > 0)
        features_.add("html-references", magnitude(static_cast<std::size_t>(entities)));
}

}  // namespace

void read_html(std::string_view html, std::size_t most_links, Features& features, std::vector<Link>& links) {
    Reader(html, most_links, features, links).run();
}

}  // namespace gk::spam
