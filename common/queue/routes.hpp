// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/tlspolicy/demand.hpp"

namespace gk::queue {

// Where the mail of a domain is taken.
struct Route {
    enum class Kind {
        Mx,        // HOST is the domain: by DNS
        Host,      // HOST (a name, or an IP literal) and PORT
        LmtpUnix,  // PATH
        LmtpHost,  // HOST and PORT, by LMTP
    };
    Kind kind = Kind::Mx;
    std::string host, path;
    std::uint16_t port = 0;
    tlspolicy::Wish wish = tlspolicy::Wish::None;  // of the messages that go this way
    std::string sender = {};                       // the row of queue.sender_addresses that they go by; empty for none
    bool is_lmtp() const noexcept { return kind == Kind::LmtpUnix || kind == Kind::LmtpHost; }
    // Equal for routes that may share connections; for people too: "b.test", "[192.0.2.1]:25", "lmtp:unix:/run/…".
    std::string key() const;
};

// "mx.b.test:2525", "[192.0.2.1]:25", "[2001:db8::1]:25", "192.0.2.1:25", "smart.test", "lmtp:unix:/path",
// "lmtp:host:24".
Result<Route> parse_route(std::string_view text, std::uint16_t default_port = 25);

// What is chosen by the reverse-path: rows are an address, a domain, ".domain" for what lies below one, "*" for all
// else.
struct SenderTables {
    std::map<std::string, std::string> routes;  // values as for parse_route
    std::set<std::string> addresses;            // the rows of queue.sender_addresses
};

// Decides by, in this order: a configured route for the domain, one for a parent (".b.test"), local domains, an address
// literal, a route of the sender, "*", MX.
class Routes {
public:
    using IsLocal = std::function<Result<bool>(std::string_view domain)>;
    static Result<Routes> create(const std::map<std::string, std::string>& table, std::uint16_t mx_port,
                                 IsLocal is_local, const std::string& local_socket, const SenderTables& senders = {});
    // DOMAIN in lower case and A-labels; a literal is connected to as it stands. BadInput for a broken literal.
    // REVERSE_PATH without <>; the null one has no row but "*".
    Result<Route> find(std::string_view domain, std::string_view reverse_path = {}) const;

private:
    Result<Route> find_by_domain(std::string_view domain, std::string_view reverse_path) const;
    std::map<std::string, Route, std::less<>> table_, sender_routes_;
    std::map<std::string, std::string, std::less<>> sender_rows_;
    std::uint16_t mx_port_ = 25;
    IsLocal is_local_;
    Route local_;
};

}  // namespace gk::queue
