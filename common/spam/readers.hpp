// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/spam/features.hpp"

// The sources of features; inside spam/ only.
namespace gk::spam {

void read_header(std::string_view file, const message::Structure& structure, const FeatureLimits& limits,
                 Features& features);
// Types, names and number of the parts.
void read_parts(const message::Structure& structure, Features& features);
void read_body(std::string_view file, const message::Structure& structure, const FeatureLimits& limits,
               Features& features);

// A word of KIND for each, folded (search/tokens.hpp), and each written in capitals again as KIND-capitals. With PAIRS
// the words that follow within a few places too, in order.
void add_words(Features& features, std::string_view kind, std::string_view utf8, bool pairs);
// KIND with the host and with each domain above it: "mail.a.test", "a.test".
void add_host(Features& features, std::string_view kind, std::string_view host);
// "0", "1", "2", "3-4", "5-8", "9-16" …: a number as a feature that others share.
std::string_view magnitude(std::size_t number) noexcept;

struct Link {
    std::string target;      // as written
    std::string shown;       // what a reader sees in its place; empty: nothing, or the target itself
    bool is_source = false;  // fetched when shown (an image), not followed
};
// Those in plain text, at most MOST.
void find_links(std::string_view utf8, std::size_t most, std::vector<Link>& links);
// Those of HTML, and what its tags and attributes tell.
void read_html(std::string_view html, std::size_t most_links, Features& features, std::vector<Link>& links);
// SENDER is the domain of From.
void add_links(const std::vector<Link>& links, std::string_view sender, Features& features);

// Whether two different domains look the same to a hasty reader: paypa1.test and paypal.test.
bool looks_like(std::string_view one, std::string_view other);

}  // namespace gk::spam
