// SPDX-License-Identifier: MIT
#include "common/auth/credentials.hpp"

#include "common/auth/passwords.hpp"
#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"

namespace gk::auth {

namespace {

const std::vector<std::string> kSchema = {
    R"sql(
create table secret (name text primary key, value blob not null) without rowid;
create table credential (
    account text primary key, tenant text not null default 'default', salt blob not null, iterations integer not null,
    main_kind text not null, stored_key blob, server_key blob, hash text, changed_s integer not null) without rowid;
create table app_password (
    id integer primary key, account text not null references credential on delete cascade, tenant text not null default 'default',
    label text not null, scopes text not null, stored_key blob not null, server_key blob not null,
    created_s integer not null, expires_s integer not null, last_used_s integer not null, unique (account, label));
)sql",
    R"sql(
create table submission (
    account text not null, slot integer not null, messages integer not null, recipients integer not null,
    primary key (account, slot)) without rowid;
)sql",
};

constexpr std::size_t kSaltBytes = 16;

Credentials::Main main_of(std::string_view name) {
    for (const auto main : {Credentials::Main::Scram, Credentials::Main::Argon2id, Credentials::Main::Crypt})
        if (main_name(main) == name) return main;
    return Credentials::Main::None;
}

// 28 characters of 5 bits in four groups; the hyphens belong to it, so that SCRAM sees what PLAIN sees.
std::string generate_password() {
    constexpr std::string_view letters = "abcdefghijkmnpqrstuvwxyz23456789";
    const std::string bytes = random_bytes(28);
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i > 0 && i % 7 == 0) out += '-';
        out += letters[static_cast<unsigned char>(bytes[i]) % 32];
    }
    return out;
}

// The record that new keys are added to: its salt stays while other keys depend on it.
Credentials base_record(std::optional<Credentials> old, std::string_view account, const Hashing& hashing,
                        bool replaces_main) {
    Credentials record = old.value_or(Credentials{});
    record.account = account;
    const bool in_use = !record.app_passwords.empty() || (!replaces_main && record.main == Credentials::Main::Scram);
    if (record.salt.empty() || !in_use) {
        record.salt = random_bytes(kSaltBytes);
        record.iterations = hashing.iterations;
    }
    return record;
}

}  // namespace

Result<std::shared_ptr<CredentialStore>> CredentialStore::open(const std::string& path) {
    db::Options options;
    options.mode = 0600;
    options.persist_wal = true;  // gk-authd is closed in: it can open these files but make no others
    auto store = std::make_shared<CredentialStore>();
    GK_TRY(store->db_, db::Database::open(path, options));
    GK_CHECK(store->db_.migrate(kSchema));
    GK_TRY(auto insert, store->db_.prepare("insert or ignore into secret values ('salts', ?)"));
    GK_TRY(auto query, store->db_.prepare("select value from secret where name = 'salts'"));
    GK_TRY(bool row, query.step());
    if (!row) {
        GK_CHECK(insert.bind_blob(random_bytes(32)).run());
        GK_TRY(row, query.step());
    }
    if (!row) return fail(Errc::Permanent, fmt::format("'{}' lost its secret", path));
    store->secret_ = std::string(query.text(0));
    query.reset();
    GK_TRY(store->submissions_, Submissions::open(path));
    return store;
}

Result<std::optional<Credentials>> CredentialStore::read(std::string_view account) {
    GK_TRY(auto query,
           db_.prepare("select salt, iterations, main_kind, stored_key, server_key, hash, changed_s from credential "
                       "where account = ?"));
    query.bind(account);
    GK_TRY(const bool there, query.step());
    if (!there) return std::optional<Credentials>();
    Credentials found;
    found.account = account;
    found.salt = std::string(query.text(0));
    found.iterations = static_cast<int>(query.integer(1));
    found.main = main_of(query.text(2));
    found.main_keys = {std::string(query.text(3)), std::string(query.text(4))};
    found.main_hash = std::string(query.text(5));
    found.changed_s = query.integer(6);
    query.reset();
    GK_TRY(auto apps, db_.prepare("select id, label, scopes, created_s, expires_s, last_used_s, stored_key, server_key "
                                  "from app_password where account = ? order by label"));
    apps.bind(account);
    for (;;) {
        GK_TRY(const bool row, apps.step());
        if (!row) return found;
        AppPassword one;
        one.id = apps.integer(0);
        one.label = std::string(apps.text(1));
        for (const auto scope : text::split(apps.text(2), ',')) one.scopes.emplace_back(scope);
        one.created_s = apps.integer(3);
        one.expires_s = apps.integer(4);
        one.last_used_s = apps.integer(5);
        one.keys = {std::string(apps.text(6)), std::string(apps.text(7))};
        found.app_passwords.push_back(std::move(one));
    }
}

Result<std::optional<Credentials>> CredentialStore::find(std::string_view account) {
    const std::lock_guard lock(mutex_);
    return read(account);
}

Status CredentialStore::write(const Credentials& record) {
    GK_TRY(auto upsert,
           db_.prepare(
               "insert into credential (account, salt, iterations, main_kind, stored_key, server_key, hash, changed_s) "
               "values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (account) do update set salt = excluded.salt, iterations = "
               "excluded.iterations, "
               "main_kind = excluded.main_kind, stored_key = excluded.stored_key, server_key = excluded.server_key, "
               "hash = excluded.hash, "
               "changed_s = excluded.changed_s"));
    return upsert.bind(record.account)
        .bind_blob(record.salt)
        .bind(std::int64_t{record.iterations})
        .bind(main_name(record.main))
        .bind_blob(record.main_keys.stored_key)
        .bind_blob(record.main_keys.server_key)
        .bind(record.main_hash)
        .bind(record.changed_s)
        .run();
}

Status CredentialStore::write_app_password(std::string_view account, const AppPassword& one) {
    GK_TRY(
        auto insert,
        db_.prepare("insert into app_password (account, label, scopes, stored_key, server_key, created_s, expires_s, "
                    "last_used_s) values (?, ?, ?, ?, ?, ?, ?, ?)"));
    return insert.bind(account)
        .bind(one.label)
        .bind(text::join(one.scopes, ","))
        .bind_blob(one.keys.stored_key)
        .bind_blob(one.keys.server_key)
        .bind(one.created_s)
        .bind(one.expires_s)
        .bind(one.last_used_s)
        .run();
}

Status CredentialStore::set_password(std::string_view account, std::string_view password, const Hashing& hashing) {
    GK_TRY(const std::string prepared, prepare_password(password));
    GK_TRY(auto old, find(account));
    Credentials record = base_record(std::move(old), account, hashing, true);
    record.main_keys = {};
    record.main_hash.clear();
    if (hashing.argon2id) {
        record.main = Credentials::Main::Argon2id;
        GK_TRY(record.main_hash, hash_argon2id(prepared));
    } else {
        record.main = Credentials::Main::Scram;
        record.main_keys = scram_keys(salted_password(prepared, record.salt, record.iterations));
    }
    record.changed_s = to_unix_s(now());
    const std::lock_guard lock(mutex_);
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    // An app password may have come while we were hashing; its salt must not go.
    GK_TRY(const auto current, read(account));
    if (current && current->salt != record.salt && !current->app_passwords.empty())
        return fail(Errc::Temporary, fmt::format("credentials of '{}' were changed meanwhile", account));
    GK_CHECK(write(record));
    return transaction.commit();
}

Status CredentialStore::set_imported(std::string_view account, std::string_view hash) {
    GK_TRY(const std::string usable, imported_hash(hash));
    GK_TRY(auto old, find(account));
    Credentials record = base_record(std::move(old), account, Hashing{}, true);
    record.main = Credentials::Main::Crypt;
    record.main_keys = {};
    record.main_hash = usable;
    record.changed_s = to_unix_s(now());
    const std::lock_guard lock(mutex_);
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    GK_CHECK(write(record));
    return transaction.commit();
}

Status CredentialStore::put(const Credentials& credentials) {
    const std::lock_guard lock(mutex_);
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    GK_TRY(auto clear, db_.prepare("delete from app_password where account = ?"));
    GK_CHECK(clear.bind(credentials.account).run());
    GK_CHECK(write(credentials));
    for (const AppPassword& one : credentials.app_passwords) GK_CHECK(write_app_password(credentials.account, one));
    return transaction.commit();
}

Status CredentialStore::remove(std::string_view account) {
    const std::lock_guard lock(mutex_);
    GK_TRY(auto clear, db_.prepare("delete from credential where account = ?"));
    return clear.bind(account).run();
}

Result<CredentialStore::NewAppPassword> CredentialStore::add_app_password(std::string_view account,
                                                                          std::string_view label,
                                                                          const std::vector<std::string>& scopes,
                                                                          std::int64_t expires_s,
                                                                          const Hashing& hashing) {
    if (label.empty() || label.size() > 100 || !text::is_utf8(label) ||
        text::printable(label, 200).find("\\x0") != std::string::npos)
        return fail(Errc::BadInput, "the label of an app password has 1 to 100 printable bytes");
    GK_TRY(auto old, find(account));
    if (old && old->app_passwords.size() >= kMostAppPasswords)
        return fail(Errc::BadInput, fmt::format("an account may have {} app passwords", kMostAppPasswords));
    if (old)
        for (const auto& one : old->app_passwords)
            if (one.label == label)
                return fail(Errc::Exists, fmt::format("there is an app password '{}' already", label));
    const Credentials record = base_record(std::move(old), account, hashing, false);
    NewAppPassword made;
    made.password = generate_password();
    AppPassword one;
    one.label = label;
    one.scopes = scopes;
    one.created_s = to_unix_s(now());
    one.expires_s = expires_s;
    one.keys = scram_keys(salted_password(made.password, record.salt, record.iterations));
    const std::lock_guard lock(mutex_);
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    GK_TRY(const auto current, read(account));
    if (current && current->salt != record.salt &&
        (current->main == Credentials::Main::Scram || !current->app_passwords.empty()))
        return fail(Errc::Temporary, fmt::format("credentials of '{}' were changed meanwhile", account));
    GK_CHECK(write(record));
    GK_CHECK(write_app_password(account, one));
    made.id = db_.last_insert_rowid();
    GK_CHECK(transaction.commit());
    return made;
}

Status CredentialStore::remove_app_password(std::string_view account, std::string_view label) {
    const std::lock_guard lock(mutex_);
    GK_TRY(auto remove, db_.prepare("delete from app_password where account = ? and label = ?"));
    GK_CHECK(remove.bind(account).bind(label).run());
    if (db_.changes() == 0)
        return fail(Errc::NotFound, fmt::format("'{}' has no app password '{}'", account, text::printable(label)));
    return ok();
}

Status CredentialStore::note_used(std::int64_t app_password_id, std::int64_t when_s) {
    const std::lock_guard lock(mutex_);
    GK_TRY(auto update, db_.prepare("update app_password set last_used_s = ? where id = ?"));
    return update.bind(when_s).bind(app_password_id).run();
}

}  // namespace gk::auth
