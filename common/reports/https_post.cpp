// SPDX-License-Identifier: MIT
#include "common/reports/https_post.hpp"

#include <curl/curl.h>
#include <fmt/format.h>
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

Status https_post(const std::string& uri, std::string_view body, mailauth::DnsSource& dns, const PostOptions& options) {
    static const bool ready = ::curl_global_init(CURL_GLOBAL_DEFAULT) == 0;
    const std::unique_ptr<CURL, FreeCurl> curl(ready ? ::curl_easy_init() : nullptr);
    if (!curl) return fail(Errc::Temporary, "cannot begin an HTTPS request");

    std::string_view authority = std::string_view(uri).substr(std::min<std::size_t>(8, uri.size()));
    authority = authority.substr(0, authority.find_first_of("/?#"));
    const auto colon = authority.rfind(':');
    const std::string host = mailauth::dns_domain(authority.substr(0, colon));
    const auto port = colon == std::string_view::npos ? std::optional<std::uint64_t>(443)
                                                      : text::to_uint(authority.substr(colon + 1));
    if (!text::starts_with_nocase(uri, "https://") || host.empty() || !port || *port == 0 || *port > 65535)
        return fail(Errc::Permanent, fmt::format("'{}' is no https: URI", text::printable(uri)));
    if (*port != 443 && !options.private_addresses)
        return fail(Errc::Permanent, fmt::format("reports do not go to port {}", *port));

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
    append(resolve, fmt::format("{}:{}:{}", host, *port, text::join(addresses, ",")));
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
