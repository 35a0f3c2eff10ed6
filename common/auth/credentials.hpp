// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/auth/scram.hpp"
#include "common/auth/submissions.hpp"
#include "common/base/result.hpp"
#include "common/db/database.hpp"

// auth.db: what each account proves itself with. Only gk-authd and gk-user open it. Thread-safe.
namespace gk::auth {

struct AppPassword {
    std::int64_t id = 0;
    std::string label;
    std::vector<std::string> scopes;                             // smtp, imap, managesieve, or all
    std::int64_t created_s = 0, expires_s = 0, last_used_s = 0;  // 0: never
    ScramKeys keys;
    bool covers(std::string_view service) const noexcept;
    bool operator==(const AppPassword&) const = default;
};

struct Credentials {
    enum class Main { None, Scram, Argon2id, Crypt };
    std::string account;  // canonical address
    std::string salt;     // of every SCRAM record of this account: SCRAM names one
    int iterations = 0;
    Main main = Main::None;
    ScramKeys main_keys;         // Scram
    std::string main_hash;       // Argon2id, Crypt
    std::int64_t changed_s = 0;  // of the main password
    std::vector<AppPassword> app_passwords;
};

// How new main passwords are stored (auth.main, auth.scram_iterations).
struct Hashing {
    bool argon2id = false;
    int iterations = 65'536;  // the most that Cyrus SASL 2.1 puts up with as a client (mbsync, mutt)
};

constexpr std::size_t kMostAppPasswords = 100;  // of one account: each is tried at a SCRAM login

class CredentialStore {
public:
    // Makes auth.db (0600) where missing and brings its schema up to date.
    static Result<std::shared_ptr<CredentialStore>> open(const std::string& path);

    Result<std::optional<Credentials>> find(std::string_view account);
    // Replaces the main password; app passwords stay. PASSWORD as given: it is prepared here. Slow.
    Status set_password(std::string_view account, std::string_view password, const Hashing& hashing);
    // A hash from elsewhere (imported_hash); replaced by our own at the first login.
    Status set_imported(std::string_view account, std::string_view hash);
    // All of them at once, as an export has them. Ids are given anew.
    Status put(const Credentials& credentials);
    Status remove(std::string_view account);  // ok where there are none

    struct NewAppPassword {
        std::int64_t id = 0;
        std::string password;
    };
    // Generates one of 140 bits. EXPIRES_S 0: never. Exists where the label is taken. Slow.
    Result<NewAppPassword> add_app_password(std::string_view account, std::string_view label,
                                            const std::vector<std::string>& scopes, std::int64_t expires_s,
                                            const Hashing& hashing);
    Status remove_app_password(std::string_view account, std::string_view label);
    Status note_used(std::int64_t app_password_id, std::int64_t when_s);

    // What accounts submitted of late.
    Submissions& submissions() noexcept { return *submissions_; }

    // 32 random bytes made with the database: salts of accounts that do not exist come from it.
    const std::string& server_secret() const noexcept { return secret_; }

private:
    Status write(const Credentials& credentials);  // inside a transaction
    Result<std::optional<Credentials>> read(std::string_view account);
    Status write_app_password(std::string_view account, const AppPassword& one);

    std::mutex mutex_;
    db::Database db_;
    std::string secret_;
    std::unique_ptr<Submissions> submissions_;
};

Result<std::vector<std::string>> parse_scopes(std::string_view text);  // "smtp,imap" or "all"
std::string_view main_name(Credentials::Main main) noexcept;           // "scram-sha-256", "argon2id", "crypt", "none"

// One record as text, as PostgreSQL writes them: SCRAM-SHA-256$rounds:salt$stored:server (all but rounds base64).
std::string format_scram_record(std::string_view salt, int iterations, const ScramKeys& keys);
struct ScramRecord {
    std::string salt;
    int iterations = 0;
    ScramKeys keys;
};
Result<ScramRecord> parse_scram_record(std::string_view text);

}  // namespace gk::auth
