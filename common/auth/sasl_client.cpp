// SPDX-License-Identifier: MIT
#include "common/auth/sasl_client.hpp"

#include "common/auth/scram.hpp"
#include "common/base/text.hpp"

namespace gk::auth {

namespace {

class PlainClient final : public SaslClient {  // RFC 4616
public:
    PlainClient(std::string user, std::string password) : user_(std::move(user)), password_(std::move(password)) {}
    std::string_view mechanism() const noexcept override { return "PLAIN"; }
    Result<std::optional<std::string>> initial_response() override {
        if (user_.find('\0') != std::string::npos || password_.find('\0') != std::string::npos)
            return fail(Errc::BadInput, "PLAIN cannot carry a NUL");
        std::string response(1, '\0');
        response += user_;
        response += '\0';
        response += password_;
        return std::optional<std::string>(std::move(response));
    }
    // A server without SASL-IR sends an empty challenge first.
    Result<std::string> respond(std::string_view challenge) override {
        if (!challenge.empty()) return fail(Errc::Permanent, "PLAIN knows no challenge");
        GK_TRY(auto response, initial_response());
        return *response;
    }
    bool may_succeed() const noexcept override { return true; }

private:
    std::string user_, password_;
};

// LOGIN was never more than a draft; servers ask for the name, then for the password, in varying words.
class LoginClient final : public SaslClient {
public:
    LoginClient(std::string user, std::string password) : user_(std::move(user)), password_(std::move(password)) {}
    std::string_view mechanism() const noexcept override { return "LOGIN"; }
    Result<std::optional<std::string>> initial_response() override { return std::optional<std::string>(); }
    Result<std::string> respond(std::string_view) override {
        switch (step_++) {
            case 0: return user_;
            case 1: return password_;
            default: return fail(Errc::Permanent, "LOGIN has two questions");
        }
    }
    bool may_succeed() const noexcept override { return step_ >= 2; }

private:
    std::string user_, password_;
    int step_ = 0;
};

class ScramSaslClient final : public SaslClient {
public:
    ScramSaslClient(std::string user, std::string password, ClientBinding binding)
        : plus_(!binding.type.empty()),
          scram_(std::move(user), std::move(password), std::move(binding.type), std::move(binding.bytes)) {}
    std::string_view mechanism() const noexcept override { return plus_ ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256"; }
    Result<std::optional<std::string>> initial_response() override {
        GK_TRY(auto first, scram_.client_first());
        sent_first_ = true;
        return std::optional<std::string>(std::move(first));
    }
    Result<std::string> respond(std::string_view challenge) override {
        if (!sent_first_) {
            if (!challenge.empty()) return fail(Errc::Permanent, "SCRAM begins with the client");
            GK_TRY(auto first, initial_response());
            return *first;
        }
        if (!sent_final_) {
            sent_final_ = true;
            return scram_.client_final(challenge);
        }
        if (verified_) return fail(Errc::Permanent, "SCRAM is over");
        GK_CHECK(scram_.check_server_final(challenge));
        verified_ = true;
        return std::string();
    }
    bool may_succeed() const noexcept override { return verified_; }

private:
    bool plus_, sent_first_ = false, sent_final_ = false, verified_ = false;
    ScramClient scram_;
};

}  // namespace

Result<std::unique_ptr<SaslClient>> make_sasl_client(std::string_view mechanism, std::string user, std::string password,
                                                     ClientBinding binding) {
    const std::string name = text::upper(mechanism);
    if (name == "PLAIN") return std::make_unique<PlainClient>(std::move(user), std::move(password));
    if (name == "LOGIN") return std::make_unique<LoginClient>(std::move(user), std::move(password));
    if (name == "SCRAM-SHA-256")
        return std::make_unique<ScramSaslClient>(std::move(user), std::move(password), ClientBinding{});
    if (name == "SCRAM-SHA-256-PLUS") {
        if (binding.type.empty() || binding.bytes.empty())
            return fail(Errc::Denied, "SCRAM-SHA-256-PLUS needs a channel binding");
        return std::make_unique<ScramSaslClient>(std::move(user), std::move(password), std::move(binding));
    }
    return fail(Errc::Unsupported, fmt::format("SASL mechanism '{}' is not known", text::printable(mechanism, 40)));
}

std::optional<std::string> choose_mechanism(const std::vector<std::string>& offered, bool tls, bool has_binding) {
    for (const std::string_view name : {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"}) {
        if (name == "SCRAM-SHA-256-PLUS" && !has_binding) continue;
        if ((name == "PLAIN" || name == "LOGIN") && !tls) continue;
        for (const auto& one : offered)
            if (text::equals_nocase(one, name)) return std::string(name);
    }
    return std::nullopt;
}

}  // namespace gk::auth
