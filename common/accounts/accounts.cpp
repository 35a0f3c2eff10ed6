// SPDX-License-Identifier: MIT
#include "common/accounts/accounts.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "common/auth/passwords.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/os/file.hpp"
#include "common/store/account.hpp"

namespace gk::accounts {

namespace {

// Root makes homes as the one who will serve them: never as itself inside a tree that somebody else may write.
class AsOwnerOf {
public:
    explicit AsOwnerOf(const std::string& path) {
        struct stat status {};
        if (::geteuid() != 0 || ::stat(path.c_str(), &status) != 0 || status.st_uid == 0) return;
        changed_ = ::setegid(status.st_gid) == 0 && ::seteuid(status.st_uid) == 0;
    }
    AsOwnerOf(const AsOwnerOf&) = delete;
    ~AsOwnerOf() {
        if (changed_ && (::seteuid(0) != 0 || ::setegid(0) != 0)) std::abort();  // we were root; nothing else is safe
    }

private:
    bool changed_ = false;
};

}  // namespace

Result<Accounts> Accounts::open(const config::Config& config) {
    Accounts accounts;
    accounts.paths_ = config.paths();
    accounts.hashing_ = {config.string("auth.main") == "argon2id",
                         static_cast<int>(config.integer("auth.scram_iterations"))};
    GK_TRY(accounts.directory_, directory::Directory::open(config.paths(), false, directory::Limits::from(config)));
    GK_TRY(accounts.credentials_, auth::CredentialStore::open(config.paths().auth_db));
    return accounts;
}

Status Accounts::make_home(const std::string& address) {
    const AsOwnerOf owner(paths_.mail);
    const std::string home = directory::home_of(paths_, address);
    GK_CHECK(os::make_directories(home, 0700));
    store::AccountOptions options;
    options.name = address;
    options.create = true;
    GK_TRY(const auto account, store::Account::open(home, options));
    (void)account;
    return ok();
}

Result<directory::Account> Accounts::create(std::string_view address, const directory::Directory::NewAccount& details,
                                            const std::optional<std::string>& password, const directory::Actor& actor) {
    GK_TRY(const std::string canonical, directory::canonical_account(address));
    if (password) {
        GK_TRY(const auto usable, auth::prepare_password(*password));  // before anything is made
        (void)usable;
    }
    GK_TRY(auto account, directory_->add_account(canonical, details, actor));
    // What an account of that name, removed long ago, logged in with must not open this one.
    GK_CHECK(credentials_->remove(canonical));
    if (password) GK_CHECK(credentials_->set_password(canonical, *password, hashing_));
    GK_CHECK(make_home(canonical));
    return account;
}

Status Accounts::remove(std::string_view address, bool delete_mail, const directory::Actor& actor) {
    GK_TRY(const std::string canonical, directory::canonical_account(address));
    GK_CHECK(directory_->remove_account(canonical, actor));
    GK_CHECK(credentials_->remove(canonical));
    if (!delete_mail) return ok();
    const AsOwnerOf owner(paths_.mail);
    const std::string home = directory::home_of(paths_, canonical);
    return os::exists(home) ? os::remove_tree(home) : ok();
}

Status Accounts::apply_credentials(const Declared& declared, const std::string& address, const ApplyOptions& options,
                                   std::vector<std::string>& done) {
    GK_TRY(auto stored, credentials_->find(address));
    const std::size_t before = done.size();
    auth::Credentials wanted = stored.value_or(auth::Credentials{});
    wanted.account = address;
    const auto note = [&](std::string_view what) { done.push_back(fmt::format("{} {}", what, address)); };
    const auto adopt_salt = [&](const auth::ScramRecord& record) {
        wanted.salt = record.salt;
        wanted.iterations = record.iterations;
    };
    using Main = auth::Credentials::Main;

    if (declared.password) {
        const std::string& text = *declared.password;
        if (text.empty()) {
            if (wanted.main != Main::None) note("remove password of");
            wanted.main = Main::None;
            wanted.main_keys = {};
            wanted.main_hash.clear();
        } else if (text.starts_with("SCRAM-SHA-256$")) {
            GK_TRY(const auto record, auth::parse_scram_record(text));
            const bool same = wanted.main == Main::Scram && wanted.main_keys == record.keys &&
                              wanted.salt == record.salt && wanted.iterations == record.iterations;
            if (!same) note("set password of");
            wanted.main = Main::Scram;
            wanted.main_keys = record.keys;
            wanted.main_hash.clear();
            adopt_salt(record);
        } else {
            GK_TRY(const std::string hash, auth::imported_hash(text));
            const bool ours_already = wanted.main == Main::Scram || wanted.main == Main::Argon2id;
            if (wanted.main_hash != hash && (!ours_already || options.reset_passwords)) {
                note("set password of");
                wanted.main = Main::Crypt;
                wanted.main_keys = {};
                wanted.main_hash = hash;
            }
        }
    }
    if (declared.app_passwords) {
        std::vector<auth::AppPassword> apps;
        for (const auto& app : *declared.app_passwords) {
            GK_TRY(const auto record, auth::parse_scram_record(app.record));
            if (wanted.salt.empty() || apps.empty()) {
                if (wanted.main == Main::Scram && wanted.salt != record.salt)
                    return fail(Errc::BadInput,
                                fmt::format("'{}': password and app passwords must have the same salt", address));
                adopt_salt(record);
            } else if (wanted.salt != record.salt || wanted.iterations != record.iterations) {
                return fail(Errc::BadInput,
                            fmt::format("'{}': all app passwords must have the same salt and rounds", address));
            }
            auth::AppPassword one;
            one.label = app.label;
            one.scopes = app.scopes;
            one.expires_s = app.expires_s;
            one.keys = record.keys;
            one.created_s = to_unix_s(now());
            const auto old = std::find_if(wanted.app_passwords.begin(), wanted.app_passwords.end(),
                                          [&](const auto& o) { return o.label == one.label; });
            if (old != wanted.app_passwords.end()) {
                one.id = old->id;
                one.created_s = old->created_s;
                one.last_used_s = old->last_used_s;
            }
            if (old == wanted.app_passwords.end() || !(*old == one))
                done.push_back(fmt::format("set app password '{}' of {}", one.label, address));
            apps.push_back(std::move(one));
        }
        for (const auto& old : wanted.app_passwords)
            if (std::none_of(apps.begin(), apps.end(), [&](const auto& o) { return o.label == old.label; }))
                done.push_back(fmt::format("remove app password '{}' of {}", old.label, address));
        wanted.app_passwords = std::move(apps);
    }
    if (done.size() == before || options.dry_run) return ok();
    if (!wanted.app_passwords.empty() && stored && stored->salt != wanted.salt && !declared.app_passwords)
        return fail(
            Errc::BadInput,
            fmt::format("'{}': another salt would void the app passwords there are: declare them too", address));
    if (wanted.salt.empty()) {
        GK_TRY(const auto hash, auth::imported_hash(wanted.main_hash));
        return credentials_->set_imported(address, hash);
    }
    wanted.changed_s = to_unix_s(now());
    return credentials_->put(wanted);
}

Result<std::vector<std::string>> Accounts::apply(const Declared& declared, const ApplyOptions& options,
                                                 const directory::Actor& actor) {
    std::vector<std::string> done;
    GK_TRY(const auto found, directory_->find_account(declared.address));
    directory::Account account;
    account.address = declared.address;
    if (found) account = *found;
    if (!found) {
        done.push_back(fmt::format("add {}", declared.address));
        if (options.dry_run) {
            GK_TRY(const auto domain, directory_->find_domain(directory::domain_of(declared.address)));
            if (!domain)
                return fail(Errc::NotFound, fmt::format("there is no domain '{}': add it with gk-domain add",
                                                        directory::domain_of(declared.address)));
        } else {
            GK_TRY(account, create(declared.address, {}, std::nullopt, actor));
        }
    }
    // An earlier apply may have been stopped half-way.
    if (found && !os::exists(directory::home_of(paths_, declared.address))) {
        done.push_back(fmt::format("make home of {}", declared.address));
        if (!options.dry_run) GK_CHECK(make_home(declared.address));
    }
    const directory::Account before = account;
    const auto change = [&](auto& field, const auto& wanted, std::string_view what, const auto& shown) {
        if (!wanted || field == *wanted) return;
        if (found)
            done.push_back(
                fmt::format("change {} of {}: {} → {}", what, declared.address, shown(field), shown(*wanted)));
        field = *wanted;
    };
    change(account.name, declared.name, "name", [](const std::string& s) { return "'" + text::printable(s) + "'"; });
    change(account.admin, declared.admin, "admin", [](bool b) { return b ? "true" : "false"; });
    change(account.disabled, declared.disabled, "disabled", [](bool b) { return b ? "true" : "false"; });
    change(account.quota_bytes, declared.quota_bytes, "quota", [](std::int64_t n) { return std::to_string(n); });
    change(account.quota_messages, declared.quota_messages, "quota_messages",
           [](std::int64_t n) { return std::to_string(n); });
    if (!options.dry_run && !(account == before)) GK_CHECK(directory_->change_account(account, actor));
    GK_CHECK(apply_credentials(declared, declared.address, options, done));
    return done;
}

}  // namespace gk::accounts
