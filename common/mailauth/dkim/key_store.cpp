// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/key_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/mailauth/dkim/key_record.hpp"
#include "common/mailauth/domain.hpp"
#include "common/os/file.hpp"

namespace gk::mailauth::dkim {
namespace {

constexpr std::uint64_t kMaxFile = 64 * 1024;
constexpr std::string_view kStateSuffix = ".state";

// These names become parts of paths: letters, digits, hyphens and underscores, with dots between.
Status check_names(const std::string& domain, const std::string& selector) {
    if (domain.empty() || dns_domain(domain) != domain)
        return fail(Errc::BadInput, fmt::format("'{}' is not a domain in A-labels", text::printable(domain, 100)));
    const auto clean = [](char c) {
        return text::is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.';
    };
    if (!std::all_of(domain.begin(), domain.end(), clean))
        return fail(Errc::BadInput, fmt::format("'{}' is not a domain of mail", text::printable(domain, 100)));
    if (!fits_dns(selector) || !std::all_of(selector.begin(), selector.end(), clean) || selector.size() > 63)
        return fail(Errc::BadInput, fmt::format("'{}' is not a selector: lower-case letters, digits, hyphens",
                                                text::printable(selector, 100)));
    return ok();
}

Result<KeyState> state_named(std::string_view name) {
    for (const auto state :
         {KeyState::Published, KeyState::Active, KeyState::Retired, KeyState::Revoked, KeyState::Removed})
        if (name == state_name(state)) return state;
    return fail(Errc::BadInput, fmt::format("unknown state '{}'", text::printable(name, 40)));
}

Result<std::int64_t> time_named(std::string_view value) {
    const auto time = parse_rfc3339(value);
    if (!time) return fail(Errc::BadInput, fmt::format("'{}' is not a time", text::printable(value, 40)));
    return to_unix_s(*time);
}

Status read_line(std::string_view line, StoredKey& key) {
    const auto blank = line.find(' ');
    const auto name = line.substr(0, blank);
    const auto value = blank == std::string_view::npos ? std::string_view() : text::trim(line.substr(blank));
    if (name == "algorithm") {
        const auto algorithm = algorithm_named(value);
        if (!algorithm) return fail(Errc::BadInput, fmt::format("unknown algorithm '{}'", text::printable(value, 40)));
        key.algorithm = *algorithm;
    } else if (name == "bits") {
        key.bits = static_cast<unsigned>(text::to_uint(value).value_or(0));
    } else if (name == "state") {
        GK_TRY(key.state, state_named(value));
    } else if (name == "created") {
        GK_TRY(key.created_s, time_named(value));
    } else if (name == "changed") {
        GK_TRY(key.changed_s, time_named(value));
    }
    // Lines of a later version are passed over.
    return ok();
}

}  // namespace

std::string_view state_name(KeyState state) noexcept {
    switch (state) {
        case KeyState::Published: return "published";
        case KeyState::Active: return "active";
        case KeyState::Retired: return "retired";
        case KeyState::Revoked: return "revoked";
        case KeyState::Removed: return "removed";
    }
    return "removed";
}

Result<StoredKey> KeyStore::read(const std::string& domain, const std::string& selector) const {
    StoredKey key;
    key.domain = domain;
    key.selector = selector;
    key.key_path = folder(domain) + '/' + selector + ".key";
    const std::string path = folder(domain) + '/' + selector + std::string(kStateSuffix);
    GK_TRY(const std::string text, os::read_file(path, kMaxFile));
    for (const auto line : text::split(text, '\n'))
        if (const auto status = read_line(text::trim(line), key); !status) return fail(status.error().in(path));
    return key;
}

Result<StoredKey> KeyStore::find(const std::string& domain, const std::string& selector) const {
    GK_CHECK(check_names(domain, selector));
    auto key = read(domain, selector);
    if (!key && key.error().code == Errc::NotFound)
        return fail(Errc::NotFound, fmt::format("there is no key {} of {}", selector, domain));
    return key;
}

Result<std::vector<StoredKey>> KeyStore::list(const std::string& domain) const {
    std::vector<StoredKey> keys;
    const auto read_folder = [&](const std::string& name) -> Status {
        GK_TRY(const auto entries, os::list_directory(folder(name)));
        for (const auto& entry : entries) {
            if (!entry.name.ends_with(kStateSuffix)) continue;
            auto key = read(name, entry.name.substr(0, entry.name.size() - kStateSuffix.size()));
            if (key) keys.push_back(std::move(*key));
            else if (key.error().code != Errc::NotFound) return fail(key.error());  // forgotten meanwhile
        }
        return ok();
    };
    if (!domain.empty()) {
        GK_CHECK(check_names(domain, "s"));
        if (os::exists(folder(domain))) GK_CHECK(read_folder(domain));
    } else if (os::exists(directory_)) {
        GK_TRY(const auto entries, os::list_directory(directory_));
        for (const auto& entry : entries)
            if (entry.is_directory) GK_CHECK(read_folder(entry.name));
    }
    std::sort(keys.begin(), keys.end(), [](const StoredKey& x, const StoredKey& y) {
        return std::tie(x.domain, x.created_s, x.selector) < std::tie(y.domain, y.created_s, y.selector);
    });
    return keys;
}

Result<PrivateKey> KeyStore::load(const StoredKey& key) const {
    GK_TRY(const std::string pem, os::read_file(key.key_path, kMaxFile));
    auto loaded = PrivateKey::from_pem(pem);
    if (!loaded) return fail(loaded.error().in(key.key_path));
    return loaded;
}

Status KeyStore::write_state(const StoredKey& key) const {
    const std::string text = fmt::format(
        "algorithm {}\nbits {}\nstate {}\ncreated {}\nchanged {}\n", algorithm_name(key.algorithm), key.bits,
        state_name(key.state), format_rfc3339(from_unix_s(key.created_s)), format_rfc3339(from_unix_s(key.changed_s)));
    return os::replace_file(folder(key.domain) + '/' + key.selector + std::string(kStateSuffix), text);
}

Result<StoredKey> KeyStore::create(const std::string& domain, const std::string& selector, const PrivateKey& key,
                                   KeyState state, std::int64_t now_s) const {
    GK_CHECK(check_names(domain, selector));
    GK_CHECK(os::make_directories(folder(domain)));
    StoredKey stored{domain, selector, key.algorithm(), key.bits(),
                     state,  now_s,    now_s,           folder(domain) + '/' + selector + ".key"};
    // The name is taken by creating the key: a second caller fails here, and a key whose state never came is in the way
    // until somebody looks at it, since it may be published already.
    auto file = os::NewFile::create(stored.key_path);
    if (!file) {
        if (file.error().code != Errc::Exists) return fail(file.error());
        return fail(Errc::Exists, fmt::format("there is a key {} of {} already", selector, domain));
    }
    const auto write = [&]() -> Status {
        GK_CHECK(file->write(key.to_pem()));
        GK_CHECK(file->sync());
        GK_CHECK(file->close());
        GK_CHECK(os::sync_directory(folder(domain)));
        return write_state(stored);
    };
    if (const auto status = write(); !status) {
        file->unlink();
        return fail(status.error());
    }
    GK_CHECK(os::sync_directory(directory_));
    return stored;
}

Status KeyStore::set_state(const StoredKey& key, KeyState state, std::int64_t now_s) const {
    StoredKey changed = key;
    changed.state = state;
    changed.changed_s = now_s;
    GK_CHECK(write_state(changed));
    if (state != KeyState::Revoked && state != KeyState::Removed) return ok();
    if (const auto gone = os::unlink(key.key_path); !gone && gone.error().code != Errc::NotFound)
        return fail(gone.error());
    return os::sync_directory(folder(key.domain));
}

Status KeyStore::forget(const StoredKey& key) const {
    // A crash between may have left the private key of a Removed one.
    if (const auto gone = os::unlink(key.key_path); !gone && gone.error().code != Errc::NotFound)
        return fail(gone.error());
    GK_CHECK(os::unlink(folder(key.domain) + '/' + key.selector + std::string(kStateSuffix)));
    return os::sync_directory(folder(key.domain));
}

Result<std::string> KeyStore::record(const StoredKey& key) const {
    if (key.state == KeyState::Removed)
        return fail(Errc::NotFound,
                    fmt::format("{} of {} is removed: nothing is to be in DNS", key.selector, key.domain));
    if (key.state == KeyState::Revoked) return fmt::format("v=DKIM1; k={}; p=", key_type_name(key.algorithm));
    GK_TRY(const PrivateKey loaded, load(key));
    return format_key_record(loaded);
}

Result<os::Fd> KeyStore::lock() const {
    GK_CHECK(os::make_directories(directory_));
    const std::string path = directory_ + "/lock";
    os::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return fail_errno("cannot open '" + path + "'");
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno == EWOULDBLOCK) return fail(Errc::Temporary, "another gk-dkim changes keys at the moment");
    return fail_errno("cannot lock '" + path + "'");
}

Result<std::string> KeyStore::folder_of(const std::string& domain) const {
    GK_CHECK(check_names(domain, "s"));
    return folder(domain);
}

std::string default_selector(Algorithm algorithm, std::int64_t now_s, const std::vector<StoredKey>& taken) {
    const std::string month = format_rfc3339(from_unix_s(now_s)).substr(0, 7);
    for (char letter = 'a'; letter <= 'z'; ++letter) {
        std::string selector =
            fmt::format("{}{}-{}", text::replace_all(month, "-", ""), letter, key_type_name(algorithm));
        if (std::none_of(taken.begin(), taken.end(), [&](const StoredKey& key) { return key.selector == selector; }))
            return selector;
    }
    return fmt::format("s{}-{}", now_s, key_type_name(algorithm));
}

std::string zone_lines(const StoredKey& key, std::string_view record) {
    std::string out = fmt::format("{}._domainkey.{}. IN TXT (", key.selector, key.domain);
    for (std::size_t at = 0; at < record.size(); at += 255) out += fmt::format(" \"{}\"", record.substr(at, 255));
    return out + " )\n";
}

}  // namespace gk::mailauth::dkim
