// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "common/reports/unpack.hpp"

namespace gk::reports {

// The XML of RFC 9990, 3.1.1: begin, the records, end. Values that the schema does not know are replaced by the nearest
// one that it does; text is escaped, and what XML cannot hold is dropped.
std::string format_begin(const AggregateHead& head);
std::string format_record(const AggregateRecord& record);
std::string format_end();

// Reads a report by expat, in pieces of any size, in bounded memory: each record goes to the callback when it is
// complete. Both namespaces, and none, are read; elements that are not known are passed over. BadInput: not
// well-formed, not a report, a document type or entities, past LIMITS. One thread.
class AggregateParser {
public:
    using OnRecord = std::function<Status(AggregateRecord)>;
    AggregateParser(const ParseLimits& limits, OnRecord on_record);
    ~AggregateParser();
    AggregateParser(const AggregateParser&) = delete;

    Status feed(std::string_view piece);
    // The rest of the report, once all is fed. What RFC 9990 requires is there: organization, report id, dates, domain,
    // a record.
    Result<AggregateHead> finish();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gk::reports
