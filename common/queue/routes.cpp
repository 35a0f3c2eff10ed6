// SPDX-License-Identifier: MIT
#include "common/queue/routes.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include "common/base/text.hpp"

namespace gk::queue {
namespace {

bool is_ip(const std::string& s) {
    unsigned char bytes[16];
    return inet_pton(AF_INET, s.c_str(), bytes) == 1 || inet_pton(AF_INET6, s.c_str(), bytes) == 1;
}

// RFC 5321, 4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]".
Result<std::string> literal_ip(std::string_view domain) {
    const auto bad = [&] {
        return fail(Errc::BadInput, fmt::format("'{}' is not an address literal", text::printable(domain, 80)));
    };
    if (!domain.ends_with(']')) return bad();
    auto inside = domain.substr(1, domain.size() - 2);
    if (text::starts_with_nocase(inside, "IPv6:")) inside.remove_prefix(5);
    std::string ip(inside);
    if (!is_ip(ip)) return bad();
    return ip;
}

// The row of TABLE for a reverse-path; its end where there is none.
template <class Table>
auto find_sender(const Table& table, std::string_view reverse_path) {
    const std::string sender = text::lower(reverse_path);
    if (const auto at = sender.rfind('@'); at != std::string::npos) {
        if (const auto own = table.find(sender); own != table.end()) return own;
        const auto domain = std::string_view(sender).substr(at + 1);
        if (const auto whole = table.find(domain); whole != table.end()) return whole;
        for (auto dot = domain.find('.'); dot != std::string_view::npos; dot = domain.find('.', dot + 1))
            if (const auto parent = table.find(domain.substr(dot)); parent != table.end()) return parent;
    }
    return table.find("*");
}

}  // namespace

std::string Route::key() const {
    if (kind == Kind::LmtpUnix) return "lmtp:unix:" + path;
    std::string suffix = wish == tlspolicy::Wish::RequireTls    ? " (REQUIRETLS)"
                         : wish == tlspolicy::Wish::TlsOptional ? " (TLS-Required: No)"
                                                                : "";
    // Connections from one address of ours carry no mail that belongs to another.
    if (!sender.empty() && sender != "*" && !is_lmtp()) suffix += fmt::format(" (from {})", sender);
    if (kind == Kind::Mx) return fmt::format("{}{}", host, suffix);
    const std::string_view prefix = kind == Kind::LmtpHost ? "lmtp:" : "";
    return is_ip(host) ? fmt::format("{}[{}]:{}{}", prefix, host, port, suffix)
                       : fmt::format("{}{}:{}{}", prefix, host, port, suffix);
}

Result<Route> parse_route(std::string_view s, std::uint16_t default_port) {
    const auto bad = [whole = s] {
        return fail(Errc::Config, fmt::format("'{}' is not a route: host:port, [ip]:port or lmtp:unix:/path",
                                              text::printable(whole, 80)));
    };
    Route route;
    route.kind = Route::Kind::Host;
    route.port = default_port;
    if (s.starts_with("lmtp:unix:/")) {
        route.kind = Route::Kind::LmtpUnix;
        route.path = s.substr(10);
        return route;
    }
    if (s.starts_with("lmtp:")) {
        route.kind = Route::Kind::LmtpHost;
        route.port = 24;
        s.remove_prefix(5);
    }
    std::string_view port;
    if (s.starts_with('[')) {
        const auto end = s.find(']');
        if (end == std::string_view::npos) return bad();
        route.host = s.substr(1, end - 1);
        auto rest = s.substr(end + 1);
        if (!rest.empty() && rest[0] != ':') return bad();
        if (!rest.empty()) port = rest.substr(1);
        if (!rest.empty() && port.empty()) return bad();
    } else {
        const auto colon = s.find(':');
        route.host = text::lower(s.substr(0, colon));
        if (colon != std::string_view::npos) {
            port = s.substr(colon + 1);
            if (port.empty()) return bad();
        }
    }
    if (!port.empty()) {
        const auto number = text::to_uint(port);
        if (!number || *number == 0 || *number > 65535) return bad();
        route.port = static_cast<std::uint16_t>(*number);
    }
    if (route.host.empty()) return bad();
    for (const char c : route.host)
        if (!text::is_alpha(c) && !text::is_digit(c) && c != '.' && c != '-' && c != '_' && c != ':') return bad();
    return route;
}

Result<Routes> Routes::create(const std::map<std::string, std::string>& table, std::uint16_t mx_port, IsLocal is_local,
                              const std::string& local_socket, const SenderTables& senders) {
    Routes routes;
    for (const auto& [domain, value] : table) {
        auto route = parse_route(value);
        if (!route) return fail(route.error().in(fmt::format("queue.routes: '{}'", domain)));
        routes.table_[text::lower(domain)] = std::move(*route);
    }
    for (const auto& [sender, value] : senders.routes) {
        auto route = parse_route(value);
        if (!route) return fail(route.error().in(fmt::format("queue.sender_routes: '{}'", sender)));
        routes.sender_routes_[text::lower(sender)] = std::move(*route);
    }
    for (const auto& sender : senders.addresses) routes.sender_rows_[text::lower(sender)] = sender;
    routes.mx_port_ = mx_port;
    routes.is_local_ = std::move(is_local);
    routes.local_.kind = Route::Kind::LmtpUnix;
    routes.local_.path = local_socket;
    return routes;
}

Result<Route> Routes::find(std::string_view domain, std::string_view reverse_path) const {
    GK_TRY(auto route, find_by_domain(domain, reverse_path));
    if (const auto row = find_sender(sender_rows_, reverse_path); !route.is_lmtp() && row != sender_rows_.end())
        route.sender = row->second;
    return route;
}

Result<Route> Routes::find_by_domain(std::string_view domain, std::string_view reverse_path) const {
    if (const auto own = table_.find(domain); own != table_.end()) return own->second;
    for (auto dot = domain.find('.'); dot != std::string_view::npos; dot = domain.find('.', dot + 1))
        if (const auto parent = table_.find(domain.substr(dot)); parent != table_.end()) return parent->second;
    if (is_local_) {
        GK_TRY(const bool local, is_local_(domain));
        if (local) return local_;
    }
    Route route;
    if (domain.starts_with('[')) {
        GK_TRY(route.host, literal_ip(domain));
        route.kind = Route::Kind::Host;
        route.port = mx_port_;
        return route;
    }
    if (const auto own = find_sender(sender_routes_, reverse_path); own != sender_routes_.end()) return own->second;
    if (const auto rest = table_.find("*"); rest != table_.end()) return rest->second;
    route.host = domain;
    route.port = mx_port_;
    return route;
}

}  // namespace gk::queue
