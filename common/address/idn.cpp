// SPDX-License-Identifier: MIT
#include <idn2.h>

#include <cstdlib>
#include <memory>

#include "common/address/path.hpp"
#include "common/base/text.hpp"

namespace gk::address {

namespace {

struct Free {
    void operator()(char* p) const noexcept { ::idn2_free(p); }
};
using Owned = std::unique_ptr<char, Free>;

}  // namespace

Result<std::string> to_a_labels(std::string_view domain) {
    if (domain.size() > 1 && domain.back() == '.') domain.remove_suffix(1);
    GK_CHECK(check_domain(domain));
    // An ASCII name needs no library, and one with '_' must not meet its letter-digit-hyphen check.
    if (domain[0] == '[' || text::is_ascii(domain)) return text::lower(domain);
    char* made = nullptr;
    const int code = ::idn2_to_ascii_8z(std::string(domain).c_str(), &made, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const Owned owned(made);
    if (code != IDN2_OK)
        return fail(Errc::BadInput,
                    "domain '" + std::string(domain) + "' cannot be written in ASCII: " + ::idn2_strerror(code));
    std::string out = text::lower(made);
    if (!out.empty() && out.back() == '.') out.pop_back();  // the ideographic full stop maps to one
    GK_CHECK(check_domain(out, false, false));
    return out;
}

std::string to_u_labels(std::string_view domain) {
    std::string in = text::lower(domain);
    if (in.find("xn--") == std::string::npos || in.find('\0') != std::string::npos || !text::is_utf8(in)) return in;
    char* made = nullptr;
    const int code = ::idn2_to_unicode_8z8z(in.c_str(), &made, 0);
    const Owned owned(made);
    return code == IDN2_OK ? std::string(made) : in;
}

}  // namespace gk::address
