// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/sieve/extension.hpp"
#include "common/sieve/sieve.hpp"

namespace re2 {
class RE2;
}

// What a script is compiled to: a tree of checked nodes with constants in place. Inside sieve/ alone.
namespace gk::sieve {

enum class Op : unsigned char {
    // control
    If,
    Elsif,
    Else,
    Stop,
    Return,
    Include,
    Global,
    Foreverypart,
    Break,
    Error,
    // actions
    Keep,
    Discard,
    Redirect,
    Fileinto,
    Reject,
    Ereject,
    Setflag,
    Addflag,
    Removeflag,
    Set,
    Addheader,
    Deleteheader,
    Notify,
    Vacation,
    Extracttext,
    Replace,
    Enclose,
    // tests
    True,
    False,
    Not,
    Allof,
    Anyof,
    Address,
    Envelope,
    Exists,
    Header,
    Size,
    Body,
    Hasflag,
    String,
    Date,
    Currentdate,
    Environment,
    ValidNotifyMethod,
    NotifyMethodCapability,
    Mailboxexists,
    Metadata,
    Metadataexists,
    Servermetadata,
    Servermetadataexists,
    SpecialUseExists,
    Duplicate,
    Spamtest,
    Virustest,
    ValidExtList,
    Ihave,
    // vnd.dovecot.testsuite
    Test,
    TestSet,
    TestFail,
    TestConfigSet,
    TestConfigUnset,
    TestConfigReload,
    TestMailboxCreate,
    TestImapMetadataSet,
    TestResultReset,
    TestResultPrint,
    TestResultExecute,
    TestMessage,
    TestScriptCompile,
    TestScriptRun,
    TestMultiscript,
    TestError,
    TestResultAction,
    TestBinarySave,
    TestBinaryLoad,
};

enum class Match : unsigned char { Is, Contains, Matches, Regex, Value, Count, List };
enum class Relation : unsigned char { Gt, Ge, Lt, Le, Eq, Ne };
enum class Comparator : unsigned char { AsciiCasemap, Octet, AsciiNumeric, UnicodeCasemap };
enum class AddressPart : unsigned char { All, Localpart, Domain, User, Detail };

struct Matching {
    Match type = Match::Is;
    Relation relation = Relation::Eq;
    Comparator comparator = Comparator::AsciiCasemap;
};

// Tags without a value, as bits of a node.
namespace flag {
enum : std::uint32_t {
    Copy = 1,
    Create = 2,
    Last = 4,
    Mime = 8,
    Anychild = 16,
    Raw = 32,
    Text = 64,
    Over = 128,
    Percent = 256,
    OriginalZone = 512,
    Global = 1024,
    Personal = 2048,
    Once = 4096,
    Optional = 8192,
    List = 16384,
    Lower = 1 << 15,
    Upper = 1 << 16,
    LowerFirst = 1 << 17,
    UpperFirst = 1 << 18,
    QuoteWildcard = 1 << 19,
    QuoteRegex = 1 << 20,
    Length = 1 << 21,
    EncodeUrl = 1 << 22,
    Type = 1 << 23,
    Subtype = 1 << 24,
    ContentType = 1 << 25,
    ByTrace = 1 << 26,
    Under = 1 << 27,
    Smtp = 1 << 28,
    AppendResult = 1 << 29,
};
}  // namespace flag

// Tags with a value.
enum class Slot : unsigned char {
    Flags,
    SpecialUse,
    Content,
    Param,
    Index,
    Zone,
    From,
    Subject,
    Addresses,
    Handle,
    Days,
    Seconds,
    Message,
    Importance,
    Options,
    Fcc,
    Header,
    UniqueId,
    First,
    Name,
    Headers,
    Notify,
    Ret,
    ByTimeRelative,
    ByTimeAbsolute,
    ByMode,
    Folder,
    Extension,
    Mailbox,
};

// A string of the script: constant, or put together from variables when it is needed (RFC 5229, 3).
struct Piece {
    enum class Kind : unsigned char { Literal, Variable, Matched, Global };
    Kind kind;
    std::uint32_t number = 0;  // of the variable, or of the match
    std::string literal;
};
struct Text {
    std::string literal;                    // the whole of it where PIECES is empty
    std::vector<Piece> pieces;              // else these
    std::shared_ptr<const re2::RE2> regex;  // of a constant key of :regex
    std::string folded;                     // of a constant key, for i;unicode-casemap
    bool constant() const noexcept { return pieces.empty(); }
};
using Texts = std::vector<Text>;

struct Tagged {
    Slot slot;
    std::uint64_t number = 0;
    Texts texts;
};

struct Node {
    Op op;
    AddressPart part = AddressPart::All;
    Matching matching = {};
    std::uint32_t flags = 0;
    Position at;
    std::uint64_t number = 0;         // size; the included script; the part of an envelope…
    std::vector<Texts> args = {};     // positional, in order
    std::vector<Tagged> tagged = {};  // few
    std::vector<Node> tests = {};
    std::vector<Node> block = {};

    const Tagged* find(Slot slot) const noexcept {
        for (const Tagged& each : tagged)
            if (each.slot == slot) return &each;
        return nullptr;
    }
    bool is(std::uint32_t wanted) const noexcept { return (flags & wanted) != 0; }
};

// One script of a program: [0] is the script itself, others are what it includes.
struct Unit {
    std::string name;
    Includes::Place place = Includes::Place::Personal;
    std::vector<Node> block;
    std::vector<std::string> variables;   // lower case; a variable is its index
    std::vector<std::int32_t> global_of;  // index of the global that a variable is, or -1
    std::uint64_t required = 0;
    bool missing = false;  // no such script was found
};

struct Script::Program {
    std::vector<Unit> units;
    std::vector<std::string> globals;
    std::vector<Included> includes;
    std::uint64_t regex_memory = 0;  // for patterns that are only known when it runs
};

}  // namespace gk::sieve
