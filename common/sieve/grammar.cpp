// SPDX-License-Identifier: MIT
#include "common/sieve/grammar.hpp"

#include <algorithm>
#include <iterator>

namespace gk::sieve {

namespace {

using K = Tag::Kind;
constexpr std::uint32_t of(Slot slot) { return static_cast<std::uint32_t>(slot); }
constexpr std::uint32_t of(Match match) { return static_cast<std::uint32_t>(match); }
constexpr std::uint32_t of(AddressPart part) { return static_cast<std::uint32_t>(part); }

// Match types and comparators: RFC 5228, 2.7; RFC 5231, 4; draft-ietf-sieve-regex; RFC 6134, 2.2.
constexpr Tag kMatch[] = {
    {"is", K::Match, Ext::Base, of(Match::Is), 1},
    {"contains", K::Match, Ext::Base, of(Match::Contains), 1},
    {"matches", K::Match, Ext::Base, of(Match::Matches), 1},
    {"regex", K::Match, Ext::Regex, of(Match::Regex), 1},
    {"value", K::Match, Ext::Relational, of(Match::Value), 1},
    {"count", K::Match, Ext::Relational, of(Match::Count), 1},
    {"list", K::Match, Ext::Extlists, of(Match::List), 1},
    {"comparator", K::Comparator, Ext::Base, 0, 2},
};
// RFC 5228, 2.7.4; RFC 5233, 4.
constexpr Tag kPart[] = {
    {"all", K::Part, Ext::Base, of(AddressPart::All), 3},
    {"localpart", K::Part, Ext::Base, of(AddressPart::Localpart), 3},
    {"domain", K::Part, Ext::Base, of(AddressPart::Domain), 3},
    {"user", K::Part, Ext::Subaddress, of(AddressPart::User), 3},
    {"detail", K::Part, Ext::Subaddress, of(AddressPart::Detail), 3},
};
// RFC 5260, 6.
constexpr Tag kIndex[] = {
    {"index", K::Number, Ext::Index, of(Slot::Index), 4},
    {"last", K::Flag, Ext::Index, flag::Last, 5},
};
// RFC 5703, 4.
constexpr Tag kMime[] = {
    {"mime", K::Flag, Ext::Mime, flag::Mime, 6},
    {"anychild", K::Flag, Ext::Mime, flag::Anychild, 7},
};
constexpr Tag kMimeHeader[] = {
    {"mime", K::Flag, Ext::Mime, flag::Mime, 6},
    {"anychild", K::Flag, Ext::Mime, flag::Anychild, 7},
    {"type", K::Flag, Ext::Mime, flag::Type, 8},
    {"subtype", K::Flag, Ext::Mime, flag::Subtype, 8},
    {"contenttype", K::Flag, Ext::Mime, flag::ContentType, 8},
    {"param", K::List, Ext::Mime, of(Slot::Param), 8},
};
constexpr Tag kFlags[] = {{"flags", K::List, Ext::Imap4flags, of(Slot::Flags), 1}};
constexpr Tag kFileinto[] = {
    {"copy", K::Flag, Ext::Copy, flag::Copy, 2},
    {"create", K::Flag, Ext::Mailbox, flag::Create, 3},
    {"specialuse", K::String, Ext::SpecialUse, of(Slot::SpecialUse), 4},
};
constexpr Tag kRedirect[] = {
    {"copy", K::Flag, Ext::Copy, flag::Copy, 1},
    {"list", K::Flag, Ext::Extlists, flag::List, 2},
    {"notify", K::String, Ext::RedirectDsn, of(Slot::Notify), 3},
    {"ret", K::String, Ext::RedirectDsn, of(Slot::Ret), 4},
    {"bytimerelative", K::Number, Ext::RedirectDeliverby, of(Slot::ByTimeRelative), 5},
    {"bytimeabsolute", K::String, Ext::RedirectDeliverby, of(Slot::ByTimeAbsolute), 5},
    {"bymode", K::String, Ext::RedirectDeliverby, of(Slot::ByMode), 6},
    {"bytrace", K::Flag, Ext::RedirectDeliverby, flag::ByTrace, 7},
};
// RFC 5229, 4.1: one of each precedence. RFC 5435, 6.
constexpr Tag kModifiers[] = {
    {"lower", K::Flag, Ext::Variables, flag::Lower, 1},
    {"upper", K::Flag, Ext::Variables, flag::Upper, 1},
    {"lowerfirst", K::Flag, Ext::Variables, flag::LowerFirst, 2},
    {"upperfirst", K::Flag, Ext::Variables, flag::UpperFirst, 2},
    {"quotewildcard", K::Flag, Ext::Variables, flag::QuoteWildcard, 3},
    {"quoteregex", K::Flag, Ext::Regex, flag::QuoteRegex, 3},
    {"encodeurl", K::Flag, Ext::Enotify, flag::EncodeUrl, 5},
    {"length", K::Flag, Ext::Variables, flag::Length, 4},
};
constexpr Tag kFirst[] = {{"first", K::Number, Ext::Extracttext, of(Slot::First), 6}};
constexpr Tag kAddheader[] = {{"last", K::Flag, Ext::Editheader, flag::Last, 1}};
constexpr Tag kDeleteheader[] = {
    {"index", K::Number, Ext::Editheader, of(Slot::Index), 4},
    {"last", K::Flag, Ext::Editheader, flag::Last, 5},
};
constexpr Tag kInclude[] = {
    {"personal", K::Flag, Ext::Include, flag::Personal, 1},
    {"global", K::Flag, Ext::Include, flag::Global, 1},
    {"once", K::Flag, Ext::Include, flag::Once, 2},
    {"optional", K::Flag, Ext::Include, flag::Optional, 3},
};
constexpr Tag kNotify[] = {
    {"from", K::String, Ext::Enotify, of(Slot::From), 1},
    {"importance", K::String, Ext::Enotify, of(Slot::Importance), 2},
    {"options", K::List, Ext::Enotify, of(Slot::Options), 3},
    {"message", K::String, Ext::Enotify, of(Slot::Message), 4},
};
// RFC 8580, 3: what fcc and the extensions beside it add.
constexpr Tag kFcc[] = {
    {"fcc", K::String, Ext::Fcc, of(Slot::Fcc), 10},
    {"flags", K::List, Ext::Imap4flags, of(Slot::Flags), 11},
    {"create", K::Flag, Ext::Mailbox, flag::Create, 12},
    {"specialuse", K::String, Ext::SpecialUse, of(Slot::SpecialUse), 13},
};
constexpr Tag kVacation[] = {
    {"days", K::Number, Ext::Vacation, of(Slot::Days), 1},
    {"seconds", K::Number, Ext::VacationSeconds, of(Slot::Seconds), 1},
    {"subject", K::String, Ext::Vacation, of(Slot::Subject), 2},
    {"from", K::String, Ext::Vacation, of(Slot::From), 3},
    {"addresses", K::List, Ext::Vacation, of(Slot::Addresses), 4},
    {"mime", K::Flag, Ext::Vacation, flag::Mime, 5},
    {"handle", K::String, Ext::Vacation, of(Slot::Handle), 6},
};
constexpr Tag kBody[] = {
    {"raw", K::Flag, Ext::Body, flag::Raw, 4},
    {"content", K::List, Ext::Body, of(Slot::Content), 4},
    {"text", K::Flag, Ext::Body, flag::Text, 4},
};
constexpr Tag kZone[] = {
    {"zone", K::String, Ext::Date, of(Slot::Zone), 6},
    {"originalzone", K::Flag, Ext::Date, flag::OriginalZone, 6},
};
constexpr Tag kCurrentZone[] = {{"zone", K::String, Ext::Date, of(Slot::Zone), 6}};
constexpr Tag kDuplicate[] = {
    {"handle", K::String, Ext::Duplicate, of(Slot::Handle), 1},
    {"header", K::String, Ext::Duplicate, of(Slot::Header), 2},
    {"uniqueid", K::String, Ext::Duplicate, of(Slot::UniqueId), 2},
    {"seconds", K::Number, Ext::Duplicate, of(Slot::Seconds), 3},
    {"last", K::Flag, Ext::Duplicate, flag::Last, 4},
};
constexpr Tag kPercent[] = {{"percent", K::Flag, Ext::Spamtestplus, flag::Percent, 4}};
constexpr Tag kSize[] = {
    {"over", K::Flag, Ext::Base, flag::Over, 1},
    {"under", K::Flag, Ext::Base, flag::Under, 1},
};
constexpr Tag kLoop[] = {{"name", K::String, Ext::Foreverypart, of(Slot::Name), 1}};
constexpr Tag kReplace[] = {
    {"mime", K::Flag, Ext::Replace, flag::Mime, 1},
    {"subject", K::String, Ext::Replace, of(Slot::Subject), 2},
    {"from", K::String, Ext::Replace, of(Slot::From), 3},
};
constexpr Tag kEnclose[] = {
    {"subject", K::String, Ext::Enclose, of(Slot::Subject), 1},
    {"headers", K::List, Ext::Enclose, of(Slot::Headers), 2},
};
constexpr Tag kTestMessage[] = {
    {"smtp", K::Flag, Ext::Testsuite, flag::Smtp, 1},
    {"folder", K::String, Ext::Testsuite, of(Slot::Folder), 1},
};
constexpr Tag kTestIndex[] = {{"index", K::Number, Ext::Testsuite, of(Slot::Index), 4}};
constexpr Tag kTestRun[] = {{"append_result", K::Flag, Ext::Testsuite, flag::AppendResult, 1}};
constexpr Tag kTestReload[] = {{"extension", K::String, Ext::Testsuite, of(Slot::Extension), 1}};
constexpr Tag kTestMetadata[] = {{"mailbox", K::String, Ext::Testsuite, of(Slot::Mailbox), 1}};

// clang-format off
const Spec kSpecs[] = {
    // RFC 5228, 3 and 4
    {"if", Op::If, Ext::Base, false, "tb", {}},
    {"elsif", Op::Elsif, Ext::Base, false, "tb", {}},
    {"else", Op::Else, Ext::Base, false, "b", {}},
    {"stop", Op::Stop, Ext::Base, false, "", {}},
    {"keep", Op::Keep, Ext::Base, false, "", {kFlags}},
    {"discard", Op::Discard, Ext::Base, false, "", {}},
    {"redirect", Op::Redirect, Ext::Base, false, "s", {kRedirect}},
    {"fileinto", Op::Fileinto, Ext::Fileinto, false, "s", {kFlags, kFileinto}},
    {"reject", Op::Reject, Ext::Reject, false, "s", {}},
    {"ereject", Op::Ereject, Ext::Ereject, false, "s", {}},
    {"setflag", Op::Setflag, Ext::Imap4flags, false, "?sl", {}},
    {"addflag", Op::Addflag, Ext::Imap4flags, false, "?sl", {}},
    {"removeflag", Op::Removeflag, Ext::Imap4flags, false, "?sl", {}},
    {"set", Op::Set, Ext::Variables, false, "ss", {kModifiers}},
    {"addheader", Op::Addheader, Ext::Editheader, false, "ss", {kAddheader}},
    {"deleteheader", Op::Deleteheader, Ext::Editheader, false, "s?l", {kMatch, kDeleteheader}},
    {"include", Op::Include, Ext::Include, false, "s", {kInclude}},
    {"return", Op::Return, Ext::Include, false, "", {}},
    {"global", Op::Global, Ext::Include, false, "l", {}},
    {"notify", Op::Notify, Ext::Enotify, false, "s", {kNotify, kFcc}},
    {"vacation", Op::Vacation, Ext::Vacation, false, "s", {kVacation, kFcc}},
    {"foreverypart", Op::Foreverypart, Ext::Foreverypart, false, "b", {kLoop}},
    {"break", Op::Break, Ext::Foreverypart, false, "", {kLoop}},
    {"extracttext", Op::Extracttext, Ext::Extracttext, false, "s", {kModifiers, kFirst}},
    {"replace", Op::Replace, Ext::Replace, false, "s", {kReplace}},
    {"enclose", Op::Enclose, Ext::Enclose, false, "s", {kEnclose}},
    {"error", Op::Error, Ext::Ihave, false, "s", {}},
    // RFC 5228, 5, and extensions
    {"true", Op::True, Ext::Base, true, "", {}},
    {"false", Op::False, Ext::Base, true, "", {}},
    {"not", Op::Not, Ext::Base, true, "t", {}},
    {"allof", Op::Allof, Ext::Base, true, "T", {}},
    {"anyof", Op::Anyof, Ext::Base, true, "T", {}},
    {"address", Op::Address, Ext::Base, true, "ll", {kMatch, kPart, kIndex, kMime}},
    {"envelope", Op::Envelope, Ext::Envelope, true, "ll", {kMatch, kPart}},
    {"exists", Op::Exists, Ext::Base, true, "l", {kMime}},
    {"header", Op::Header, Ext::Base, true, "ll", {kMatch, kIndex, kMimeHeader}},
    {"size", Op::Size, Ext::Base, true, "n", {kSize}},
    {"body", Op::Body, Ext::Body, true, "l", {kMatch, kBody}},
    {"hasflag", Op::Hasflag, Ext::Imap4flags, true, "?ll", {kMatch}},
    {"string", Op::String, Ext::Variables, true, "ll", {kMatch}},
    {"date", Op::Date, Ext::Date, true, "ssl", {kMatch, kZone, kIndex}},
    {"currentdate", Op::Currentdate, Ext::Date, true, "sl", {kMatch, kCurrentZone}},
    {"environment", Op::Environment, Ext::Environment, true, "sl", {kMatch}},
    {"valid_notify_method", Op::ValidNotifyMethod, Ext::Enotify, true, "l", {}},
    {"notify_method_capability", Op::NotifyMethodCapability, Ext::Enotify, true, "ssl", {kMatch}},
    {"mailboxexists", Op::Mailboxexists, Ext::Mailbox, true, "l", {}},
    {"metadata", Op::Metadata, Ext::Mboxmetadata, true, "ssl", {kMatch}},
    {"metadataexists", Op::Metadataexists, Ext::Mboxmetadata, true, "sl", {}},
    {"servermetadata", Op::Servermetadata, Ext::Servermetadata, true, "sl", {kMatch}},
    {"servermetadataexists", Op::Servermetadataexists, Ext::Servermetadata, true, "l", {}},
    {"specialuse_exists", Op::SpecialUseExists, Ext::SpecialUse, true, "?sl", {}},
    {"duplicate", Op::Duplicate, Ext::Duplicate, true, "", {kDuplicate}},
    {"spamtest", Op::Spamtest, Ext::Spamtest, true, "s", {kMatch, kPercent}},
    {"virustest", Op::Virustest, Ext::Virustest, true, "s", {kMatch}},
    {"valid_ext_list", Op::ValidExtList, Ext::Extlists, true, "l", {}},
    {"ihave", Op::Ihave, Ext::Ihave, true, "l", {}},
    // vnd.dovecot.testsuite
    {"test", Op::Test, Ext::Testsuite, false, "sb", {}},
    {"test_set", Op::TestSet, Ext::Testsuite, false, "ss", {}},
    {"test_fail", Op::TestFail, Ext::Testsuite, false, "s", {}},
    {"test_config_set", Op::TestConfigSet, Ext::Testsuite, false, "ss", {}},
    {"test_config_unset", Op::TestConfigUnset, Ext::Testsuite, false, "s", {}},
    {"test_config_reload", Op::TestConfigReload, Ext::Testsuite, false, "", {kTestReload}},
    {"test_mailbox_create", Op::TestMailboxCreate, Ext::Testsuite, false, "s", {}},
    {"test_imap_metadata_set", Op::TestImapMetadataSet, Ext::Testsuite, false, "ss", {kTestMetadata}},
    {"test_result_reset", Op::TestResultReset, Ext::Testsuite, false, "", {}},
    {"test_result_print", Op::TestResultPrint, Ext::Testsuite, false, "", {}},
    {"test_binary_save", Op::TestBinarySave, Ext::Testsuite, false, "s", {}},
    {"test_binary_load", Op::TestBinaryLoad, Ext::Testsuite, false, "s", {}},
    {"test_message", Op::TestMessage, Ext::Testsuite, false, "n", {kTestMessage}},
    {"test_message", Op::TestMessage, Ext::Testsuite, true, "n", {kTestMessage}},
    {"test_result_execute", Op::TestResultExecute, Ext::Testsuite, true, "", {}},
    {"test_script_compile", Op::TestScriptCompile, Ext::Testsuite, true, "s", {}},
    {"test_script_run", Op::TestScriptRun, Ext::Testsuite, true, "", {kTestRun}},
    {"test_multiscript", Op::TestMultiscript, Ext::Testsuite, true, "l", {}},
    {"test_error", Op::TestError, Ext::Testsuite, true, "l", {kMatch, kTestIndex}},
    {"test_result_action", Op::TestResultAction, Ext::Testsuite, true, "l", {kMatch, kTestIndex}},
};
// clang-format on

}  // namespace

const Spec* find_spec(std::string_view name, bool test) noexcept {
    // Few enough that a walk costs less than a table would to set up; compile() alone asks.
    const auto at = std::find_if(std::begin(kSpecs), std::end(kSpecs),
                                 [&](const Spec& each) { return each.test == test && each.name == name; });
    return at == std::end(kSpecs) ? nullptr : &*at;
}

std::string_view name_of(Op op) noexcept {
    for (const Spec& each : kSpecs)
        if (each.op == op) return each.name;
    return {};
}

}  // namespace gk::sieve
