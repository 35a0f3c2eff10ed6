// SPDX-License-Identifier: MIT
#include "common/imap/grammar/parser.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/imap/grammar/rules.hpp"

namespace gk::imap {

namespace {

using Rule = CommandBody (*)(Scanner& in);

// RFC 9051, 6.2: fit only before login; their arguments are not read.
template <char... Name>
CommandBody not_now(Scanner& in) {
    while (!in.at_end() && !in.failed()) in.accept(in.peek());
    return NotNow{std::string{Name...}};
}

std::string one_mailbox(Scanner& in) {
    in.space();
    return in.mailbox();
}

// id = "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil); RFC 2971, 3.1: 30 pairs at the most
Id id_command(Scanner& in) {
    Id id;
    in.space();
    if (in.accept_word("NIL")) return id;
    in.expect('(');
    if (in.accept(')')) return id;
    do {
        std::string name = in.string();
        in.space();
        id.fields.emplace_back(std::move(name), in.nstring());
        if (id.fields.size() > 30) in.fail("more than 30 fields in ID");
    } while (in.accept(' '));
    in.expect(')');
    return id;
}

// compress = "COMPRESS" SP algorithm; RFC 4978, 5
Compress compress_command(Scanner& in) {
    in.space();
    return Compress{in.word()};
}

// enable = "ENABLE" 1*(SP capability)
Enable enable_command(Scanner& in) {
    Enable enable;
    do {
        in.space();
        enable.capabilities.push_back(in.word());
    } while (in.next_is(' '));
    return enable;
}

Rename rename_command(Scanner& in) {
    Rename rename;
    rename.from = one_mailbox(in);
    rename.to = one_mailbox(in);
    return rename;
}

StatusOf status_command(Scanner& in) {
    StatusOf status;
    status.mailbox = one_mailbox(in);
    in.space();
    status.items = status_items(in);
    return status;
}

GetQuota get_quota_command(Scanner& in) {
    in.space();
    return {in.astring()};
}

// setquota = "SETQUOTA" SP quota-root-name SP "(" [setquota-resource *(SP setquota-resource)] ")"; RFC 9208, 7
SetQuota set_quota_command(Scanner& in) {
    constexpr int kMostResources = 100;  // there are four that anybody knows
    SetQuota set;
    in.space();
    set.root = in.astring();
    in.space();
    in.expect('(');
    if (in.accept(')')) return set;
    int resources = 0;
    do {
        in.atom();
        in.space();
        in.number64();
        if (++resources > kMostResources) in.fail("too many resources");
    } while (in.accept(' '));
    in.expect(')');
    return set;
}

Copy copy_command(Scanner& in, bool uid, bool move) {
    Copy copy;
    copy.uid = uid;
    copy.move = move;
    in.space();
    copy.set = in.sequence_set();
    copy.mailbox = one_mailbox(in);
    return copy;
}

// uid = "UID" SP (copy / move / fetch / search / store / expunge / replace)
CommandBody uid_command(Scanner& in) {
    in.space();
    const std::string name = in.word();
    if (name == "FETCH") return fetch_command(in, true);
    if (name == "SEARCH") return search_command(in, true);
    if (name == "SORT") return sort_command(in, true);
    if (name == "STORE") return store_command(in, true);
    if (name == "THREAD") return thread_command(in, true);
    if (name == "COPY") return copy_command(in, true, false);
    if (name == "MOVE") return copy_command(in, true, true);
    if (name == "REPLACE") return replace_command(in, true);
    if (name == "EXPUNGE") {
        in.space();
        return Expunge{in.sequence_set()};
    }
    in.fail(fmt::format("unknown command UID {}", text::printable(name, 40)));
    return Noop{};
}

// RFC 9051, 6 and RFC 3501, 6; sorted for reading, not for search
constexpr std::pair<std::string_view, Rule> kCommands[] = {
    {"APPEND", [](Scanner& in) -> CommandBody { return append_command(in); }},
    {"AUTHENTICATE", not_now<'A', 'U', 'T', 'H', 'E', 'N', 'T', 'I', 'C', 'A', 'T', 'E'>},
    {"CANCELUPDATE", [](Scanner& in) -> CommandBody { return cancel_update_command(in); }},
    {"CAPABILITY", [](Scanner&) -> CommandBody { return Capability{}; }},
    {"CHECK", [](Scanner&) -> CommandBody { return Check{}; }},
    {"CLOSE", [](Scanner&) -> CommandBody { return CloseMailbox{}; }},
    {"COMPRESS", [](Scanner& in) -> CommandBody { return compress_command(in); }},
    {"COPY", [](Scanner& in) -> CommandBody { return copy_command(in, false, false); }},
    {"CREATE", [](Scanner& in) -> CommandBody { return create_command(in); }},
    {"DELETE", [](Scanner& in) -> CommandBody { return Delete{one_mailbox(in)}; }},
    {"ENABLE", [](Scanner& in) -> CommandBody { return enable_command(in); }},
    {"ESEARCH", [](Scanner& in) -> CommandBody { return multisearch_command(in); }},
    {"EXAMINE", [](Scanner& in) -> CommandBody { return select_command(in, true); }},
    {"EXPUNGE", [](Scanner&) -> CommandBody { return Expunge{}; }},
    {"FETCH", [](Scanner& in) -> CommandBody { return fetch_command(in, false); }},
    {"GETMETADATA", [](Scanner& in) -> CommandBody { return get_metadata_command(in); }},
    {"GETQUOTA", [](Scanner& in) -> CommandBody { return get_quota_command(in); }},
    {"GETQUOTAROOT", [](Scanner& in) -> CommandBody { return GetQuotaRoot{one_mailbox(in)}; }},
    {"ID", [](Scanner& in) -> CommandBody { return id_command(in); }},
    {"IDLE", [](Scanner&) -> CommandBody { return Idle{}; }},
    {"LIST", [](Scanner& in) -> CommandBody { return list_command(in); }},
    {"LOGIN", not_now<'L', 'O', 'G', 'I', 'N'>},
    {"LOGOUT", [](Scanner&) -> CommandBody { return Logout{}; }},
    {"LSUB", [](Scanner& in) -> CommandBody { return lsub_command(in); }},
    {"MOVE", [](Scanner& in) -> CommandBody { return copy_command(in, false, true); }},
    {"NAMESPACE", [](Scanner&) -> CommandBody { return Namespace{}; }},
    {"NOOP", [](Scanner&) -> CommandBody { return Noop{}; }},
    {"NOTIFY", [](Scanner& in) -> CommandBody { return notify_command(in); }},
    {"RENAME", [](Scanner& in) -> CommandBody { return rename_command(in); }},
    {"REPLACE", [](Scanner& in) -> CommandBody { return replace_command(in, false); }},
    {"SEARCH", [](Scanner& in) -> CommandBody { return search_command(in, false); }},
    {"SELECT", [](Scanner& in) -> CommandBody { return select_command(in, false); }},
    {"SETMETADATA", [](Scanner& in) -> CommandBody { return set_metadata_command(in); }},
    {"SETQUOTA", [](Scanner& in) -> CommandBody { return set_quota_command(in); }},
    {"SORT", [](Scanner& in) -> CommandBody { return sort_command(in, false); }},
    {"STARTTLS", not_now<'S', 'T', 'A', 'R', 'T', 'T', 'L', 'S'>},
    {"STATUS", [](Scanner& in) -> CommandBody { return status_command(in); }},
    {"STORE", [](Scanner& in) -> CommandBody { return store_command(in, false); }},
    {"SUBSCRIBE",
     [](Scanner& in) -> CommandBody {
         return Subscribe{one_mailbox(in), true};
     }},
    {"THREAD", [](Scanner& in) -> CommandBody { return thread_command(in, false); }},
    {"UID", uid_command},
    {"UNAUTHENTICATE", [](Scanner&) -> CommandBody { return Unauthenticate{}; }},
    {"UNSELECT", [](Scanner&) -> CommandBody { return Unselect{}; }},
    {"UNSUBSCRIBE",
     [](Scanner& in) -> CommandBody {
         return Subscribe{one_mailbox(in), false};
     }},
};

}  // namespace

std::string_view tag_of(std::string_view text) noexcept {
    std::size_t end = 0;
    while (end < text.size() && (is_atom_char(static_cast<unsigned char>(text[end])) || text[end] == ']') &&
           text[end] != '+')
        ++end;
    if (end == 0 || end > 200 || (end < text.size() && text[end] != ' ')) return {};
    return text.substr(0, end);
}

Result<Command> parse_command(std::string_view text) {
    Scanner in(text);
    Command command;
    command.tag = in.tag();
    in.space();
    const std::string name = in.word();
    if (in.failed()) return fail(Errc::BadInput, in.error());
    for (const auto& [word, rule] : kCommands) {
        if (name != word) continue;
        command.body = rule(in);
        in.expect_end();
        if (in.failed()) return fail(Errc::BadInput, fmt::format("{}: {}", name, in.error()));
        return command;
    }
    return fail(Errc::BadInput, fmt::format("unknown command '{}'", text::printable(name, 40)));
}

std::optional<LiteralMark> literal_mark(std::string_view line) noexcept {
    if (line.size() < 3 || line.back() != '}') return std::nullopt;
    const std::size_t open = line.rfind('{');
    if (open == std::string_view::npos) return std::nullopt;
    std::string_view digits = line.substr(open + 1, line.size() - open - 2);
    LiteralMark mark;
    if (!digits.empty() && digits.back() == '+') {
        mark.sync = false;
        digits.remove_suffix(1);
    }
    if (digits.empty() || digits.size() > 19) return std::nullopt;
    const auto size = text::to_uint(digits);
    if (!size || *size > INT64_MAX) return std::nullopt;
    mark.size = *size;
    mark.binary = open > 0 && line[open - 1] == '~';
    mark.at = mark.binary ? open - 1 : open;
    return mark;
}

Result<SequenceSet> parse_sequence_set(std::string_view text) {
    Scanner in(text);
    SequenceSet set = in.sequence_set();
    in.expect_end();
    if (in.failed()) return fail(Errc::BadInput, in.error());
    return set;
}

}  // namespace gk::imap
