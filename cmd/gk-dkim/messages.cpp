// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "cmd/gk-dkim/arguments.hpp"
#include "common/address/list.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/charset/charset.hpp"
#include "common/cli/cli.hpp"
#include "common/mailauth/dkim/sign.hpp"
#include "common/mailauth/dkim/verify.hpp"
#include "common/mailauth/domain.hpp"
#include "common/os/input.hpp"

namespace gk::dkim_tool {

using namespace mailauth;

namespace {

constexpr std::size_t kMaxKeyFile = 64 * 1024;

dkim::SignWith with_key(const std::string& domain, const std::string& selector, std::shared_ptr<PrivateKey> key) {
    return {domain, selector, "", key->algorithm(), [key](std::string_view digest) { return key->sign(digest); }};
}

// The domain that the message says it is from: that of its first author.
Result<std::string> author_domain(std::string_view message) {
    const auto from = message::find_field(message.substr(0, message::header_length(message)), "From");
    if (!from) return fail(Errc::BadInput, "the message has no From field");
    for (const auto& listed : address::parse_list(*from))
        if (listed.kind == address::Listed::Kind::Mailbox && !listed.domain.empty()) return domain_of(listed.domain);
    return fail(Errc::BadInput, "From names no domain: say which one with --domain");
}

// The keys of the store that sign for DOMAIN: the one named, else all that are active.
Result<std::vector<dkim::SignWith>> stored_keys(const Arguments& a, const std::string& domain) {
    GK_TRY(const auto store, open_store(a));
    std::vector<dkim::StoredKey> chosen;
    if (!a.selector.empty()) {
        GK_TRY(auto key, store.find(domain, text::lower(a.selector)));
        chosen.push_back(std::move(key));
    } else {
        GK_TRY(chosen, store.list(domain));
        std::erase_if(chosen, [](const dkim::StoredKey& key) { return key.state != dkim::KeyState::Active; });
    }
    // As the daemon does it: some verifiers look at the first signature only, and not all know Ed25519.
    std::stable_sort(chosen.begin(), chosen.end(),
                     [](const auto& x, const auto& y) { return x.algorithm < y.algorithm; });
    std::vector<dkim::SignWith> out;
    for (const auto& key : chosen) {
        GK_TRY(auto loaded, store.load(key));
        out.push_back(with_key(domain, key.selector, std::make_shared<PrivateKey>(std::move(loaded))));
    }
    if (out.empty()) return fail(Errc::NotFound, fmt::format("no key of {} is active", domain));
    return out;
}

Result<std::vector<dkim::SignWith>> keys_for(const Arguments& a, std::string_view message) {
    std::string domain;
    if (a.domain.empty()) {
        GK_TRY(domain, author_domain(message));
    } else {
        GK_TRY(domain, domain_of(a.domain));
    }
    if (a.key_file.empty()) return stored_keys(a, domain);
    if (a.selector.empty()) return fail(Errc::BadInput, "--key needs --selector: the name under which it is published");
    GK_TRY(const std::string pem, os::read_file(a.key_file, kMaxKeyFile));
    GK_TRY(auto key, PrivateKey::from_pem(pem));
    return std::vector{with_key(domain, text::lower(a.selector), std::make_shared<PrivateKey>(std::move(key)))};
}

bool set_canon(const std::string& value, dkim::SignOptions& options) {
    const auto slash = value.find('/');
    for (const auto canon : {Canon::Simple, Canon::Relaxed}) {
        if (value.substr(0, slash) == canon_name(canon)) options.header_canon = canon;
        if (slash != std::string::npos && value.substr(slash + 1) == canon_name(canon)) options.body_canon = canon;
    }
    return value == fmt::format("{}/{}", canon_name(options.header_canon), canon_name(options.body_canon));
}

}  // namespace

int sign(const Arguments& a) {
    dkim::SignOptions options;
    if (!set_canon(a.canon, options)) return cli::usage("--canon is HEADER/BODY, each simple or relaxed");
    options.timestamp_s = to_unix_s(now());
    if (!a.expires.empty()) {
        const auto seconds = text::to_duration_s(a.expires);
        if (!seconds || *seconds <= 0)
            return cli::usage(fmt::format("'{}' is no time such as 7d", text::printable(a.expires, 40)));
        options.expires_s = options.timestamp_s + *seconds;
    }
    const auto input = os::Input::open(a.file);
    if (!input) return cli::fail(input.error());
    const auto keys = keys_for(a, input->bytes());
    if (!keys) return cli::fail(keys.error());
    dkim::Signer signer(options);
    signer.feed(input->bytes());
    auto fields = signer.finish(*keys);
    if (!fields) return cli::fail(fields.error());
    // A message with LF keeps them in its new fields.
    const auto first_end = input->bytes().find('\n');
    const bool lf = first_end != std::string_view::npos && (first_end == 0 || input->bytes()[first_end - 1] != '\r');
    if (lf) *fields = text::replace_all(*fields, "\r\n", "\n");
    std::fwrite(fields->data(), 1, fields->size(), stdout);
    if (!a.fields_only) std::fwrite(input->bytes().data(), 1, input->bytes().size(), stdout);
    if (std::fflush(stdout) != 0) return cli::fail(Error{Errc::Temporary, "cannot write standard output", 0});
    return 0;
}

int verify(const Arguments& a) {
    const auto source = open_source(a.dns);
    if (!source) return cli::fail(source.error());
    dkim::Verifier verifier(to_unix_s(now()));
    if (const auto read = os::read_input(a.file, [&](std::string_view bytes) { verifier.feed(bytes); }); !read)
        return cli::fail(read.error());
    const auto all = verifier.finish(**source);
    bool passed = false, temporary = false;
    cli::Rows rows(
        a.json, {"check", "result", "domain", "selector", "identity", "algorithm", "bits", "testing", "b", "reason"});
    for (const auto& verified : all) {
        passed |= verified.verdict == dkim::Verdict::Pass;
        temporary |= verified.verdict == dkim::Verdict::TempError;
        rows.add({std::string("dkim"), std::string(dkim::verdict_name(verified.verdict)), verified.domain,
                  verified.selector, verified.identity, verified.algorithm,
                  static_cast<std::int64_t>(verified.key_bits), verified.testing, verified.signature_start,
                  verified.reason});
    }
    // A message without a signature has a verdict too.
    if (all.empty())
        rows.add({std::string("dkim"),
                  std::string("none"),
                  {},
                  {},
                  {},
                  {},
                  std::int64_t{0},
                  false,
                  {},
                  std::string("no signature")});
    return passed ? 0 : temporary ? 75 : 1;
}

}  // namespace gk::dkim_tool
