// SPDX-License-Identifier: MIT
#include "common/base/result.hpp"

#include <fmt/format.h>
#include <cerrno>
#include <cstring>

namespace gk {

std::string_view errc_name(Errc code) noexcept {
    switch (code) {
        case Errc::Temporary: return "temporary";
        case Errc::Permanent: return "permanent";
        case Errc::NotFound: return "not-found";
        case Errc::Exists: return "exists";
        case Errc::Denied: return "denied";
        case Errc::BadInput: return "bad-input";
        case Errc::Timeout: return "timeout";
        case Errc::Closed: return "closed";
        case Errc::Unsupported: return "unsupported";
        case Errc::Config: return "config";
        case Errc::Bug: return "bug";
    }
    return "bug";
}

Error Error::in(std::string_view context) const { return {code, fmt::format("{}: {}", context, text), os_errno}; }

namespace {

Errc code_of(int error_number) {
    switch (error_number) {
        case ENOENT:
        case ENOTDIR: return Errc::NotFound;
        case EEXIST:
        case ENOTEMPTY: return Errc::Exists;
        case EACCES:
        case EPERM: return Errc::Denied;
        case ETIMEDOUT: return Errc::Timeout;
        case EPIPE:
        case ECONNRESET: return Errc::Closed;
        case EINVAL:
        case ENAMETOOLONG:
        case ELOOP: return Errc::Permanent;
        default: return Errc::Temporary;  // no space, quota, I/O error, too many open files, …
    }
}

}  // namespace

Error os_error(int error_number, std::string_view what) {
    char buffer[128];
    const char* reason = ::strerror_r(error_number, buffer, sizeof buffer);
    return {code_of(error_number), fmt::format("{}: {}", what, reason), error_number};
}

tl::unexpected<Error> fail_errno(std::string_view what) { return tl::unexpected<Error>(os_error(errno, what)); }

}  // namespace gk
