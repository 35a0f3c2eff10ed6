// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dkim/header_fields.hpp"
#include "common/mailauth/dkim/signature.hpp"

// The fields of an Authenticated Received Chain (RFC 8617, 4).
namespace gk::mailauth::arc {

constexpr unsigned kMostSets = 50;  // 4.2.1

enum class Status { None, Pass, Fail };  // 4.4
std::string_view status_name(Status status) noexcept;

// One ARC set: fields by their position in the header.
struct Set {
    std::size_t results = 0, message = 0, seal = 0;  // AAR, AMS, AS
    dkim::Signature message_signature, seal_signature;
    Status cv = Status::None;
    std::string payload;  // of AAR, behind its instance: what authres::parse reads
};

// The sets of a message, found and read, without a question to DNS.
struct Sets {
    Status status = Status::None;  // Pass: the structure is sound (5.2, steps 1 to 3)
    std::string reason;            // where it is Fail; untrusted bytes escaped
    std::vector<Set> sets;         // [0] has instance 1; empty unless it is Pass
};
Sets find_sets(const HeaderFields& fields);

// The instance and what follows it: "i=1; mx.a.test; spf=pass". BadInput where it does not begin so (4.1.1).
struct ResultsField {
    unsigned instance = 0;
    std::string_view payload;  // a view into VALUE
};
Result<ResultsField> parse_results_field(std::string_view value);

}  // namespace gk::mailauth::arc
