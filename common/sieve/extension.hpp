// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

// The extensions by name (IANA's registry of Sieve extensions).
namespace gk::sieve {

enum class Ext : unsigned char {
    Base,
    Body,
    AsciiNumeric,
    UnicodeCasemap,
    Copy,
    Date,
    Duplicate,
    Editheader,
    Enclose,
    EncodedCharacter,
    Enotify,
    Envelope,
    Environment,
    Ereject,
    Extlists,
    Extracttext,
    Fcc,
    Fileinto,
    Foreverypart,
    Ihave,
    Imap4flags,
    Imapsieve,
    Include,
    Index,
    Mailbox,
    Mboxmetadata,
    Mime,
    RedirectDsn,
    RedirectDeliverby,
    Regex,
    Reject,
    Relational,
    Replace,
    Servermetadata,
    Spamtest,
    Spamtestplus,
    SpecialUse,
    Subaddress,
    Vacation,
    VacationSeconds,
    Variables,
    Virustest,
    Testsuite,
    Count
};

constexpr std::uint64_t bit(Ext ext) noexcept {
    return ext == Ext::Base ? 0 : std::uint64_t{1} << static_cast<unsigned>(ext);
}

std::string_view name_of(Ext ext) noexcept;
std::optional<Ext> extension_named(std::string_view name) noexcept;  // as require writes it; case counts
// What comes with it: spamtestplus is spamtest too, virustest stands alone.
std::uint64_t implied_by(Ext ext) noexcept;

}  // namespace gk::sieve
