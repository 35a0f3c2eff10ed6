// SPDX-License-Identifier: MIT
#include <boost/json.hpp>

#include "common/accounts/accounts.hpp"
#include "common/auth/passwords.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"

namespace gk::accounts {

namespace {

namespace json = boost::json;

tl::unexpected<Error> bad(std::string_view what) { return fail(Errc::BadInput, std::string(what)); }

Result<std::string> string_of(const json::value& value, std::string_view key) {
    if (!value.is_string()) return bad(fmt::format("'{}' must be a string", key));
    return std::string(value.get_string());
}

Result<bool> bool_of(const json::value& value, std::string_view key) {
    if (!value.is_bool()) return bad(fmt::format("'{}' must be true or false", key));
    return value.get_bool();
}

Status check_record(std::string_view record) {
    if (record.empty() || record.starts_with("SCRAM-SHA-256$")) {
        if (record.empty()) return ok();
        GK_TRY(const auto parsed, auth::parse_scram_record(record));
        (void)parsed;
        return ok();
    }
    GK_TRY(const auto hash, auth::imported_hash(record));
    (void)hash;
    return ok();
}

Result<Declared::App> app_of(const json::value& value) {
    if (!value.is_object()) return bad("an app password must be an object");
    Declared::App app;
    for (const auto& [key, field] : value.get_object()) {
        if (key == "label") {
            GK_TRY(app.label, string_of(field, "label"));
        } else if (key == "scopes") {
            GK_TRY(const std::string scopes, string_of(field, "scopes"));
            GK_TRY(app.scopes, auth::parse_scopes(scopes));
        } else if (key == "expires") {
            GK_TRY(const std::string expires, string_of(field, "expires"));
            const auto time = parse_rfc3339(expires);
            if (!expires.empty() && !time) return bad("'expires' must be a time such as 2027-01-01T00:00:00Z");
            app.expires_s = time ? to_unix_s(*time) : 0;
        } else if (key == "password") {
            GK_TRY(app.record, string_of(field, "password"));
            GK_TRY(const auto record, auth::parse_scram_record(app.record));
            (void)record;
        } else {
            return bad(
                fmt::format("unknown field '{}' in an app password", text::printable(std::string_view(key), 40)));
        }
    }
    if (app.label.empty() || app.scopes.empty() || app.record.empty())
        return bad("an app password needs label, scopes and password");
    return app;
}

Status take(Declared& declared, std::string_view key, const json::value& value) {
    if (key == "account") {
        GK_TRY(const std::string given, string_of(value, key));
        GK_TRY(declared.address, directory::canonical_account(given));
    } else if (key == "name") {
        GK_TRY(declared.name, string_of(value, key));
    } else if (key == "admin") {
        GK_TRY(declared.admin, bool_of(value, key));
    } else if (key == "disabled") {
        GK_TRY(declared.disabled, bool_of(value, key));
    } else if (key == "quota") {
        if (value.is_int64() && value.get_int64() >= 0) {
            declared.quota_bytes = value.get_int64();
        } else {
            GK_TRY(const std::string written, string_of(value, key));
            const auto bytes = text::to_size(written);
            if (!bytes || *bytes > static_cast<std::uint64_t>(INT64_MAX))
                return bad("'quota' must be bytes or a size such as \"1GB\"");
            declared.quota_bytes = static_cast<std::int64_t>(*bytes);
        }
    } else if (key == "quota_messages") {
        if (!value.is_int64() || value.get_int64() < 0) return bad("'quota_messages' must be a number of messages");
        declared.quota_messages = value.get_int64();
    } else if (key == "password") {
        GK_TRY(declared.password, string_of(value, key));
        GK_CHECK(check_record(*declared.password));
    } else if (key == "app_passwords") {
        if (!value.is_array()) return bad("'app_passwords' must be a list");
        declared.app_passwords.emplace();
        for (const auto& item : value.get_array()) {
            GK_TRY(auto app, app_of(item));
            declared.app_passwords->push_back(std::move(app));
        }
        if (declared.app_passwords->size() > auth::kMostAppPasswords)
            return bad(fmt::format("an account may have {} app passwords", auth::kMostAppPasswords));
    } else {
        const std::vector<std::string> known = {"account", "name",           "admin",    "disabled",
                                                "quota",   "quota_messages", "password", "app_passwords"};
        std::string complaint = fmt::format("unknown field '{}'", text::printable(key, 40));
        if (const auto near = text::nearest(key, known)) complaint += fmt::format("; did you mean '{}'?", *near);
        return bad(complaint);
    }
    return ok();
}

}  // namespace

Result<Declared> parse_declared(std::string_view line) {
    boost::system::error_code error;
    const json::value value = json::parse(line, error);
    if (error || !value.is_object()) return bad("not a JSON object");
    Declared declared;
    for (const auto& [key, field] : value.get_object()) GK_CHECK(take(declared, key, field));
    if (declared.address.empty()) return bad("'account' is missing");
    return declared;
}

std::string format_declared(const directory::Account& account, const auth::Credentials* credentials) {
    json::object out;
    out["account"] = account.address;
    out["name"] = account.name;
    out["admin"] = account.admin;
    out["disabled"] = account.disabled;
    out["quota"] = account.quota_bytes;
    out["quota_messages"] = account.quota_messages;
    std::string password;
    json::array apps;
    if (credentials) {
        if (credentials->main == auth::Credentials::Main::Scram)
            password = auth::format_scram_record(credentials->salt, credentials->iterations, credentials->main_keys);
        else password = credentials->main_hash;
        for (const auto& one : credentials->app_passwords) {
            json::object app;
            app["label"] = one.label;
            app["scopes"] = text::join(one.scopes, ",");
            app["expires"] = one.expires_s == 0 ? "" : format_rfc3339(from_unix_s(one.expires_s));
            app["password"] = auth::format_scram_record(credentials->salt, credentials->iterations, one.keys);
            apps.push_back(std::move(app));
        }
    }
    out["password"] = password;
    out["app_passwords"] = std::move(apps);
    return json::serialize(out);
}

}  // namespace gk::accounts
