// SPDX-License-Identifier: MIT
#include "common/mailauth/resolver_source.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"

namespace gk::mailauth {
namespace {

// Labels of policies hold what a local part holds ("ann+x._spf.a.test"): such bytes are asked for as \DDD.
std::string presentation(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_' || c == '.') out += c;
        else out += fmt::format("\\{:03}", static_cast<unsigned char>(c));
    }
    return out;
}

template <class Record>
Lookup<Record> convert(Result<dns::Answer<Record>> answer) {
    Lookup<Record> lookup;
    if (!answer) {
        if (answer.error().code == Errc::BadInput) return lookup;
        lookup.outcome = Outcome::TempError;
        lookup.error = std::move(answer.error().text);
        return lookup;
    }
    lookup.secure = answer->security == dns::Security::Secure;
    lookup.no_domain = answer->existence == dns::Existence::NoDomain;
    if (answer->existence != dns::Existence::Found) return lookup;
    lookup.outcome = Outcome::Found;
    lookup.records = std::move(answer->records);
    return lookup;
}

}  // namespace

Lookup<std::string> ResolverSource::txt(std::string_view name) {
    return convert(resolver_.txt(presentation(name), latest()));
}
Lookup<std::string> ResolverSource::a(std::string_view name) {
    return convert(resolver_.a(presentation(name), latest()));
}
Lookup<std::string> ResolverSource::aaaa(std::string_view name) {
    return convert(resolver_.aaaa(presentation(name), latest()));
}
Lookup<dns::Mx> ResolverSource::mx(std::string_view name) {
    return convert(resolver_.mx(presentation(name), latest()));
}
Lookup<std::string> ResolverSource::ptr(std::string_view ip) { return convert(resolver_.ptr(ip, latest())); }

}  // namespace gk::mailauth
