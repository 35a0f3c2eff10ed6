// SPDX-License-Identifier: MIT
#include "common/dkim_client/wire.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/text.hpp"
#include "common/base/wire_line.hpp"

namespace gk::dkim_client {
namespace {

constexpr std::string_view kCodeNames[] = {"no-key", "temp", "malformed"};

Result<std::string> need_bytes(const WireLine& line, std::string_view key) {
    GK_TRY(auto bytes, line.maybe_bytes(key));
    if (!bytes) return fail(Errc::BadInput, fmt::format("{} without {}", text::printable(line.verb, 20), key));
    return std::move(*bytes);
}

// Not inlined: where g++ 12 knows the size, it warns of moves of strings that it takes for shorter ones.
[[gnu::noinline]] Status check_digest(const std::string& digest) {
    if (digest.size() == kDigestOctets) return ok();
    return fail(Errc::BadInput, fmt::format("a digest of {} octets, not {}", digest.size(), kDigestOctets));
}

// "SELECTOR:ALGORITHM,…". An algorithm of a newer gk-dkim is passed over: nobody here could name it in a signature.
Result<std::vector<ActiveKey>> parse_keys(std::string_view list) {
    std::vector<ActiveKey> keys;
    if (list.empty()) return keys;
    for (const auto entry : text::split(list, ',')) {
        const auto colon = entry.find(':');
        if (colon == 0 || colon == std::string_view::npos)
            return fail(Errc::BadInput, "keys= is not SELECTOR:ALGORITHM");
        if (const auto algorithm = mailauth::algorithm_named(entry.substr(colon + 1)))
            keys.push_back({std::string(entry.substr(0, colon)), *algorithm});
    }
    return keys;
}

std::string format_keys(const std::vector<ActiveKey>& keys) {
    std::string out;
    for (const auto& key : keys) {
        if (!out.empty()) out += ',';
        out += fmt::format("{}:{}", key.selector, mailauth::algorithm_name(key.algorithm));
    }
    return out;
}

}  // namespace

std::string_view fail_code_name(FailCode code) noexcept { return kCodeNames[static_cast<std::size_t>(code)]; }

std::string format_request(const Request& request) {
    std::string line;
    if (const auto* keys = std::get_if<Keys>(&request)) {
        line = "KEYS";
        add_wire_field(line, "domain", keys->domain);
    } else if (const auto* sign = std::get_if<Sign>(&request)) {
        line = "SIGN";
        add_wire_field(line, "domain", sign->domain);
        add_wire_field(line, "selector", sign->selector);
        add_wire_bytes(line, "digest", sign->digest);
    } else {
        line = "PING";
    }
    return line + '\n';
}

Result<Request> parse_request(std::string_view text) {
    GK_TRY(const WireLine line, WireLine::parse(text, kMaxLine, "dkim"));
    if (line.verb == "KEYS") {
        GK_TRY(auto domain, line.need("domain"));
        return Keys{std::move(domain)};
    }
    if (line.verb == "SIGN") {
        GK_TRY(auto domain, line.need("domain"));
        GK_TRY(auto selector, line.need("selector"));
        GK_TRY(auto digest, need_bytes(line, "digest"));
        GK_CHECK(check_digest(digest));
        return Sign{std::move(domain), std::move(selector), std::move(digest)};
    }
    if (line.verb == "PING") return Ping{};
    return fail(Errc::BadInput, fmt::format("unknown dkim request '{}'", text::printable(line.verb, 20)));
}

std::string format_reply(const Reply& reply) {
    std::string line = reply.ok ? "OK" : "FAIL";
    if (reply.ok) {
        if (!reply.keys.empty()) add_wire_field(line, "keys", format_keys(reply.keys));
        if (!reply.signature.empty()) add_wire_bytes(line, "signature", reply.signature);
    } else {
        add_wire_field(line, "code", fail_code_name(reply.code));
        add_wire_field(line, "text", reply.text);
    }
    return line + '\n';
}

Result<Reply> parse_reply(std::string_view text) {
    GK_TRY(const WireLine line, WireLine::parse(text, kMaxLine, "dkim"));
    Reply reply;
    if (line.verb == "OK") {
        reply.ok = true;
        GK_TRY(reply.keys, parse_keys(line.maybe("keys")));
        GK_TRY(auto signature, line.maybe_bytes("signature"));
        reply.signature = std::move(signature).value_or("");
        return reply;
    }
    if (line.verb == "FAIL") {
        GK_TRY(const std::string code, line.need("code"));
        const auto* found = std::find(std::begin(kCodeNames), std::end(kCodeNames), code);
        // A code of a newer gk-dkim says at least that there is no signature now.
        reply.code =
            found == std::end(kCodeNames) ? FailCode::Temp : static_cast<FailCode>(found - std::begin(kCodeNames));
        reply.text = line.maybe("text");
        return reply;
    }
    return fail(Errc::BadInput, fmt::format("unknown dkim reply '{}'", text::printable(line.verb, 20)));
}

}  // namespace gk::dkim_client
