// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/reports/store.hpp"
#include "common/reports/unpack.hpp"

// Reports that came in, from bytes to the database.
namespace gk::reports {

struct Ingested {
    enum class Outcome { Stored, Duplicate, Refused };
    Outcome outcome = Outcome::Refused;
    Kind kind = Kind::Dmarc;
    std::string name;  // of the attachment; empty for the input itself
    std::string domain, organization, report_id;
    std::string error;  // Refused: why
};

// The parts of a message that may be reports, decoded: by their type (RFC 9990, 3.5.2; RFC 8460, 5.3), or by the name
// of a file of no type. At most 20; those past LIMITS.size are cut, and will not unpack.
struct Attachment {
    std::string name, bytes;
};
std::vector<Attachment> find_reports(std::string_view message, const ParseLimits& limits);

// BYTES is a message, or a report itself, packed or not, of either kind. What is wrong with a report is in its
// Ingested; an error is the database's. A message without a report gives nothing.
Result<std::vector<Ingested>> ingest(std::string_view bytes, const ParseLimits& limits, Store& store, TimePoint now);

}  // namespace gk::reports
