// SPDX-License-Identifier: MIT
#include "common/delivery/quota_warnings.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/delivery/deliverer.hpp"
#include "common/message/header.hpp"
#include "common/os/file.hpp"
#include "common/store/incoming.hpp"

namespace gk::delivery {

namespace {

constexpr std::uint64_t kMostTemplate = 64 * 1024;
constexpr std::string_view kOurWords =
    "Subject: {about} is {percent} % full\n"
    "\n"
    "{about} keeps {used} of {limit}, in {messages} of {limit_messages} messages.\n"
    "\n"
    "When it is full, no more mail is taken for it: senders are told to try again later,\n"
    "and get it back after some days. Delete what is not needed any more, and empty the\n"
    "trash, or ask whoever runs this server for more room.\n";

std::string fill(std::string_view words, const QuotaNotice& notice) {
    const auto limit = [](std::uint64_t n, bool size) {
        return n == 0 ? std::string("any number of") : size ? text::format_size(n) : std::to_string(n);
    };
    std::string filled(words);
    for (const auto& [name, value] :
         {std::pair<std::string_view, std::string>{"{about}", notice.about},
          {"{percent}", std::to_string(notice.percent)},
          {"{used}", text::format_size(notice.used.bytes)},
          {"{limit}", notice.quota.bytes == 0 ? "any size" : limit(notice.quota.bytes, true)},
          {"{messages}", std::to_string(notice.used.messages)},
          {"{limit_messages}", limit(notice.quota.messages, false)}})
        filled = text::replace_all(filled, name, value);
    return filled;
}

}  // namespace

Result<QuotaWarnings> QuotaWarnings::from(const config::Config& config) {
    QuotaWarnings warnings;
    for (const auto& word : config.strings("quota.warn_at")) {
        const auto percent = text::to_uint(word);
        if (!percent || *percent < 1 || *percent > 100)
            return fail(Errc::Config, fmt::format("quota.warn_at: '{}' is not a number from 1 to 100", word));
        warnings.at.push_back(static_cast<unsigned>(*percent));
    }
    std::sort(warnings.at.begin(), warnings.at.end());
    warnings.template_file = config.string("quota.warning_template");
    return warnings;
}

unsigned QuotaWarnings::level_of(unsigned percent) const noexcept {
    unsigned level = 0;
    for (const unsigned one : at)
        if (one <= percent) level = one;
    return level;
}

unsigned percent_used(const store::Totals& used, const store::Quota& quota) noexcept {
    const auto share = [](std::uint64_t part, std::uint64_t whole) -> unsigned {
        if (whole == 0) return 0;
        return static_cast<unsigned>(std::min(static_cast<double>(part) / static_cast<double>(whole) * 100, 1000.0));
    };
    return std::max(share(used.bytes, quota.bytes), share(used.messages, quota.messages));
}

unsigned told(const std::string& file) {
    if (!os::exists(file)) return 0;
    const auto text = os::read_file(file, 64);
    const auto level = text ? text::to_uint(text::trim(*text)) : std::nullopt;
    return level && *level <= 100 ? static_cast<unsigned>(*level) : 0;
}

Status remember_told(const std::string& file, unsigned level) {
    return os::replace_file(file, std::to_string(level) + "\n");
}

std::string format_notice(const QuotaNotice& notice, std::string_view text_template, TimePoint when) {
    const std::string words = fill(text_template.empty() ? kOurWords : text_template, notice);
    std::string subject = fmt::format("{} is {} % full", notice.about, notice.percent);
    std::string_view body = words;
    if (const auto end = body.find("\n\n");
        text::starts_with_nocase(body, "Subject:") && end != std::string_view::npos) {
        subject = message::unfold(body.substr(8, end - 8));
        body.remove_prefix(end + 2);
    }
    std::string out = fmt::format(
        "Date: {}\r\nFrom: {}\r\nTo: {}\r\nSubject: {}\r\nMessage-ID: <{}@{}>\r\nAuto-Submitted: auto-generated\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        format_mail_date(when), notice.from, notice.to, message::encode_words(subject), new_id(),
        directory::domain_of(notice.from));
    for (const auto line : text::split(body, '\n')) {
        if (line.data() + line.size() == body.data() + body.size() && line.empty()) break;
        out += std::string(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line) + "\r\n";
    }
    return out;
}

// Nothing of it is worth a failed delivery: what goes wrong is in the log, and the next message tries again.
void Deliverer::warn_of_quotas(store::Account& account, const std::string& address, const store::Quota& quota,
                               std::uint64_t size) {
    if (options_.warnings.at.empty()) return;
    const std::string domain(directory::domain_of(address));
    const auto warn = [&](const std::string& file, QuotaNotice notice) -> Status {
        const std::lock_guard lock(warning_mutex_);
        const unsigned level = options_.warnings.level_of(notice.percent), before = told(file);
        if (level == before) return ok();
        std::string words;
        if (level > before && !options_.warnings.template_file.empty()) {
            GK_TRY(words, os::read_file(options_.warnings.template_file, kMostTemplate));
        }
        // Before it is said: of one for each message and none, none.
        GK_CHECK(remember_told(file, level));
        if (level > before) {
            notice.from = "postmaster@" + domain;
            GK_TRY(const auto to, this->account(notice.to));
            GK_TRY(auto incoming, to->incoming("INBOX"));
            GK_CHECK(incoming.begin({}));
            GK_CHECK(incoming.write(format_notice(notice, words, now())));
            GK_TRY(const auto filed, incoming.commit(index_ == Index::Soon ? &indexer_ : nullptr));
            (void)filed;
            log::Event("quota.warned")
                .field("account", notice.to)
                .field("about", notice.about)
                .field("percent", notice.percent);
        }
        return ok();
    };
    const auto both = [&]() -> Status {
        if (quota.limited()) {
            GK_TRY(auto used, account.totals());
            if (index_ == Index::Soon) {  // what came last has no row yet, and is not worth waiting for
                ++used.messages;
                used.bytes += size;
            }
            GK_CHECK(warn(directory::home_of(paths_, address) + "/quota-told",
                          {address, {}, address, percent_used(used, quota), used, quota}));
        }
        GK_TRY(const auto set, directory_->quota_of_domain(domain));
        const store::Quota of_domain = to_quota(set.bytes, set.messages);
        if (!of_domain.limited()) return ok();
        GK_TRY(const auto used, usage_of_domain(domain));
        GK_TRY(const auto owners, directory_->resolve("postmaster@" + domain));
        if (owners.accounts.empty()) return ok();
        return warn(paths_.mail + "/" + domain + "/quota-told",
                    {owners.accounts.front().account, {}, domain, percent_used(used, of_domain), used, of_domain});
    };
    if (const auto done = both(); !done)
        log::Event("quota.warning_failed", log::Level::Warning)
            .field("account", address)
            .field("error", done.error().text);
}

}  // namespace gk::delivery
