// SPDX-License-Identifier: MIT
#include "common/reports/https_post.hpp"

#include <curl/curl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"
#include "common/mailauth/ip.hpp"

namespace gk::reports {
namespace {

struct FreeCurl {
    void operator()(CURL* curl) const noexcept { ::curl_easy_cleanup(curl); }
};
struct FreeList {
    void operator()(curl_slist* list) const noexcept { ::curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, FreeList>;

void append(List& list, const std::string& text) { list.reset(::curl_slist_append(list.release(), text.c_str())); }

// What the server says is of no use; a flood of it ends the transfer.
std::size_t drop(char*, std::size_t size, std::size_t count, void* so_far) {
    auto& total = *static_cast<std::size_t*>(so_far);
    total += size * count;
    return total > 64 * 1024 ? 0 : size * count;
}

// The last gate, for whatever libcurl is about to connect to.
curl_socket_t open_public_socket(void*, curlsocktype, curl_sockaddr* to) {
    char ip[NI_MAXHOST];
    if (::getnameinfo(&to->addr, to->addrlen, ip, sizeof ip, nullptr, 0, NI_NUMERICHOST) != 0 || !is_public_address(ip))
        return CURL_SOCKET_BAD;
    return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

struct Network {
    const char* address;
    unsigned prefix;
};
// RFC 6890 and its registries, as far as packets might arrive.
constexpr Network kPrivate[] = {{"0.0.0.0", 8},      {"10.0.0.0", 8},     {"100.64.0.0", 10}, {"127.0.0.0", 8},
                                {"169.254.0.0", 16}, {"172.16.0.0", 12},  {"192.0.0.0", 24},  {"192.168.0.0", 16},
                                {"198.18.0.0", 15},  {"224.0.0.0", 4},    {"240.0.0.0", 4},   {"::", 96},
                                {"64:ff9b::", 96},   {"64:ff9b:1::", 48}, {"fc00::", 7},      {"fe80::", 10},
                                {"fec0::", 10},      {"ff00::", 8}};

}  // namespace

bool is_public_address(std::string_view text) {
    const auto parsed = mailauth::Ip::parse(text);
    if (!parsed) return false;
    const auto ip = parsed->without_mapping();
    for (const auto& network : kPrivate) {
        const auto base = mailauth::Ip::parse(network.address);
        if (base && ip.in(*base, network.prefix)) return false;
    }
    return true;
}

std::optional<PostHost> host_of_uri(std::string_view uri) {
    if (!text::starts_with_nocase(uri, "https://")) return std::nullopt;
    std::string_view authority = uri.substr(8);
    authority = authority.substr(0, authority.find_first_of("/?#"));
    PostHost out;
    if (const auto colon = authority.find(':'); colon != std::string_view::npos) {
        const auto port = text::to_uint(authority.substr(colon + 1));
        if (!port || *port == 0 || *port > 65535) return std::nullopt;
        out.port = static_cast<std::uint16_t>(*port);
        authority = authority.substr(0, colon);
    }
    for (const char ch : authority)
        if (!text::is_alpha(ch) && !text::is_digit(ch) && ch != '.' && ch != '-') return std::nullopt;
    if (authority.ends_with('.')) return std::nullopt;
    out.name = mailauth::dns_domain(authority);
    // "127.1" and "0x7f.1" are addresses to some; no top-level domain begins with a digit.
    if (out.name.empty() || text::is_digit(out.name[out.name.rfind('.') + 1])) return std::nullopt;
    return out;
}

Status https_post(const std::string& uri, std::string_view body, mailauth::DnsSource& dns, const PostOptions& options) {
    static const bool ready = ::curl_global_init(CURL_GLOBAL_DEFAULT) == 0;
    const std::unique_ptr<CURL, FreeCurl> curl(ready ? ::curl_easy_init() : nullptr);
    if (!curl) return fail(Errc::Temporary, "cannot begin an HTTPS request");

    const auto to = host_of_uri(uri);
    if (!to) return fail(Errc::Permanent, fmt::format("'{}' is no https: URI of a host", text::printable(uri)));
    const std::string& host = to->name;
    if (to->port != 443 && !options.private_addresses)
        return fail(Errc::Permanent, fmt::format("reports do not go to port {}", to->port));

    std::vector<std::string> addresses;
    std::string why;
    for (const auto& lookup : {dns.aaaa(host), dns.a(host)}) {
        addresses.insert(addresses.end(), lookup.records.begin(), lookup.records.end());
        if (lookup.outcome == mailauth::Outcome::TempError) why = lookup.error;
    }
    if (addresses.empty())
        return why.empty() ? fail(Errc::Permanent, fmt::format("there is no host {}", host))
                           : fail(Errc::Temporary, fmt::format("no address of {}: {}", host, why));
    if (!options.private_addresses)
        std::erase_if(addresses, [](const std::string& ip) { return !is_public_address(ip); });
    if (addresses.empty()) return fail(Errc::Permanent, fmt::format("{} has private addresses only", host));
    List resolve, headers;
    append(resolve, fmt::format("{}:{}:{}", host, to->port, text::join(addresses, ",")));
    append(headers, "Content-Type: " + options.media_type);
    append(headers, "Expect:");

    std::size_t received = 0;
    char error[CURL_ERROR_SIZE] = {};
    CURL* const c = curl.get();
    ::curl_easy_setopt(c, CURLOPT_URL, uri.c_str());
    ::curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    ::curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    ::curl_easy_setopt(c, CURLOPT_PROXY, "");
    ::curl_easy_setopt(c, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    ::curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    ::curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    ::curl_easy_setopt(c, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    // As OpenSSL's own programs do; libcurl looks at it in its command alone.
    if (const char* file = std::getenv("SSL_CERT_FILE")) ::curl_easy_setopt(c, CURLOPT_CAINFO, file);
    ::curl_easy_setopt(c, CURLOPT_RESOLVE, resolve.get());
    if (!options.private_addresses) ::curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, &open_public_socket);
    ::curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers.get());
    ::curl_easy_setopt(c, CURLOPT_USERAGENT, "gk-tlsrpt/" GK_VERSION);
    ::curl_easy_setopt(c, CURLOPT_POST, 1L);
    ::curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.data());
    ::curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    ::curl_easy_setopt(c, CURLOPT_TIMEOUT, static_cast<long>(options.timeout_s));
    ::curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, static_cast<long>(std::min<std::int64_t>(options.timeout_s, 20)));
    ::curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop);
    ::curl_easy_setopt(c, CURLOPT_WRITEDATA, &received);
    ::curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
    const CURLcode done = ::curl_easy_perform(c);
    if (done != CURLE_OK && done != CURLE_WRITE_ERROR)
        return fail(Errc::Temporary,
                    fmt::format("cannot post to {}: {}", host,
                                error[0] != '\0' ? text::printable(error) : ::curl_easy_strerror(done)));
    long status = 0;
    ::curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) return ok();
    const bool for_good = status >= 300 && status < 500 && status != 408 && status != 429;
    return fail(for_good ? Errc::Permanent : Errc::Temporary, fmt::format("{} answered {}", host, status));
}

}  // namespace gk::reports
