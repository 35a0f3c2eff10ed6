// SPDX-License-Identifier: MIT
#include "common/auth/authenticator.hpp"

#include <time.h>

#include "common/auth/passwords.hpp"
#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"

namespace gk::auth {

namespace {

constexpr std::int64_t kNoteUsedEvery_s = 600;  // a chatty client shall not mean a write a minute

std::int64_t steady_s() {
    timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return time.tv_sec;
}

Throttle::Settings throttle_settings(const config::Config& config) {
    Throttle::Settings settings;
    settings.account_failures = config.integer("auth.lockout_failures");
    settings.address_failures = config.integer("auth.address_failures");
    settings.lockout_s = config.duration_s("auth.lockout_time");
    settings.backoff = std::chrono::seconds(config.duration_s("auth.backoff"));
    settings.backoff_most = std::chrono::seconds(config.duration_s("auth.backoff_most"));
    settings.remembered = static_cast<std::size_t>(config.integer("auth.remembered"));
    if (auto trusted = net::Networks::parse(config.strings("server.trusted_networks")))
        settings.trusted = std::move(*trusted);
    return settings;
}

unsigned slots(const config::Config& config) {
    const auto wanted = config.integer("auth.hashing_threads");
    return wanted > 0 ? static_cast<unsigned>(wanted) : std::max(1u, std::thread::hardware_concurrency());
}

std::string record_of(const Credentials& credentials, int which) {
    if (which >= 0) return sha256("app" + credentials.app_passwords[static_cast<std::size_t>(which)].keys.stored_key);
    return sha256("main" + credentials.main_keys.stored_key + credentials.main_hash);
}

}  // namespace

Authenticator::Policy Authenticator::policy_of(const config::Config& config) {
    return {{config.string("auth.main") == "argon2id", static_cast<int>(config.integer("auth.scram_iterations"))},
            config.boolean("auth.app_passwords_only"),
            config.boolean("auth.plaintext_without_tls"),
            config.duration_s("auth.cache_time"),
            static_cast<std::size_t>(config.integer("auth.remembered")),
            SubmissionLimits::from(config).value_or(SubmissionLimits{})};
}

Authenticator::Authenticator(const config::Config& config, std::shared_ptr<Accounts> accounts,
                             std::shared_ptr<CredentialStore> credentials)
    : policy_(policy_of(config)),
      accounts_(std::move(accounts)),
      credentials_(std::move(credentials)),
      throttle_(throttle_settings(config)),
      tickets_(config.duration_s("auth.ticket_time")),
      cache_key_(random_bytes(32)),
      slots_(slots(config)) {}

void Authenticator::reconfigure(const config::Config& config) {
    throttle_.set_settings(throttle_settings(config));
    tickets_.set_life(config.duration_s("auth.ticket_time"));
    const std::lock_guard lock(policy_mutex_);
    policy_ = policy_of(config);
}

Authenticator::Policy Authenticator::policy() const {
    const std::lock_guard lock(policy_mutex_);
    return policy_;
}

Authenticator::Slot::Slot(Authenticator& of) : of_(of) {
    std::unique_lock lock(of_.slots_mutex_);
    of_.slots_free_.wait(lock, [&] { return of_.slots_ > 0; });
    --of_.slots_;
}

Authenticator::Slot::~Slot() {
    {
        const std::lock_guard lock(of_.slots_mutex_);
        ++of_.slots_;
    }
    of_.slots_free_.notify_one();
}

Reply Authenticator::redeem(const Redeem& request) {
    Reply reply;
    auto user = tickets_.redeem(request.ticket, request.service, steady_s());
    if (!user) {
        reply.text = "the ticket is not valid";
        return reply;
    }
    // Disabled between login and now: the ticket is void.
    const auto account = accounts_->find(*user);
    if (!account) {
        reply.code = FailCode::Temp;
        reply.text = account.error().text;
    } else if (!*account || (*account)->disabled) {
        reply.code = FailCode::Disabled;
        reply.text = "the account is disabled";
    } else {
        reply.kind = Reply::Kind::Ok;
        reply.user = std::move(*user);
        reply.quota_octets = (*account)->quota_octets;
        reply.quota_messages = (*account)->quota_messages;
    }
    return reply;
}

Reply Authenticator::may_send_as(const Sender& request) {
    Reply reply;
    const auto allowed = accounts_->may_send_as(request.user, request.address);
    if (!allowed) {
        reply.code = FailCode::Temp;
        reply.text = allowed.error().text;
    } else if (*allowed) {
        reply.kind = Reply::Kind::Ok;
    } else {
        reply.code = FailCode::Denied;
        reply.text = fmt::format("{} may not send as {}", request.user, text::printable(request.address));
    }
    return reply;
}

Reply Authenticator::count(const Count& request) {
    Reply reply;
    const auto limit = policy().submissions.of(request.user);
    const auto refusal =
        credentials_->submissions().count(request.user, request.messages, request.recipients, limit, to_unix_s(now()));
    if (!refusal) {
        reply.code = FailCode::Temp;
        reply.text = refusal.error().text;
    } else if (*refusal) {
        reply.code = FailCode::Limit;
        reply.text = **refusal;
    } else {
        reply.kind = Reply::Kind::Ok;
    }
    return reply;
}

// For a name that does not exist the salt is as stable, and as random to look at, as a real one.
Result<Authenticator::Subject> Authenticator::look_up(std::string_view login) {
    Subject subject;
    GK_TRY(subject.account, accounts_->find(login));
    subject.key = subject.account ? subject.account->address : text::lower(login.substr(0, 512));
    GK_TRY(auto found, credentials_->find(subject.key));
    if (subject.account && found) {
        subject.credentials = std::move(*found);
        return subject;
    }
    subject.credentials.account = subject.key;
    subject.credentials.salt = hmac_sha256(credentials_->server_secret(), "salt:" + subject.key).substr(0, 16);
    subject.credentials.iterations = policy().hashing.iterations;
    return subject;
}

bool Authenticator::locked(const Subject& subject, std::string_view ip) {
    return throttle_.locked(subject.key, ip, steady_s());
}

Outcome Authenticator::trouble(const Error& error, std::string_view login) const {
    Outcome outcome;
    outcome.reply.code = FailCode::Temp;
    outcome.reply.text = error.text;
    outcome.login = login;
    return outcome;
}

Outcome Authenticator::refuse(const Begin& begin, std::string_view key, FailCode code, std::string text,
                              std::string_view fingerprint) {
    Outcome outcome;
    outcome.reply.code = code;
    outcome.reply.text = std::move(text);
    outcome.login = key;
    outcome.delay = throttle_.failed(key, begin.ip, fingerprint, steady_s());
    return outcome;
}

Result<std::optional<int>> Authenticator::match(const Subject& subject, const std::string& prepared, bool& from_cache) {
    const Policy policy = this->policy();
    const Credentials& stored = subject.credentials;
    const std::string cache_name = hmac_sha256(cache_key_, subject.key + '\0' + prepared);
    const int apps = static_cast<int>(stored.app_passwords.size());
    const bool has_main = stored.main != Credentials::Main::None;
    from_cache = false;
    // What fitted then must still be there: a changed password is refused at once.
    const auto remembered = [&]() -> std::optional<int> {
        if (policy.cache_s == 0 || !subject.account) return std::nullopt;
        const std::lock_guard lock(cache_mutex_);
        const auto hit = cache_.find(cache_name);
        if (hit == cache_.end() || hit->second.until_s <= steady_s()) return std::nullopt;
        for (int which = has_main ? -1 : 0; which < apps; ++which)
            if (record_of(stored, which) == hit->second.record) return which;
        return std::nullopt;
    };
    if (const auto which = remembered()) return from_cache = true, which;

    std::optional<int> fits;
    {
        const Slot slot(*this);
        // A client that opens many connections at once has been waiting here behind its own first login.
        if (const auto which = remembered()) return from_cache = true, which;
        const bool main_is_slow_hash =
            stored.main == Credentials::Main::Argon2id || stored.main == Credentials::Main::Crypt;
        const bool unknown = !has_main && apps == 0;
        if (main_is_slow_hash && verify_crypt(stored.main_hash, prepared)) fits = -1;
        if (unknown && policy.hashing.argon2id) pretend_argon2id(prepared);
        if (!fits && (stored.main == Credentials::Main::Scram || apps > 0 || (unknown && !policy.hashing.argon2id))) {
            const ScramKeys keys = scram_keys(salted_password(prepared, stored.salt, stored.iterations));
            if (stored.main == Credentials::Main::Scram &&
                equals_constant_time(keys.stored_key, stored.main_keys.stored_key))
                fits = -1;
            for (int i = 0; i < apps; ++i)
                if (equals_constant_time(keys.stored_key,
                                         stored.app_passwords[static_cast<std::size_t>(i)].keys.stored_key) &&
                    !fits)
                    fits = i;
        }
    }
    if (fits && policy.cache_s > 0) {
        const std::lock_guard lock(cache_mutex_);
        if (cache_.size() >= policy.remembered) cache_.clear();
        cache_.insert_or_assign(cache_name, Verified{record_of(stored, *fits), steady_s() + policy.cache_s});
    }
    return fits;
}

Outcome Authenticator::password(const Begin& begin, std::string_view login, std::string_view password) {
    if (!begin.tls && !policy().plaintext_without_tls) {
        Outcome outcome;
        outcome.reply.text = "passwords in the clear need TLS";
        outcome.login = login;
        return outcome;
    }
    const auto subject = look_up(login);
    if (!subject) return trouble(subject.error(), login);
    if (locked(*subject, begin.ip))
        return refuse(begin, subject->key, FailCode::Locked, "too many failures, try later", "locked");
    const auto prepared = prepare_password(password);
    if (!prepared) return refuse(begin, subject->key, FailCode::Auth, "wrong user name or password");
    bool from_cache = false;
    const auto which = match(*subject, *prepared, from_cache);
    if (!which) return trouble(which.error(), login);
    if (!*which || !subject->account)
        return refuse(begin, subject->key, FailCode::Auth, "wrong user name or password",
                      hmac_sha256(cache_key_, *prepared));
    Outcome outcome = accept(begin, *subject, **which, from_cache ? "cached" : "");
    if (outcome.reply.kind == Reply::Kind::Ok && **which == -1 && !from_cache) upgrade(*subject, *prepared);
    return outcome;
}

Outcome Authenticator::accept(const Begin& begin, const Subject& subject, int which, std::string_view how) {
    if (subject.account->disabled) return refuse(begin, subject.key, FailCode::Disabled, "the account is disabled");
    Outcome outcome;
    outcome.login = subject.key;
    if (which < 0) {
        if (policy().app_passwords_only) return refuse(begin, subject.key, FailCode::Auth, "an app password is needed");
        outcome.how = how.empty() ? "main" : how;
    } else {
        const AppPassword& app = subject.credentials.app_passwords[static_cast<std::size_t>(which)];
        const std::int64_t wall_s = to_unix_s(now());
        if (app.expires_s != 0 && app.expires_s <= wall_s)
            return refuse(begin, subject.key, FailCode::Expired, "the app password has expired");
        if (!app.covers(begin.service))
            return refuse(begin, subject.key, FailCode::Auth,
                          fmt::format("the app password is not for {}", text::printable(begin.service, 40)));
        outcome.how = "app:" + app.label;
        // Not worth refusing a login for: a full disk must not lock everybody out.
        if (wall_s - app.last_used_s > kNoteUsedEvery_s) (void)credentials_->note_used(app.id, wall_s);
    }
    throttle_.succeeded(subject.key);
    outcome.reply.kind = Reply::Kind::Ok;
    outcome.reply.user = subject.key;
    if (begin.service != "smtp") {
        outcome.reply.ticket = tickets_.issue(subject.key, begin.service, steady_s());
        if (outcome.reply.ticket.empty())
            return trouble({Errc::Temporary, "too many logins wait to be served", 0}, subject.key);
    }
    return outcome;
}

// Hashes from elsewhere, and those of another auth.main, become what new passwords are.
void Authenticator::upgrade(const Subject& subject, std::string_view prepared) {
    const Hashing hashing = policy().hashing;
    const auto wanted = hashing.argon2id ? Credentials::Main::Argon2id : Credentials::Main::Scram;
    if (subject.credentials.main == wanted) return;
    const Slot slot(*this);
    (void)credentials_->set_password(subject.key, prepared, hashing);  // the next login tries again
}

}  // namespace gk::auth
