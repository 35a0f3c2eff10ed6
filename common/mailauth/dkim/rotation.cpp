// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/rotation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/time.hpp"

namespace gk::mailauth::dkim {
namespace {

constexpr int kMostTries = 30;  // for a free selector

std::string day(std::int64_t seconds) { return format_rfc3339(from_unix_s(seconds)).substr(0, 10); }

}  // namespace

std::string next_of(const StoredKey& key, const RotationSettings& settings) {
    switch (key.state) {
        case KeyState::Published: return fmt::format("active once DNS shows it at {}", dns_name(key));
        case KeyState::Active:
            return settings.rotate_after_s > 0
                       ? fmt::format("a successor on {}", day(key.changed_s + settings.rotate_after_s))
                       : "signs until it is rotated";
        case KeyState::Retired: return fmt::format("removed on {}", day(key.changed_s + settings.remove_after_s));
        case KeyState::Revoked: return fmt::format("DNS is to show an empty p= at {}", dns_name(key));
        case KeyState::Removed: return fmt::format("take the record {} out of DNS", dns_name(key));
    }
    return {};
}

Result<StoredKey> create_key(const KeyStore& store, const std::string& domain, Algorithm algorithm, unsigned rsa_bits,
                             KeyState state, std::int64_t now_s) {
    GK_TRY(auto taken, store.list(domain));
    GK_TRY(const auto key, PrivateKey::generate(algorithm, rsa_bits));
    for (int i = 0;; ++i) {
        StoredKey name;
        name.selector = default_selector(algorithm, now_s, taken);
        auto stored = store.create(domain, name.selector, key, state, now_s);
        // A crash may have left a key without a state under that name.
        if (stored || stored.error().code != Errc::Exists || i == kMostTries) return stored;
        taken.push_back(std::move(name));
    }
}

Result<Agreement> Rotation::seen(const StoredKey& key) const {
    std::string record;
    if (key.state != KeyState::Removed) {
        GK_TRY(record, store_.record(key));
    }
    const auto sights = look_(key.domain, dns_name(key));
    if (!sights) return Agreement{false, false, true, sights.error().text};
    return agree(*sights, record);
}

Status Rotation::change(StoredKey& key, KeyState state) const {
    if (!dry_run_) GK_CHECK(store_.set_state(key, state, now_s_));
    key.state = state;
    key.changed_s = now_s_;
    return ok();
}

// Published keys that every server shows become active, the newest first; older ones of their kind give way.
Status Rotation::settle(Algorithm algorithm, std::vector<StoredKey>& keys, std::vector<Step>& steps) const {
    StoredKey* signer = nullptr;
    const auto retire = [&](StoredKey& key) -> Status {
        GK_CHECK(change(key, KeyState::Retired));
        const auto until = day(now_s_ + settings_.remove_after_s);
        steps.push_back({key, "retired", fmt::format("a newer key signs; DNS is to show it until {}", until), false});
        return ok();
    };
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
        if (key->algorithm != algorithm) continue;
        if (key->state == KeyState::Active) {
            if (signer) GK_CHECK(retire(*key));
            else signer = &*key;
        } else if (key->state == KeyState::Published && signer && signer->created_s > key->created_s) {
            GK_CHECK(change(*key, KeyState::Removed));
            steps.push_back({*key, "removed", fmt::format("a newer key signs; {}", next_of(*key, settings_)), false});
        } else if (key->state == KeyState::Published) {
            GK_TRY(const auto agreement, seen(*key));
            if (!agreement.everywhere) {
                steps.push_back({*key, "waits",
                                 fmt::format("until every server shows {}; {}", dns_name(*key), agreement.text),
                                 agreement.temporary});
                continue;
            }
            GK_CHECK(change(*key, KeyState::Active));
            steps.push_back({*key, "activated", "every server shows it; it signs from now on", false});
            if (signer) GK_CHECK(retire(*signer));
            signer = &*key;
        }
    }
    return ok();
}

// An active key that is old enough, or is to be replaced, gets a successor: no more than one.
Status Rotation::succeed(Algorithm algorithm, bool begin, std::vector<StoredKey>& keys,
                         std::vector<Step>& steps) const {
    const StoredKey* active = nullptr;
    bool published = false, retired = false;
    for (const auto& key : keys) {
        if (key.algorithm != algorithm) continue;
        if (key.state == KeyState::Active) active = &key;
        published |= key.state == KeyState::Published;
        retired |= key.state == KeyState::Retired;
    }
    if (!active) return ok();
    const bool due = settings_.rotate_after_s > 0 && now_s_ - active->changed_s >= settings_.rotate_after_s;
    const bool just_now = std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
        return step.key.selector == active->selector && step.action == "activated";
    });
    if (published || just_now || !(due || (begin && !retired))) {
        if (!just_now) steps.push_back({*active, "keeps", next_of(*active, settings_), false});
        return ok();
    }
    steps.push_back({*active, "keeps", "signs until its successor is active", false});
    StoredKey made;
    const unsigned bits = std::max(settings_.rsa_bits, algorithm == Algorithm::RsaSha256 ? active->bits : 0);
    if (dry_run_) {
        made.domain = active->domain;
        made.selector = default_selector(algorithm, now_s_, keys);
        made.algorithm = algorithm;
        made.bits = algorithm == Algorithm::RsaSha256 ? bits : active->bits;
        made.created_s = made.changed_s = now_s_;
    } else {
        GK_TRY(made, create_key(store_, active->domain, algorithm, bits, KeyState::Published, now_s_));
    }
    steps.push_back(
        {made, "created", fmt::format("put it into DNS: gk-dkim dns {} {}", made.domain, made.selector), false});
    keys.push_back(std::move(made));
    return ok();
}

// What signs no more: retired keys whose time is over, and names whose record may go or has gone.
Status Rotation::clear(std::vector<StoredKey>& keys, std::vector<Step>& steps) const {
    for (auto& key : keys) {
        const bool over = now_s_ - key.changed_s >= settings_.remove_after_s;
        const bool just_now = std::any_of(steps.begin(), steps.end(),
                                          [&](const Step& step) { return step.key.selector == key.selector; });
        if (just_now) continue;
        if (key.state == KeyState::Retired && over) {
            GK_CHECK(change(key, KeyState::Removed));
            steps.push_back({key, "removed", next_of(key, settings_), false});
        } else if (key.state == KeyState::Retired) {
            steps.push_back({key, "keeps", next_of(key, settings_), false});
        } else if (key.state == KeyState::Removed || key.state == KeyState::Revoked) {
            GK_TRY(const auto agreement, seen(key));
            const bool may_go = agreement.nowhere && (key.state == KeyState::Removed || over);
            if (may_go) {
                if (!dry_run_) GK_CHECK(store_.forget(key));
                steps.push_back({key, "forgotten", "its record has left DNS", false});
            } else if (key.state == KeyState::Revoked && agreement.everywhere) {
                steps.push_back({key, "keeps",
                                 over ? fmt::format("the record {} may leave DNS", dns_name(key))
                                      : "every server shows that it is revoked",
                                 false});
            } else {
                const std::string seen_where = key.state == KeyState::Revoked ? "; " + agreement.text : "";
                steps.push_back({key, "waits", next_of(key, settings_) + seen_where, agreement.temporary});
            }
        }
    }
    return ok();
}

Result<std::vector<Step>> Rotation::advance(const std::string& domain, bool begin) const {
    GK_TRY(auto keys, store_.list(domain));
    std::vector<Step> steps;
    for (const auto algorithm : {Algorithm::RsaSha256, Algorithm::Ed25519Sha256}) {
        GK_CHECK(settle(algorithm, keys, steps));
        GK_CHECK(succeed(algorithm, begin, keys, steps));
    }
    GK_CHECK(clear(keys, steps));
    return steps;
}

}  // namespace gk::mailauth::dkim
