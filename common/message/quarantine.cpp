// SPDX-License-Identifier: MIT
#include "common/message/quarantine.hpp"

#include "common/base/text.hpp"
#include "common/message/header.hpp"

namespace gk::message {

bool is_quarantined(std::string_view message) noexcept {
    FieldReader reader(message);
    for (Field field; reader.next(field);) {
        if (text::equals_nocase(field.name, kQuarantineField)) return true;
        if (text::equals_nocase(field.name, "Received")) return false;
    }
    return false;
}

}  // namespace gk::message
