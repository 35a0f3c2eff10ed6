// SPDX-License-Identifier: MIT
#include "common/config/document.hpp"

#include <toml++/toml.h>

#include "common/base/text.hpp"

namespace gk::config {

namespace {

Scalar scalar(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::table: return IsTable{};
        case toml::node_type::boolean: return node.as_boolean()->get();
        case toml::node_type::integer: return node.as_integer()->get();
        case toml::node_type::string: return node.as_string()->get();
        case toml::node_type::floating_point: return Unusable{"a fraction"};
        case toml::node_type::array: {
            std::vector<std::string> items;
            for (const toml::node& item : *node.as_array()) {
                if (!item.is_string()) return Unusable{"a list of something other than strings"};
                items.push_back(item.as_string()->get());
            }
            return items;
        }
        default: return Unusable{"a date or time"};
    }
}

// Depth is bounded by toml++ (256 nested values).
void flatten(const toml::table& table, std::vector<std::string>& path, std::vector<Entry>& out) {
    for (const auto& [key, node] : table) {
        path.emplace_back(key.str());
        const toml::source_region& at = node.source();
        Entry entry{path, scalar(node), {at.begin.line, at.begin.column}, {at.end.line, at.end.column}};
        // A table made only by a dotted header has no place of its own: that of its key will do.
        if (entry.begin.line == 0) entry.begin = {key.source().begin.line, key.source().begin.column};
        out.push_back(std::move(entry));
        if (const toml::table* inner = node.as_table()) flatten(*inner, path, out);
        path.pop_back();
    }
}

}  // namespace

std::string Entry::key() const { return text::join(path, "."); }

Result<std::vector<Entry>> read_document(std::string_view toml, std::string_view name) {
    std::vector<Entry> entries;
    try {
        std::vector<std::string> path;
        flatten(toml::parse(toml), path, entries);
    } catch (const toml::parse_error& error) {
        std::string why(error.description());
        constexpr std::string_view noise = "Error while parsing ";
        if (why.starts_with(noise)) why = "cannot read " + why.substr(noise.size());
        return fail(Errc::Config, fmt::format("{}:{}: {}", name, error.source().begin.line, why));
    }
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.begin.line < b.begin.line; });
    return entries;
}

}  // namespace gk::config
