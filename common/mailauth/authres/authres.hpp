// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

// The Authentication-Results field (RFC 8601), and what ARC-Authentication-Results carries (RFC 8617, 4.1.1).
namespace gk::mailauth::authres {

struct Property {
    std::string type, name, value;  // smtp.mailfrom=ann@a.test; the value as meant, without quotes
    bool operator==(const Property&) const = default;
};

// One resinfo: spf=pass reason="…" (a comment) smtp.mailfrom=ann@a.test.
struct MethodResult {
    std::string method;  // lower case
    unsigned version = 1;
    std::string result;  // lower case
    std::string reason;  // empty: none was given
    std::vector<Property> properties = {};
    // For people, written behind the result. Comments that are read are not kept.
    std::string comment = {};
    bool operator==(const MethodResult&) const = default;
};

struct AuthenticationResults {
    std::string id;  // authserv-id, without quotes
    unsigned version = 1;
    std::vector<MethodResult> results;  // empty: "none"
    bool operator==(const AuthenticationResults&) const = default;
};

constexpr std::string_view kFieldName = "Authentication-Results";

// VALUE is a field's body, folded or not. BadInput for what the grammar of RFC 8601, 2.2 does not know, in an id that
// it cannot be told whose it is as well as in results. UTF-8 is permitted everywhere (2.2, RFC 6532).
Result<AuthenticationResults> parse(std::string_view value);

// The field's body, folded, without name and last line end: "mx.a.test;\r\n\tspf=pass …". What is no token is quoted,
// what no field can hold (controls) dropped. Unless UTF8, values beyond ASCII are left out with their names.
std::string format_body(const AuthenticationResults& results, bool utf8);
// The whole field with CRLF.
std::string format(const AuthenticationResults& results, bool utf8);

// The authserv-id of a field's body, read as leniently as any reader may: empty where none can be told.
std::string lenient_id(std::string_view value);
// Whether a reader may take a field with this body for one of IDS (case, final dots, A-labels and quoting aside), or
// cannot tell whose it is.
bool claims(std::string_view value, const std::vector<std::string>& ids);

}  // namespace gk::mailauth::authres
