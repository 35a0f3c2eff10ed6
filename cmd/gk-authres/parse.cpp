// SPDX-License-Identifier: MIT
#include <cstdio>

#include <fmt/format.h>

#include "cmd/gk-authres/arguments.hpp"
#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/cli/cli.hpp"
#include "common/mailauth/authres/authres.hpp"
#include "common/message/header.hpp"
#include "common/os/input.hpp"

namespace gk::authres_tool {

using namespace mailauth;

namespace {

std::string properties_of(const authres::MethodResult& result) {
    std::vector<std::string> parts;
    for (const auto& each : result.properties)
        parts.push_back(fmt::format("{}.{}={}", each.type, each.name, each.value));
    return charset::valid_utf8(text::join(parts, " "));
}

}  // namespace

int parse(const Arguments& a) {
    const auto input = os::Input::open(a.file);
    if (!input) return cli::fail(input.error());
    std::size_t found = 0;
    bool malformed = false;
    cli::Rows rows(a.json, {"id", "method", "result", "properties", "reason"});
    message::FieldReader reader(input->bytes());
    for (message::Field field; reader.next(field);) {
        if (!text::equals_nocase(field.name, authres::kFieldName)) continue;
        if (!a.ids.empty() && !authres::claims(field.value, a.ids)) continue;
        ++found;
        const auto results = authres::parse(field.value);
        if (!results) {
            malformed = true;
            std::fprintf(stderr, "gk-authres: field %zu: %s\n", found, results.error().text.c_str());
            continue;
        }
        const std::string id = charset::valid_utf8(results->id);
        if (results->results.empty()) rows.add({id, std::string("none"), {}, {}, {}});
        for (const auto& each : results->results)
            rows.add({id, each.method, each.result, properties_of(each), charset::valid_utf8(each.reason)});
    }
    if (malformed) return 65;
    return found > 0 ? 0 : 1;
}

}  // namespace gk::authres_tool
