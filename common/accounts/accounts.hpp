// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/auth/credentials.hpp"
#include "common/base/result.hpp"
#include "common/config/config.hpp"
#include "common/directory/directory.hpp"

// An account as one thing: its row in gk.db, its credentials in auth.db and its mail. For tools; one thread.
namespace gk::accounts {

// What an account shall be: one line of JSON in an export. What is absent is left as it is.
struct Declared {
    std::string address;
    std::optional<std::string> name;
    std::optional<bool> admin, disabled;
    std::optional<std::int64_t> quota_bytes, quota_messages;
    std::optional<std::string> password;  // a record or hash, never the password itself; "" for none
    struct App {
        std::string label;
        std::vector<std::string> scopes;
        std::int64_t expires_s = 0;
        std::string record;
    };
    std::optional<std::vector<App>> app_passwords;
};
Result<Declared> parse_declared(std::string_view json_line);
// A line without its end. CREDENTIALS may be null.
std::string format_declared(const directory::Account& account, const auth::Credentials* credentials);

class Accounts {
public:
    static Result<Accounts> open(const config::Config& config);

    directory::Directory& directory() noexcept { return *directory_; }
    auth::CredentialStore& credentials() noexcept { return *credentials_; }
    const auth::Hashing& hashing() const noexcept { return hashing_; }

    // Row, password (none where it is absent) and home with the default mailboxes.
    Result<directory::Account> create(std::string_view address, const directory::Directory::NewAccount& details,
                                      const std::optional<std::string>& password, const directory::Actor& actor);
    // Row and credentials, and with DELETE_MAIL the home.
    Status remove(std::string_view address, bool delete_mail, const directory::Actor& actor);

    struct ApplyOptions {
        bool dry_run = false;
        // A hash from elsewhere is replaced by our own record at the first login, and then tells nothing about whether
        // the two are the same password; it is set again only where this is true.
        bool reset_passwords = false;
    };
    // Makes the account as declared; the lines say what was (or would be) done, none where nothing had to be.
    Result<std::vector<std::string>> apply(const Declared& declared, const ApplyOptions& options,
                                           const directory::Actor& actor);

private:
    Status make_home(const std::string& address);
    Status apply_credentials(const Declared& declared, const std::string& address, const ApplyOptions& options,
                             std::vector<std::string>& done);

    config::Paths paths_;
    auth::Hashing hashing_;
    std::shared_ptr<directory::Directory> directory_;
    std::shared_ptr<auth::CredentialStore> credentials_;
};

}  // namespace gk::accounts
