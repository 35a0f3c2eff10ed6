// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <set>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/spam/readers.hpp"

namespace gk::spam {

namespace {

// A link as far as a judge needs it: scheme://user@host:port/path?query.
struct Target {
    std::string scheme, host;
    std::string_view path, query;
    bool user = false, port = false;
};

Target parse(std::string_view link) {
    Target t;
    const std::size_t colon = link.find(':');
    if (colon == std::string_view::npos || colon > 12 || link.substr(0, colon).find('.') != std::string_view::npos) {
        t.scheme = "http";
    } else {
        t.scheme = text::lower(link.substr(0, colon));
        link.remove_prefix(colon + 1);
    }
    if (t.scheme == "mailto") {
        const auto address = link.substr(0, link.find('?'));
        const std::size_t at = address.rfind('@');
        if (at != std::string_view::npos) t.host = text::lower(address.substr(at + 1));
        return t;
    }
    while (link.starts_with('/') || link.starts_with('\\')) link.remove_prefix(1);
    const std::size_t slash = std::min(link.find_first_of("/?#\\"), link.size());
    std::string_view authority = link.substr(0, slash);
    t.path = link.substr(slash);
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
        t.user = true;
        authority.remove_prefix(at + 1);
    }
    if (const std::size_t port = authority.rfind(':'); port != std::string_view::npos) {
        t.port = authority.substr(port) != ":80" && authority.substr(port) != ":443";
        authority = authority.substr(0, port);
    }
    t.host = text::lower(text::percent_decode(authority).value_or(std::string(authority)));
    while (t.host.ends_with('.')) t.host.pop_back();
    const std::size_t question = std::min(t.path.find('?'), t.path.size());
    t.query = t.path.substr(question);
    t.path = t.path.substr(0, question);
    return t;
}

// The last two labels, or three under a country's second level (co.uk): near enough to compare owners, without a list.
std::string_view owner(std::string_view host) {
    std::size_t dots = 0, at = host.size();
    while (at > 0) {
        const std::size_t dot = host.rfind('.', at - 1);
        if (dot == std::string_view::npos) return host;
        const bool short_labels = host.size() - dot <= 7;
        if (++dots == 3 || (dots == 2 && !short_labels)) return host.substr(dot + 1);
        at = dot;
    }
    return host;
}

// A domain that TEXT shows: "www.bank.test/login" and "bank.test", not "Read more. Now".
std::string shown_host(std::string_view text) {
    text = text::trim(text);
    if (text.find(' ') != std::string_view::npos || text.find('.') == std::string_view::npos) return {};
    if (text.find('@') != std::string_view::npos && text.find("://") == std::string_view::npos) return {};
    std::string host = parse(text).host;
    const std::size_t dot = host.rfind('.');
    if (dot == std::string::npos || host.size() - dot < 3 || !gk::address::check_domain(host, true, false)) return {};
    return host;
}

bool is_numeric(std::string_view host) {
    return !host.empty() && host.find_first_not_of("0123456789.x") == std::string_view::npos;
}

void add_path(Features& features, std::string_view path) {
    std::size_t pieces = 0;
    for (std::size_t at = 0; at < path.size() && pieces < 12;) {
        const std::size_t begin = path.find_first_not_of("/?&=.-_#;+", at);
        if (begin == std::string_view::npos) break;
        at = std::min(path.find_first_of("/?&=.-_#;+", begin), path.size());
        features.add("link-path", text::lower(path.substr(begin, std::min<std::size_t>(at - begin, 30))));
        ++pieces;
    }
}

// Letters by how they look, as one of those they could be taken for.
std::string skeleton(std::string_view domain) {
    const std::string unicode = gk::address::to_u_labels(domain);
    std::string out;
    for (std::size_t at = 0; at < unicode.size();) {
        const char32_t c = charset::fold(charset::next_utf8(unicode, at));
        switch (c) {
            case '0':
            case 0x3bf:
            case 0x43e:
            case 0xf8: out += 'o'; break;
            case '1':
            case 'i':
            case '|':
            case 0x131:
            case 0x456:
            case 0x3b9: out += 'l'; break;
            case '5':
            case 0x455: out += 's'; break;
            case '3':
            case 0x435:
            case 0x3b5:
            case 0x451: out += 'e'; break;
            case '4':
            case 0x430:
            case 0x3b1: out += 'a'; break;
            case 0x440:
            case 0x3c1: out += 'p'; break;
            case 0x441: out += 'c'; break;
            case 0x443:
            case 0x3c5: out += 'y'; break;
            case 0x445:
            case 0x3c7: out += 'x'; break;
            case 0x43a:
            case 0x3ba: out += 'k'; break;
            case 0x442:
            case 0x3c4: out += 't'; break;
            case 0x43c: out += 'm'; break;
            case 0x43d: out += 'h'; break;
            case 0x432: out += 'b'; break;
            case 0x458: out += 'j'; break;
            case 0x501: out += 'd'; break;
            case '-':
            case '_': break;
            default: charset::append_utf8(out, c);
        }
    }
    return text::replace_all(text::replace_all(out, "rn", "m"), "vv", "w");
}

std::size_t distance(std::string_view a, std::string_view b) {
    constexpr std::size_t kMost = 63;
    if (a.size() > kMost || b.size() > kMost) return kMost;
    std::array<std::size_t, kMost + 1> row{};
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t corner = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1])});
            corner = above;
        }
    }
    return row[b.size()];
}

}  // namespace

bool looks_like(std::string_view one, std::string_view other) {
    const std::string_view a = owner(one), b = owner(other);
    if (a.empty() || b.empty() || a == b) return false;
    const std::string x = skeleton(a), y = skeleton(b);
    if (x == y) return true;
    const std::string_view name_x = std::string_view(x).substr(0, x.find('.')),
                           name_y = std::string_view(y).substr(0, y.find('.'));
    // One letter of a name that is long enough to be somebody's.
    return std::min(name_x.size(), name_y.size()) >= 6 && name_x != name_y && distance(name_x, name_y) <= 1;
}

void find_links(std::string_view utf8, std::size_t most, std::vector<Link>& links) {
    for (std::size_t at = 0; at < utf8.size() && links.size() < most;) {
        const std::size_t found = utf8.find_first_of(":wW", at);
        if (found == std::string_view::npos) return;
        std::size_t begin = found;
        if (utf8[found] == ':') {
            if (utf8.substr(found, 3) != "://") {
                at = found + 1;
                continue;
            }
            while (begin > at && text::is_alpha(utf8[begin - 1])) --begin;
        } else if (!text::starts_with_nocase(utf8.substr(found), "www.") ||
                   (found > 0 && (text::is_alpha(utf8[found - 1]) || utf8[found - 1] == '/'))) {
            at = found + 1;
            continue;
        }
        const std::size_t end = std::min(utf8.find_first_of(" \t\r\n<>\"'()[]{}|", found), utf8.size());
        std::string_view link = utf8.substr(begin, end - begin);
        while (!link.empty() && std::string_view(".,;:!?*").find(link.back()) != std::string_view::npos)
            link.remove_suffix(1);
        if (link.size() > 6) links.push_back({std::string(link.substr(0, 2000)), {}, false});
        at = std::max(end, found + 1);
    }
}

void add_links(const std::vector<Link>& links, std::string_view sender, Features& features) {
    std::set<std::string, std::less<>> owners;
    for (const Link& link : links) {
        const Target target = parse(link.target);
        if (target.scheme == "cid" || target.scheme == "javascript" || target.scheme == "data") {
            features.add("link", target.scheme);
            continue;
        }
        if (target.host.empty()) continue;
        features.add("link", target.scheme);
        add_host(features, link.is_source ? "image-host" : "link-host", target.host);
        add_path(features, target.path);
        add_path(features, target.query);
        if (target.user) features.add("link", "with a user name");
        if (target.port) features.add("link", "to an odd port");
        if (is_numeric(target.host)) features.add("link", "to a number");
        if (target.host.find("xn--") != std::string::npos || !text::is_ascii(target.host))
            features.add("link", "to a name beyond ASCII");
        if (link.target.find('%') < 30) features.add("link", "with a coded host");
        owners.emplace(owner(target.host));
        if (!sender.empty() && owner(sender) == owner(target.host)) features.add("link", "to the sender's domain");
        if (looks_like(target.host, sender)) features.add("link", "to a domain like the sender's");
        const std::string shown = shown_host(link.shown);
        if (shown.empty() || owner(shown) == owner(target.host)) continue;
        features.add("link", "that shows another domain");
        if (looks_like(target.host, shown)) features.add("link", "that shows a domain much like it");
    }
    features.add("links", magnitude(links.size()));
    features.add("link-owners", magnitude(owners.size()));
}

}  // namespace gk::spam
