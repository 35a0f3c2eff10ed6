// SPDX-License-Identifier: MIT
#include "common/auth/credentials.hpp"
#include "common/base/text.hpp"

namespace gk::auth {

namespace {

constexpr std::string_view kScram = "SCRAM-SHA-256$";
constexpr std::string_view kScopes[] = {"all", "imap", "managesieve", "smtp"};

}  // namespace

bool AppPassword::covers(std::string_view service) const noexcept {
    return std::any_of(scopes.begin(), scopes.end(),
                       [&](const auto& scope) { return scope == "all" || scope == service; });
}

std::string_view main_name(Credentials::Main main) noexcept {
    switch (main) {
        case Credentials::Main::None: return "none";
        case Credentials::Main::Scram: return "scram-sha-256";
        case Credentials::Main::Argon2id: return "argon2id";
        case Credentials::Main::Crypt: return "crypt";
    }
    return "";
}

Result<std::vector<std::string>> parse_scopes(std::string_view text) {
    std::vector<std::string> scopes;
    for (const std::string_view part : text::split(text, ',')) {
        const std::string scope = text::lower(text::trim(part));
        if (std::find(std::begin(kScopes), std::end(kScopes), scope) == std::end(kScopes))
            return fail(Errc::BadInput,
                        fmt::format("scope '{}' is none of all, imap, managesieve, smtp", text::printable(scope, 40)));
        if (std::find(scopes.begin(), scopes.end(), scope) == scopes.end()) scopes.push_back(scope);
    }
    std::sort(scopes.begin(), scopes.end());
    if (scopes.front() == "all") scopes = {"all"};
    return scopes;
}

std::string format_scram_record(std::string_view salt, int iterations, const ScramKeys& keys) {
    return fmt::format("{}{}:{}${}:{}", kScram, iterations, text::to_base64(salt), text::to_base64(keys.stored_key),
                       text::to_base64(keys.server_key));
}

Result<ScramRecord> parse_scram_record(std::string_view text) {
    const auto bad = [] { return fail(Errc::BadInput, "not a SCRAM-SHA-256 record"); };
    if (!text.starts_with(kScram)) return bad();
    const auto halves = text::split(text.substr(kScram.size()), '$');
    if (halves.size() != 2) return bad();
    const auto front = text::split(halves[0], ':'), back = text::split(halves[1], ':');
    if (front.size() != 2 || back.size() != 2) return bad();
    const auto rounds = text::to_uint(front[0]);
    const auto salt = text::from_base64(front[1]), stored = text::from_base64(back[0]),
               server = text::from_base64(back[1]);
    if (!rounds || *rounds < 4096 || *rounds > 10'000'000 || !salt || salt->size() < 8 || salt->size() > 64 ||
        !stored || stored->size() != 32 || !server || server->size() != 32)
        return bad();
    return ScramRecord{*salt, static_cast<int>(*rounds), {*stored, *server}};
}

}  // namespace gk::auth
