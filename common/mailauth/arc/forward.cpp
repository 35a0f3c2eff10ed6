// SPDX-License-Identifier: MIT
#include "common/mailauth/arc/forward.hpp"

#include "common/base/text.hpp"
#include "common/mailauth/authres/authres.hpp"

namespace gk::mailauth::arc {

Result<Recorded> recorded_results(std::string_view header, const std::vector<std::string>& ids) {
    const HeaderFields fields(header);
    const auto* positions = fields.named(text::lower(authres::kFieldName));
    if (positions == nullptr) return fail(Errc::NotFound, "the message has no Authentication-Results field");
    for (const auto position : *positions) {
        const auto value = fields.all()[position].value;
        if (!authres::claims(value, ids)) continue;
        GK_TRY(const auto results, authres::parse(value));
        Recorded recorded;
        recorded.payload = text::trim(value);
        bool any = false;
        for (const auto& each : results.results) {
            any |= each.method != "auth";
            if (each.method != "arc") continue;
            for (const auto status : {Status::None, Status::Pass, Status::Fail})
                if (each.result == status_name(status)) recorded.status = status;
        }
        // A message without sets when it came, of which its receiver says nothing more.
        if (!recorded.status && any && fields.count("arc-seal") == 0) recorded.status = Status::None;
        return recorded;
    }
    return fail(Errc::NotFound, "no Authentication-Results field is ours");
}

}  // namespace gk::mailauth::arc
