// SPDX-License-Identifier: MIT
#include "common/tlspolicy/publish.hpp"

#include <openssl/evp.h>
#include <algorithm>

#include "common/base/text.hpp"
#include "common/tls/identities.hpp"

namespace gk::tlspolicy {

Result<std::vector<OwnTlsa>> own_tlsa(const config::Config& config) {
    GK_TRY(const auto identities,
           tls::find_identities(config.string("tls.certificate"), config.string("tls.key"), config.paths().keys));
    std::vector<OwnTlsa> records;
    for (const auto& identity : identities) {
        GK_TRY(const auto chain, tls::read_chain(identity.certificate_path));
        OwnTlsa own{identity.certificate_path, {}, {}};
        GK_TRY(own.facts, tls::read_certificate(chain.front()));
        GK_TRY(own.record, tls::make_tlsa(chain.front(), 3, 1, 1));
        records.push_back(std::move(own));
    }
    return records;
}

std::optional<OwnSts> own_sts(const config::Config& config, const std::vector<std::string>& mx_hosts) {
    const auto& mode = config.string("mta_sts.mode");
    if (mode == "off") return {};
    OwnSts own;
    own.policy.mode = mode == "enforce" ? StsMode::Enforce : mode == "testing" ? StsMode::Testing : StsMode::None;
    own.policy.max_age_s = config.duration_s("mta_sts.max_age");
    own.policy.mx = mx_hosts;
    std::sort(own.policy.mx.begin(), own.policy.mx.end());
    own.policy.mx.erase(std::unique(own.policy.mx.begin(), own.policy.mx.end()), own.policy.mx.end());
    own.text = format_sts_policy(own.policy);
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(own.text.data(), own.text.size(), hash, &size, EVP_sha256(), nullptr) == 1)
        own.id = text::to_hex({reinterpret_cast<char*>(hash), 10});
    own.record = format_sts_record(own.id);
    return own;
}

}  // namespace gk::tlspolicy
