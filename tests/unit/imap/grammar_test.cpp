// SPDX-License-Identifier: MIT
#include "common/imap/grammar/parser.hpp"
#include "common/imap/grammar/reader.hpp"

#include <gtest/gtest.h>

namespace gk::imap {
namespace {

template <class T>
T parsed(std::string_view text) {
    auto command = parse_command(text);
    if (!command) {
        ADD_FAILURE() << text << ": " << command.error().text;
        return {};
    }
    if (!std::holds_alternative<T>(command->body)) {
        ADD_FAILURE() << text << ": another command";
        return {};
    }
    return std::get<T>(command->body);
}

std::string complaint(std::string_view text) {
    const auto command = parse_command(text);
    return command ? "" : command.error().text;
}

// Everything the reader says of BYTES, fed in pieces; messages of APPEND are accepted.
std::string events(std::string_view bytes, std::size_t piece, ReaderLimits limits = {}, bool accept = true) {
    CommandReader reader(limits);
    std::string said, message;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        reader.feed(bytes.substr(at, piece));
        for (;;) {
            ReaderEvent event = reader.next();
            if (std::holds_alternative<NeedMore>(event)) break;
            if (auto* command = std::get_if<Command>(&event)) {
                said += "command " + command->tag + " " + std::to_string(command->body.index()) + "\n";
                if (std::holds_alternative<Append>(command->body)) {
                    if (accept) reader.accept_message();
                    else reader.refuse_message();
                }
                if (std::holds_alternative<Idle>(command->body)) reader.expect_raw_line(true);
            } else if (std::holds_alternative<WantsLiteral>(event)) {
                said += "+\n";
            } else if (auto* bad = std::get_if<BadCommand>(&event)) {
                said += "bad " + bad->tag + " " + bad->text + "\n";
            } else if (auto* fatal = std::get_if<Fatal>(&event)) {
                said += "fatal " + fatal->text + "\n";
            } else if (auto* line = std::get_if<RawLine>(&event)) {
                said += "line " + line->line + "\n";
                reader.expect_raw_line(false);
            } else if (auto* part = std::get_if<MessageBytes>(&event)) {
                message += part->bytes;
            } else if (auto* step = std::get_if<AppendStep>(&event)) {
                said += "message " + std::exchange(message, {}) + (step->literal ? " and more\n" : "\n");
                if (step->literal && !accept) reader.refuse_message();
            }
        }
    }
    return said;
}

TEST(ImapParser, ReadsSequenceSets) {
    const auto set = parse_sequence_set("1,3:5,7:*,*");
    ASSERT_TRUE(set);
    EXPECT_EQ(set->ranges, (std::vector<SequenceRange>{{1, 1}, {3, 5}, {7, kLargest}, {kLargest, kLargest}}));
    EXPECT_TRUE(parse_sequence_set("$")->saved);
    for (const char* wrong : {"", "0", "1:", ",1", "1,", "1,,2", "a", "1:2:3", "4294967296", "-1", "$,1", "1 "})
        EXPECT_FALSE(parse_sequence_set(wrong)) << wrong;
}

TEST(ImapParser, ReadsStringsInAllTheirForms) {
    EXPECT_EQ(parsed<Select>("a SELECT Sent").mailbox, "Sent");
    EXPECT_EQ(parsed<Select>("a SELECT \"Sent \\\"x\\\\\"").mailbox, "Sent \"x\\");
    EXPECT_EQ(parsed<Select>("a SELECT {4}\r\nSent").mailbox, "Sent");
    EXPECT_EQ(parsed<Select>("a SELECT {4+}\r\nSent").mailbox, "Sent");
    EXPECT_EQ(parsed<Select>("a SELECT inBOX").mailbox, "INBOX");
    EXPECT_EQ(parsed<Select>("a SELECT \"\xC3\xA9\"").mailbox, "\xC3\xA9");
    EXPECT_NE(complaint("a SELECT \"\xC3\""), "");
    EXPECT_NE(complaint("a SELECT \"x"), "");
    EXPECT_NE(complaint("a SELECT \"\\n\""), "");
    EXPECT_NE(complaint("a SELECT {5}\r\nSent"), "");
    EXPECT_NE(complaint("a SELECT"), "");
    EXPECT_NE(complaint("a SELECT a b"), "");
    EXPECT_NE(complaint(std::string_view("a SELECT {3}\r\na\0b", 17)), "");
}

TEST(ImapParser, ReadsFetchItems) {
    const auto fetch = parsed<Fetch>(
        "a UID FETCH 1:* (FLAGS UID BODY.PEEK[1.2.HEADER.FIELDS (From \"To\")]<0.1024> BODY[] BINARY.SIZE[3] "
        "BODYSTRUCTURE)");
    EXPECT_TRUE(fetch.uid);
    ASSERT_EQ(fetch.items.size(), 6u);
    EXPECT_EQ(fetch.items[2].kind, FetchItem::Kind::BodySection);
    EXPECT_TRUE(fetch.items[2].peek);
    EXPECT_EQ(fetch.items[2].section.part, (std::vector<std::uint32_t>{1, 2}));
    EXPECT_EQ(fetch.items[2].section.text, Section::Text::HeaderFields);
    EXPECT_EQ(fetch.items[2].section.fields, (std::vector<std::string>{"From", "To"}));
    ASSERT_TRUE(fetch.items[2].partial);
    EXPECT_EQ(fetch.items[2].partial->length, 1024u);
    EXPECT_FALSE(fetch.items[3].peek);
    EXPECT_EQ(fetch.items[4].kind, FetchItem::Kind::BinarySize);
    EXPECT_EQ(parsed<Fetch>("a FETCH 1 ALL").items.size(), 4u);
    EXPECT_EQ(parsed<Fetch>("a FETCH 1 full").items.size(), 5u);
    EXPECT_EQ(parsed<Fetch>("a FETCH 1 fast").items.size(), 3u);
    EXPECT_EQ(parsed<Fetch>("a FETCH 1 RFC822.HEADER").items[0].kind, FetchItem::Kind::Rfc822Header);
    for (const char* wrong :
         {"a FETCH 1 ()", "a FETCH 1 (ALL)", "a FETCH 1 BODY[", "a FETCH 1 BODY[1.]", "a FETCH 1 BODY[MIME]",
          "a FETCH 1 BODY[0]", "a FETCH 1 BODY[]<1>", "a FETCH 1 BODY[]<0.0>", "a FETCH 1 BINARY[TEXT]",
          "a FETCH 1 NOSUCH", "a FETCH 1", "a FETCH 1 (FLAGS", "a FETCH 1 (FLAGS) x", "a FETCH 1 BODYX",
          "a FETCH 1 BODY[HEADER.FIELDS ()]"})
        EXPECT_NE(complaint(wrong), "") << wrong;
}

TEST(ImapParser, ReadsSearchTrees) {
    const auto search = parsed<Search>(
        "a SEARCH CHARSET utf-8 OR (FROM \"ann\" SINCE 1-Feb-2026) NOT DELETED 2:4 UID 7 KEYWORD $Junk LARGER 100");
    EXPECT_EQ(search.charset, "UTF-8");
    ASSERT_EQ(search.key.kind, SearchKey::Kind::And);
    ASSERT_EQ(search.key.children.size(), 5u);
    const SearchKey& either = search.key.children[0];
    EXPECT_EQ(either.kind, SearchKey::Kind::Or);
    EXPECT_EQ(either.children[0].kind, SearchKey::Kind::And);
    EXPECT_EQ(either.children[0].children[1].day, 20485);
    EXPECT_EQ(either.children[1].kind, SearchKey::Kind::Not);
    EXPECT_EQ(search.key.children[3].text, "$Junk");
    const auto extended = parsed<Search>("a UID SEARCH RETURN (MIN COUNT SAVE) UNSEEN");
    EXPECT_TRUE(extended.returns.given && extended.returns.min && extended.returns.count && extended.returns.save &&
                !extended.returns.all && extended.uid);
    EXPECT_TRUE(parsed<Search>("a SEARCH RETURN () ALL").returns.all);
    EXPECT_EQ(parsed<Search>("a SEARCH $").key.kind, SearchKey::Kind::Set);
    for (const char* wrong :
         {"a SEARCH", "a SEARCH NOSUCH", "a SEARCH OR ALL", "a SEARCH (ALL", "a SEARCH BEFORE 31-Feb-2026",
          "a SEARCH FROM", "a SEARCH RETURN (NO) ALL", "a SEARCH ALL )"})
        EXPECT_NE(complaint(wrong), "") << wrong;
}

TEST(ImapParser, BoundsTheDepthOfASearch) {
    std::string deep = "a SEARCH ";
    for (int i = 0; i < 10'000; ++i) deep += "NOT ";
    EXPECT_NE(complaint(deep + "ALL").find("nested too deeply"), std::string::npos);
    std::string parentheses = "a SEARCH ";
    parentheses.append(10'000, '(');
    EXPECT_NE(complaint(parentheses), "");
}

TEST(ImapParser, ReadsTheExtendedList) {
    const auto list = parsed<List>(
        "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"INBOX\" \"a/%\") RETURN (CHILDREN STATUS (MESSAGES UNSEEN))");
    EXPECT_TRUE(list.extended && list.select_subscribed && list.select_recursive_match && list.return_children);
    EXPECT_EQ(list.patterns, (std::vector<std::string>{"INBOX", "a/%"}));
    EXPECT_EQ(list.return_status.size(), 2u);
    EXPECT_FALSE(parsed<List>("a LIST \"\" *").extended);
    EXPECT_TRUE(parsed<List>("a LSUB \"\" %").lsub);
    EXPECT_NE(complaint("a LIST (RECURSIVEMATCH) \"\" *"), "");
    EXPECT_NE(complaint("a LIST \"\" * RETURN (NOSUCH)"), "");
}

TEST(ImapParser, ReadsAppendUpToItsMessage) {
    const auto append = parsed<Append>("a APPEND Sent (\\seen $x) \"17-Jul-1996 02:44:25 -0700\" {310+}");
    const auto begin = [](const Append& command) { return std::get<AppendStep::Begin>(command.step.items.at(0)); };
    EXPECT_EQ(begin(append).flags, (std::vector<std::string>{"\\Seen", "$x"}));
    EXPECT_EQ(begin(append).date_unix_s, 837596665);
    EXPECT_EQ(append.step.literal->size, 310u);
    EXPECT_FALSE(append.step.literal->sync);
    EXPECT_TRUE(parsed<Append>("a APPEND Sent ~{3}").step.literal->binary);
    EXPECT_TRUE(parsed<Append>("a APPEND Sent UTF8 (~{3}").step.literal->utf8);
    EXPECT_EQ(begin(parsed<Append>("a APPEND Sent \" 1-Jul-1996 02:44:25 +0000\" {1}")).date_unix_s, 836189065);
    const auto joined = parsed<Append>("a APPEND Sent CATENATE (URL /a/;UID=1 URL \"/b/;UID=2\" TEXT {5}");
    EXPECT_TRUE(begin(joined).parts);
    EXPECT_EQ(joined.step.items.size(), 3u);
    EXPECT_EQ(joined.step.literal->size, 5u);
    EXPECT_FALSE(parsed<Append>("a APPEND Sent CATENATE (URL a)").step.literal);
    const auto replace = parsed<Append>("a UID REPLACE 7 Drafts (\\Draft) {5}");
    EXPECT_TRUE(replace.replaced && replace.replaced->uid && replace.replaced->number == 7);
    EXPECT_EQ(parsed<Append>("a REPLACE * Drafts {5}").replaced->number, kLargest);
    for (const char* wrong :
         {"a APPEND Sent (\\Seen) \"32-Jul-1996 02:44:25 -0700\" {3}", "a APPEND Sent (\\Seen)", "a APPEND {3}",
          "a APPEND Sent UTF8 ({3}", "a APPEND Sent CATENATE {3}", "a APPEND Sent CATENATE ()",
          "a REPLACE 0 Drafts {3}", "a REPLACE 1 Drafts", "a APPEND Sent CATENATE (URL a) x"})
        EXPECT_NE(complaint(wrong), "") << wrong;
}

TEST(ImapParser, ReadsStoreCopyAndTheRest) {
    const auto store = parsed<Store>("a STORE 1 +FLAGS.SILENT \\deleted $Work");
    EXPECT_TRUE(store.silent && store.mode == Store::Mode::Add);
    EXPECT_EQ(store.flags, (std::vector<std::string>{"\\Deleted", "$Work"}));
    EXPECT_TRUE(parsed<Store>("a STORE 1 FLAGS ()").flags.empty());
    EXPECT_TRUE(parsed<Copy>("a UID MOVE 1:3 Trash").move);
    EXPECT_TRUE(parsed<Expunge>("a UID EXPUNGE 1").uids.has_value());
    EXPECT_EQ(parsed<Enable>("a ENABLE imap4rev2 X").capabilities, (std::vector<std::string>{"IMAP4REV2", "X"}));
    EXPECT_EQ(parsed<Id>("a ID (\"name\" \"x\" \"os\" NIL)").fields.size(), 2u);
    EXPECT_EQ(parsed<NotNow>("a LOGIN ann secret").name, "LOGIN");
    EXPECT_EQ(parsed<StatusOf>("a STATUS INBOX (MESSAGES SIZE MESSAGES)").items.size(), 2u);
    EXPECT_NE(complaint("a STORE 1 FLAGSX (\\Seen)"), "");
    EXPECT_NE(complaint("a UID NOOP"), "");
    EXPECT_NE(complaint("a NOOP x"), "");
    EXPECT_EQ(complaint("a XYZZY"), "unknown command 'XYZZY'");
}

TEST(ImapReader, GivesTheSameEventsHoweverTheBytesAreSplit) {
    const std::string said =
        "a NOOP\r\nb SELECT {5}\r\nINBOX\r\nc SELECT {2+}\r\nab \r\nd IDLE\r\nDONE\r\ne APPEND x {4+}\r\nab\r\n\r\nf "
        "APPEND {1}\r\ny (\\Seen) {2}\r\nhi"
        "\r\n g\r\n\r\nh FETCH 1 (\r\ni NOOP\n* BAD\r\nj APPEND x {2+}\r\nhi {2+}\r\nyo\r\nk NOOP\r\n";
    const std::string whole = events(said, said.size());
    EXPECT_EQ(
        whole,
        "command a 1\n+\ncommand b 11\nbad c SELECT: '(' is missing at the end\ncommand d 6\nline DONE\ncommand e "
        "23\nmessage ab\r\n\n"
        "+\ncommand f 23\nmessage hi\nbad * a tag is missing\nbad * a tag is missing\nbad h FETCH: an unknown "
        "item to fetch\n"
        "command i 1\nbad * a tag is missing\ncommand j 23\nmessage hi and more\nmessage yo\ncommand k 1\n");
    for (std::size_t piece = 1; piece < said.size(); ++piece) ASSERT_EQ(events(said, piece), whole) << piece;
}

TEST(ImapReader, AnswersAnEndlessLineOnceAndGoesOnAfterIt) {
    ReaderLimits limits;
    limits.line = 100;
    limits.skipped = 10'000;
    const std::string said = "a SELECT " + std::string(5'000, 'x') + "\r\nb NOOP\r\n";
    for (const std::size_t piece : {1, 7, 100, 101, 6000})
        EXPECT_EQ(events(said, piece, limits), "bad a a line is longer than 100 bytes\ncommand b 1\n") << piece;
    const std::string endless = "a " + std::string(50'000, 'x');
    for (const std::size_t piece : {1, 4096, 60'000})
        EXPECT_EQ(events(endless, piece, limits), "bad a a line is longer than 100 bytes\nfatal too much to skip\n")
            << piece;
}

TEST(ImapReader, RefusesLargeLiteralsAndSkipsThoseThatCome) {
    ReaderLimits limits;
    limits.literal = 10;
    limits.skipped = 1000;
    EXPECT_EQ(events("a SELECT {11}\r\nb NOOP\r\n", 3, limits),
              "bad a a literal of 11 bytes is too large here\ncommand b 1\n");
    EXPECT_EQ(events("a SELECT {11+}\r\n12345\r\n8901\r\nb NOOP\r\n", 3, limits),
              "bad a a literal of 11 bytes is too large here\ncommand b 1\n");
    EXPECT_EQ(events("a RENAME {11+}\r\n12345\r\n8901 {3+}\r\nxyz\r\nb NOOP\r\n", 3, limits),
              "bad a a literal of 11 bytes is too large here\ncommand b 1\n");
    EXPECT_EQ(events("a SELECT {99999+}\r\n12345\r\n", 3, limits),
              "bad a a literal of 99999 bytes is too large here\nfatal a refused literal is too large to skip\n");
}

TEST(ImapReader, StreamsTheLiteralsOfAnAppendAndReadsWhatStandsBetween) {
    const std::string said =
        "a APPEND x {2}\r\nhi (\\Seen) CATENATE (URL {3+}\r\n/ab TEXT {2+}\r\nyo UTF8 (~{1+}\r\n!)) UTF8 "
        "(~{2}\r\nno)\r\n"
        "b REPLACE 1 x {2+}\r\nhi {2+}\r\nyo\r\nc APPEND x {2+}\r\nhi CATENATE (URL {99999999}\r\nd NOOP\r\n";
    const std::string whole = events(said, said.size());
    EXPECT_EQ(whole,
              "command a 23\nmessage hi and more\nmessage yo and more\nmessage ! and more\nmessage no\n"
              "command b 23\nbad b REPLACE: REPLACE takes one message, and nothing may follow it\n"
              "command c 23\nbad c a literal of 99999999 bytes is too large here\ncommand d 1\n");
    for (std::size_t piece = 1; piece < said.size(); ++piece) ASSERT_EQ(events(said, piece), whole) << piece;
}

TEST(ImapReader, SkipsARefusedMessageOnlyWhereItComes) {
    EXPECT_EQ(events("a APPEND x {3+}\r\nabc\r\nb NOOP\r\n", 2, {}, false), "command a 23\ncommand b 1\n");
    EXPECT_EQ(events("a APPEND x {3}\r\nb NOOP\r\n", 2, {}, false), "command a 23\ncommand b 1\n");
}

}  // namespace
}  // namespace gk::imap
