// SPDX-License-Identifier: MIT
// links: mailauth
#include <cstdlib>

#include "common/mailauth/authres/authres.hpp"
#include "common/mailauth/authres/field_filter.hpp"

// A field's body: what reads must read the same when written again, and never leave its field. The same bytes as a
// message: what a filter leaves must not depend on how it is split, and leave nothing to filter.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::mailauth::authres;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const std::vector<std::string> ids = {"mx.a.test"}, always = {"x-gk-quarantine"};
    (void)claims(bytes, ids);
    if (const auto read = parse(bytes)) {
        const std::string field = format(*read, true);
        for (std::size_t at = field.find('\n'); at + 1 < field.size(); at = field.find('\n', at + 1))
            if (field[at + 1] != '\t') std::abort();
        const auto again = parse(std::string_view(field).substr(kFieldName.size() + 1));
        if (!again || again->results.size() != read->results.size()) std::abort();
        for (std::size_t i = 0; i < read->results.size(); ++i)
            if (again->results[i].method != read->results[i].method ||
                again->results[i].result != read->results[i].result)
                std::abort();
    }
    const auto filtered = [&](std::string_view message, std::size_t step) {
        FieldFilter filter(ids, always);
        std::string out;
        const auto sink = [&out](std::string_view piece) { out += piece; };
        for (std::size_t at = 0; at < message.size(); at += step) filter.feed(message.substr(at, step), sink);
        filter.finish(sink);
        return out;
    };
    const std::string whole = filtered(bytes, size + 1);
    if (whole != filtered(bytes, 1 + size % 7)) std::abort();
    if (whole != filtered(whole, size + 1)) std::abort();
    return 0;
}
