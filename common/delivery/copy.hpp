// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/delivery/deliverer.hpp"

namespace gk::delivery {

// One message for one mailbox, and whom it serves.
struct Deliverer::Copy {
    directory::Resolution::Target target;
    std::vector<std::size_t> recipients;  // indices; the first one is named in the file
    std::optional<store::Quota> quota{};
    Answer answer{};
    std::vector<Filed> filed{};
    std::vector<Deed> deeds{};
    std::string spool_id{};
    std::string error{};
    bool retry_later = false;  // a failure that may pass
    bool rejected = false;     // by a script: the sender is to be told
};

// Where something of ours fails, and may work later.
inline const Answer kNotNow{451, "4.3.0", "cannot deliver now, try again later"};
// The answer to a failure of ours.
Answer answer_for(const Error& error);
// The values of all Delivered-To fields, canonical where they are addresses.
std::vector<std::string> delivered_to(std::string_view message);

}  // namespace gk::delivery
