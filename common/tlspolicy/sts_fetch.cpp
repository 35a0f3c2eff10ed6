// SPDX-License-Identifier: MIT
#include "common/tlspolicy/sts_fetch.hpp"

#include <curl/curl.h>
#include <fmt/format.h>
#include <memory>
#include <mutex>

#include "common/base/text.hpp"
#include "common/tlspolicy/sts_policy.hpp"

namespace gk::tlspolicy {
namespace {

struct Body {
    std::string text;
    bool too_large = false;
};

std::size_t take(const char* bytes, std::size_t size, std::size_t count, void* target) {
    auto& body = *static_cast<Body*>(target);
    if (body.text.size() + size * count > kMostPolicyBytes) {
        body.too_large = true;
        return 0;
    }
    body.text.append(bytes, size * count);
    return size * count;
}

ResultType result_of_code(CURLcode code) noexcept {
    switch (code) {
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_INVALIDCERTSTATUS: return ResultType::StsWebpkiInvalid;
        default: return ResultType::StsPolicyFetchError;
    }
}

// RFC 8461, 3.3: other types hint at what a user of the web server put there. Parameters do not matter; a server that
// names no type is believed.
bool is_plain_text(const char* type) noexcept {
    if (type == nullptr) return true;
    const std::string_view whole(type);
    return text::equals_nocase(text::trim(whole.substr(0, whole.find(';'))), "text/plain");
}

}  // namespace

Fetched fetch_sts_policy(const std::string& domain, const std::vector<std::string>& ips, const FetchOptions& options) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(), curl_easy_cleanup);
    if (!handle) return {ResultType::StsPolicyFetchError, "cannot set up HTTPS"};
    CURL* curl = handle.get();
    const std::string host = "mta-sts." + domain;
    const std::string port = options.port == 443 ? "" : fmt::format(":{}", options.port);
    const std::string url = fmt::format("https://{}{}{}", host, port, kStsPath);
    // Names were resolved already, by the resolver that knows the configured servers and DNSSEC.
    std::string resolved = fmt::format("{}:{}:", host, options.port);
    for (std::size_t i = 0; i < ips.size(); ++i)
        resolved +=
            fmt::format("{}{}", i ? "," : "", ips[i].find(':') == std::string::npos ? ips[i] : '[' + ips[i] + ']');
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> known(
        curl_slist_append(nullptr, resolved.c_str()), curl_slist_free_all);
    Body body;
    char error[CURL_ERROR_SIZE] = "";
    const auto timeout_ms = static_cast<long>(options.timeout.count());
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!options.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.c_str());
    curl_easy_setopt(curl, CURLOPT_RESOLVE, known.get());
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "gk/" GK_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    const CURLcode code = curl_easy_perform(curl);
    const auto failed = [&](ResultType type, std::string_view why) {
        return Fetched{type, fmt::format("cannot fetch {}: {}", url, text::printable(why, 300))};
    };
    if (body.too_large)
        return failed(ResultType::StsPolicyFetchError, fmt::format("it has more than {} bytes", kMostPolicyBytes));
    if (code != CURLE_OK) return failed(result_of_code(code), *error ? error : curl_easy_strerror(code));
    long status = 0;
    char* type = nullptr;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    if (status != 200) return failed(ResultType::StsPolicyFetchError, fmt::format("the server answers {}", status));
    if (!is_plain_text(type))
        return failed(ResultType::StsPolicyFetchError, fmt::format("it is {}, not text/plain", type));
    return {ResultType::Success, std::move(body.text)};
}

}  // namespace gk::tlspolicy
