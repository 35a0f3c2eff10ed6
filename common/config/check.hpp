// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/config.hpp"
#include "common/config/document.hpp"

// One value against its row of the table of settings.
namespace gk::config {

struct Checked {
    bool boolean = false;
    std::int64_t number = 0;  // also bytes and seconds
    std::string text;         // as given, for Size, Duration and String
    std::vector<std::string> list;
};

Result<Checked> check_scalar(const Setting& setting, const Scalar& value);
// From plain text (defaults, command lines); SEPARATOR parts the entries of a list.
Result<Checked> check_text(const Setting& setting, std::string_view text, char separator);

std::string wrong_type(const Setting& setting);            // "'smtp.max_size' must be a size, such as "50MB""
std::string unknown(std::string_view key, bool is_table);  // "unknown setting 'x'; did you mean 'y'?"
bool is_section(std::string_view key) noexcept;            // some setting's key begins with KEY and a dot

}  // namespace gk::config
