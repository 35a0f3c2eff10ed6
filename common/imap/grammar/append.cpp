// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/imap/grammar/parser.hpp"
#include "common/imap/grammar/rules.hpp"

namespace gk::imap {

namespace {

// literal / literal8, announced at the end of TEXT. UTF8: literal8 only (RFC 6855, 4).
AppendStep::Literal announced(Scanner& in, bool utf8) {
    AppendStep::Literal literal;
    literal.utf8 = utf8;
    if (utf8) in.expect('~');
    else literal.binary = in.accept('~');
    in.expect('{');
    literal.size = in.number64();
    literal.sync = !in.accept('+');
    in.expect('}');
    in.expect_end();
    return literal;
}

struct Stretch {
    Scanner& in;
    AppendStep step = {};
    std::size_t urls = 0;

    void message();
    void part();
};

// append-message = [SP flag-list] [SP date-time] SP append-data; RFC 3502, 6.3.11; RFC 4466, 2.5
// append-data = literal / literal8 / "UTF8" SP "(" literal8 ")" / "CATENATE" SP "(" cat-part *(SP cat-part) ")"
void Stretch::message() {
    AppendStep::Begin begin;
    if (in.next_is('(')) {
        begin.flags = in.flag_list();
        in.space();
    }
    if (in.next_is('"')) {
        begin.date_unix_s = in.date_time();
        in.space();
    }
    begin.parts = in.accept_word("CATENATE");
    const bool parts = begin.parts;
    step.items.emplace_back(std::move(begin));
    if (parts) {
        in.space();
        in.expect('(');
        return part();
    }
    const bool utf8 = in.accept_word("UTF8");
    if (utf8) {
        in.space();
        in.expect('(');
    }
    step.literal = announced(in, utf8);
    step.next = utf8 ? AppendPlace::Utf8 : AppendPlace::Next;
}

// cat-part = "TEXT" SP literal / "URL" SP astring / "UTF8" SP "(" literal8 ")"; RFC 4469, 5; RFC 6855, 4
void Stretch::part() {
    step.next = AppendPlace::Parts;
    if (in.accept_word("URL")) {
        in.space();
        step.items.emplace_back(AppendStep::Url{in.astring()});
        if (++urls > kMaxAppendUrls) in.fail("too many URLs");
    } else if (in.accept_word("TEXT")) {
        in.space();
        step.literal = announced(in, false);
    } else if (in.accept_word("UTF8")) {
        in.space();
        in.expect('(');
        step.literal = announced(in, true);
        step.next = AppendPlace::PartUtf8;
    } else {
        in.fail("TEXT or URL expected");
    }
}

}  // namespace

AppendStep append_step(Scanner& in, AppendPlace place, bool single) {
    Stretch stretch{in};
    AppendStep& step = stretch.step;
    step.next = place;
    while (!in.failed() && !step.literal) {
        switch (step.next) {
            case AppendPlace::First:
                in.space();
                stretch.message();
                break;
            case AppendPlace::Next:
                if (in.at_end()) return std::move(step);
                if (single) in.fail("REPLACE takes one message, and nothing may follow it");
                in.space();
                stretch.message();
                break;
            case AppendPlace::Utf8:
                in.expect(')');
                step.next = AppendPlace::Next;
                break;
            case AppendPlace::PartUtf8:
                in.expect(')');
                step.next = AppendPlace::Parts;
                break;
            case AppendPlace::Parts:
                if (in.accept(')')) {
                    step.next = AppendPlace::Next;
                } else {
                    in.space();
                    stretch.part();
                }
                break;
        }
    }
    return std::move(step);
}

// append = "APPEND" SP mailbox 1*(append-message); RFC 3501, 6.3.11; RFC 3502, 6.3.11
Append append_command(Scanner& in) {
    Append append;
    in.space();
    append.mailbox = in.mailbox();
    append.step = append_step(in, AppendPlace::First, false);
    return append;
}

// replace = "REPLACE" SP seq-number SP mailbox append-message; with "UID", a unique id; RFC 8508, 3
Append replace_command(Scanner& in, bool uid) {
    Append append;
    Append::Replaced replaced{.uid = uid};
    in.space();
    replaced.number = in.accept('*') ? kLargest : in.nz_number();
    append.replaced = replaced;
    in.space();
    append.mailbox = in.mailbox();
    append.step = append_step(in, AppendPlace::First, true);
    return append;
}

std::optional<Command> parse_append_at_message(std::string_view text) {
    Scanner in(text);
    in.tag();
    in.space();
    std::string name = in.word();
    if (name == "UID") {
        in.space();
        name = in.word();
    }
    if (name != "APPEND" && name != "REPLACE") return std::nullopt;
    auto command = parse_command(text);
    if (!command) return std::nullopt;
    const auto* const append = std::get_if<Append>(&command->body);
    if (append == nullptr || !append->step.literal) return std::nullopt;
    return std::move(*command);
}

Result<AppendStep> parse_append_step(std::string_view text, AppendPlace place, bool single) {
    Scanner in(text);
    AppendStep step = append_step(in, place, single);
    if (in.failed()) return fail(Errc::BadInput, (single ? "REPLACE: " : "APPEND: ") + in.error());
    return step;
}

}  // namespace gk::imap
