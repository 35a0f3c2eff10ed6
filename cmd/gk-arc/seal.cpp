// SPDX-License-Identifier: MIT
#include <cstdio>
#include <memory>

#include <fmt/format.h>

#include "cmd/gk-arc/arguments.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/mailauth/arc/forward.hpp"
#include "common/mailauth/authres/authres.hpp"
#include "common/mailauth/dkim/key_store.hpp"
#include "common/mailauth/domain.hpp"
#include "common/message/header.hpp"
#include "common/os/file.hpp"
#include "common/os/input.hpp"

namespace gk::arc_tool {

using namespace mailauth;

namespace {

constexpr std::size_t kMaxKeyFile = 64 * 1024;

Result<dkim::SignWith> key_of(const Arguments& a, const std::string& domain) {
    if (!a.key_file.empty()) {
        if (a.selector.empty())
            return fail(Errc::BadInput, "--key needs --selector: the name under which it is published");
        GK_TRY(const std::string pem, os::read_file(a.key_file, kMaxKeyFile));
        GK_TRY(auto loaded, PrivateKey::from_pem(pem));
        auto key = std::make_shared<PrivateKey>(std::move(loaded));
        return dkim::SignWith{domain, text::lower(a.selector), "", key->algorithm(),
                              [key](std::string_view digest) { return key->sign(digest); }};
    }
    const dkim::KeyStore store(config::Paths::under(a.dns.root).keys + "/dkim");
    GK_TRY(const auto keys, store.list(domain));
    // RFC 8617 knows RSA alone; Ed25519 is what nobody may be able to check.
    const dkim::StoredKey* chosen = nullptr;
    for (const auto& each : keys) {
        if (a.selector.empty() ? each.state != dkim::KeyState::Active : each.selector != text::lower(a.selector))
            continue;
        if (chosen == nullptr || each.algorithm == Algorithm::RsaSha256) chosen = &each;
    }
    if (chosen != nullptr) {
        GK_TRY(auto loaded, store.load(*chosen));
        auto key = std::make_shared<PrivateKey>(std::move(loaded));
        return dkim::SignWith{domain, chosen->selector, "", key->algorithm(),
                              [key](std::string_view digest) { return key->sign(digest); }};
    }
    return fail(Errc::NotFound, fmt::format("no key of {} {}", domain, a.selector.empty() ? "is active" : a.selector));
}

}  // namespace

int seal(const Arguments& a) {
    const std::string domain = dns_domain(a.domain);
    if (domain.empty()) return cli::usage("--domain is needed: the domain that seals");
    const auto key = key_of(a, domain);
    if (!key) return cli::fail(key.error());
    const auto input = os::Input::open(a.file);
    if (!input) return cli::fail(input.error());
    const auto bytes = input->bytes();

    // The chain as it is now counts, unless what is recorded says what it was when the message came.
    std::string header(bytes.substr(0, message::header_length(bytes)));
    std::string id = a.authserv_id.empty() ? domain : a.authserv_id;
    if (!a.results.empty()) {
        header = fmt::format("{}: {}\r\n", authres::kFieldName, a.results) + header;
        id = authres::lenient_id(a.results);
    }
    auto recorded = arc::recorded_results(header, {id});
    if (!recorded) return cli::fail(recorded.error());
    if (!recorded->status) {
        const auto source = open_source(a.dns);
        if (!source) return cli::fail(source.error());
        arc::Validator validator(to_unix_s(now()));
        validator.feed(bytes);
        const auto chain = validator.finish(**source);
        if (chain.temporary) return cli::fail(Error{Errc::Temporary, chain.reason, 0});
        recorded->status = chain.status;
    }
    arc::Sealer sealer({.timestamp_s = to_unix_s(now())});
    sealer.feed(bytes);
    auto fields = sealer.finish(*key, recorded->payload, *recorded->status);
    if (!fields) return cli::fail(fields.error());
    // A message with LF keeps them in its new fields.
    const auto first_end = bytes.find('\n');
    if (first_end != std::string_view::npos && (first_end == 0 || bytes[first_end - 1] != '\r'))
        *fields = text::replace_all(*fields, "\r\n", "\n");
    std::fwrite(fields->data(), 1, fields->size(), stdout);
    if (!a.fields_only) std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    if (std::fflush(stdout) != 0) return cli::fail(Error{Errc::Temporary, "cannot write standard output", 0});
    return 0;
}

}  // namespace gk::arc_tool
