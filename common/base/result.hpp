// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace gk {

// What the caller may do about a failure. Each protocol maps these once: SMTP replies with enhanced
// status codes, IMAP response codes, sysexits (cli::exit_code).
enum class Errc {
    Temporary,    // try the same again later: disk full, peer away, lock held
    Permanent,    // will fail the same way again
    NotFound,     // the named thing does not exist
    Exists,       // the named thing is there already
    Denied,       // not permitted to this caller
    BadInput,     // the input is malformed, or past a configured limit
    Timeout,      // the peer was silent too long
    Closed,       // the peer ended the connection
    Unsupported,  // well-formed, but not something gk does
    Config,       // the configuration is wrong
    Bug,          // an assumption of ours does not hold
};

std::string_view errc_name(Errc code) noexcept;

// An error's text is built from the inside out: "cannot open 'x': Permission denied".
// Lower case, quoted names, no full stop.
struct [[nodiscard]] Error {
    Errc code = Errc::Bug;
    std::string text;
    int os_errno = 0;  // the system's errno where one caused this, else 0

    // The same error seen from one level further out: "CONTEXT: text".
    [[nodiscard]] Error in(std::string_view context) const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline Status ok() { return {}; }
[[nodiscard]] inline tl::unexpected<Error> fail(Errc code, std::string text) {
    return tl::unexpected<Error>(Error{code, std::move(text), 0});
}
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

// "WHAT: strerror(error_number)", with the code that the number stands for.
[[nodiscard]] Error os_error(int error_number, std::string_view what);
// The same from the calling thread's errno.
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string_view what);

#define GK_CONCAT_(a, b) a##b
#define GK_CONCAT(a, b) GK_CONCAT_(a, b)

// GK_CHECK(status_expr): returns the error to our caller, if there is one.
#define GK_CHECK(expr)                                                          \
    do {                                                                        \
        if (auto gk_status = (expr); !gk_status) [[unlikely]]                   \
            return ::tl::unexpected<::gk::Error>(std::move(gk_status).error()); \
    } while (false)

// GK_TRY(auto x, result_expr): declares x from the value, or returns the error to our caller.
#define GK_TRY(declaration, expr) GK_TRY_(GK_CONCAT(gk_result_, __LINE__), declaration, expr)
#define GK_TRY_(result, declaration, expr)                               \
    auto result = (expr);                                                \
    if (!result) [[unlikely]]                                            \
        return ::tl::unexpected<::gk::Error>(std::move(result).error()); \
    declaration = std::move(*result)

}  // namespace gk
