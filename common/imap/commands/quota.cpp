// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/imap/mailbox_name.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

namespace {

// An account with a quota has one root, over all its mailboxes; one without has none. Clients of RFC 2087 know "".
constexpr std::string_view kRoot = "";
constexpr std::uint64_t kUnit = 1024;  // RFC 9208, 5.1: STORAGE is in units of 1024 octets

}  // namespace

// quota-response = "QUOTA" SP quota-root-name SP quota-list: RFC 9208, 4.2.1. False: the command is answered.
bool Session::tell_quota() {
    const store::Quota& quota = account_->quota();
    const auto totals = account_->totals();
    if (!totals) {
        refuse(totals.error());
        return false;
    }
    std::string resources;
    // Usage rounded up and the limit down: full is full.
    if (quota.bytes != 0)
        resources = fmt::format("STORAGE {} {}", (totals->bytes + kUnit - 1) / kUnit, quota.bytes / kUnit);
    if (quota.messages != 0)
        resources += fmt::format("{}MESSAGE {} {}", resources.empty() ? "" : " ", totals->messages, quota.messages);
    untagged(fmt::format("QUOTA \"{}\" ({})", kRoot, resources));
    return true;
}

// getquota = "GETQUOTA" SP quota-root-name: RFC 9208, 4.1.1
void Session::on(const GetQuota& command) {
    if (command.root != kRoot || !account_->quota().limited())
        return reply("NO [NONEXISTENT] There is no such quota root");
    if (tell_quota()) finish("OK Quota told");
}

// getquotaroot = "GETQUOTAROOT" SP mailbox: RFC 9208, 4.1.2. The mailbox need not exist: what would hold for it counts.
void Session::on(const GetQuotaRoot& command) {
    const auto name = mailbox_named(command.mailbox);
    if (!name) return;
    std::string& out = out_.text();
    out += "* QUOTAROOT ";
    append_mailbox(out, *name, utf8_);
    if (account_->quota().limited()) {
        out += fmt::format(" \"{}\"\r\n", kRoot);
        if (!tell_quota()) return;
    } else {
        out += "\r\n";
    }
    finish("OK Quota roots told");
}

// setquota = "SETQUOTA" SP quota-root-name SP setquota-list: RFC 9208, 4.1.3. Quotas are the administrator's, and set
// with gk-user and gk-domain.
void Session::on(const SetQuota&) { reply("NO [NOPERM] Quotas are set by the administrator"); }

}  // namespace gk::imap
