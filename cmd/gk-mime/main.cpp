// SPDX-License-Identifier: MIT
#include <cstdio>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/cli/cli.hpp"
#include "common/message/decoder.hpp"
#include "common/message/header.hpp"
#include "common/message/structure.hpp"
#include "common/message/text.hpp"
#include "common/os/input.hpp"

using namespace gk;

namespace {

struct Arguments {
    bool json = false, raw = false;
    std::string file = "-", number;
    std::vector<std::string> fields;
};

// IMAP's number; what has none of its own, the multipart that a message consists of, gets a 0: "0", "2.0".
std::string name_of(const message::Structure& structure, std::uint32_t index) {
    const message::Part& part = structure.parts[index];
    std::string number = message::part_number(structure, index);
    const bool message_root =
        part.parent == message::kNone || structure.parts[part.parent].kind == message::Part::Kind::Message;
    if (message_root && part.kind == message::Part::Kind::Multipart) number += number.empty() ? "0" : ".0";
    return number;
}

// Text that a stranger wrote must not command the terminal it is shown on.
void print(std::string_view text) {
    if (!cli::stdout_is_terminal()) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        return;
    }
    std::string safe;
    for (std::size_t i = 0; i < text.size();) {
        const char32_t c = charset::next_utf8(text, i);
        const bool control = (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0);
        charset::append_utf8(safe, control ? 0xFFFD : c);
    }
    std::fwrite(safe.data(), 1, safe.size(), stdout);
}

int tree(const Arguments& arguments) {
    const auto input = os::Input::open(arguments.file);
    if (!input) return cli::fail(input.error());
    const auto structure = message::scan(input->bytes());
    cli::Rows rows(arguments.json,
                   {"part", "type", "octets", "lines", "encoding", "charset", "disposition", "filename", "note"});
    for (std::uint32_t i = 0; i < structure.parts.size(); ++i) {
        const message::Part& part = structure.parts[i];
        const std::string indent = arguments.json ? std::string() : std::string(part.depth * 2, ' ');
        rows.add({name_of(structure, i), indent + charset::valid_utf8(part.type + '/' + part.subtype),
                  static_cast<std::int64_t>(part.body_octets), static_cast<std::int64_t>(part.body_lines),
                  charset::valid_utf8(part.encoding),
                  charset::valid_utf8(message::raw_parameter(part.parameters, "charset")),
                  charset::valid_utf8(part.disposition.value_or("")), message::file_name(part),
                  std::string(part.opaque ? "past a limit: not taken apart" : "")});
    }
    return 0;
}

int part(const Arguments& arguments) {
    const auto input = os::Input::open(arguments.file);
    if (!input) return cli::fail(input.error());
    const auto structure = message::scan(input->bytes());
    for (std::uint32_t i = 0; i < structure.parts.size(); ++i) {
        if (name_of(structure, i) != arguments.number) continue;
        message::Part found = structure.parts[i];
        if (arguments.raw || found.kind != message::Part::Kind::Leaf) found.encoding.clear();
        message::read_content(input->bytes(), found, [](std::string_view bytes) {
            if (cli::stdout_is_terminal()) print(bytes);
            else std::fwrite(bytes.data(), 1, bytes.size(), stdout);
            return std::ferror(stdout) == 0;
        });
        return 0;
    }
    std::fprintf(stderr, "gk-mime: the message has no part '%s'\n", text::printable(arguments.number).c_str());
    return 1;
}

int headers(const Arguments& arguments) {
    const auto input = os::Input::open(arguments.file);
    if (!input) return cli::fail(input.error());
    cli::Rows rows(arguments.json, {"name", "value"});
    bool any = false;
    message::FieldReader reader(input->bytes());
    for (message::Field field; reader.next(field);) {
        const bool wanted = arguments.fields.empty() ||
                            std::any_of(arguments.fields.begin(), arguments.fields.end(),
                                        [&](const std::string& name) { return text::equals_nocase(name, field.name); });
        if (!wanted) continue;
        any = true;
        if (arguments.raw) {
            print(field.whole);
            continue;
        }
        const std::string value = message::decode_text(field.value);
        if (arguments.json) rows.add({charset::valid_utf8(field.name), value});
        else print(charset::valid_utf8(field.name) + ": " + value + '\n');
    }
    return any || arguments.fields.empty() ? 0 : 1;
}

// What a reader would read: text parts that are no attachments, and of alternatives the first.
int readable(const Arguments& arguments) {
    const auto input = os::Input::open(arguments.file);
    if (!input) return cli::fail(input.error());
    const auto structure = message::scan(input->bytes());
    std::vector<bool> answered(structure.parts.size(), false);
    cli::Rows rows(arguments.json, {"part", "type", "text"});
    bool any = false;
    for (std::uint32_t i = 0; i < structure.parts.size(); ++i) {
        const message::Part& each = structure.parts[i];
        if (each.kind != message::Part::Kind::Leaf || each.type != "text" || each.disposition == "attachment") continue;
        const bool alternative =
            each.parent != message::kNone && structure.parts[each.parent].is("multipart", "alternative");
        if (alternative && answered[each.parent]) continue;
        if (alternative) answered[each.parent] = true;
        any = true;
        std::string whole;
        char last = '\n';
        message::read_text(input->bytes(), each, [&](std::string_view utf8) {
            if (arguments.json) whole += utf8;
            else print(utf8);
            last = utf8.back();
            return std::ferror(stdout) == 0;
        });
        if (arguments.json)
            rows.add({name_of(structure, i), charset::valid_utf8(each.type + '/' + each.subtype), whole});
        else if (last != '\n') print("\n");
    }
    return any ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments a;
    const cli::Operand file{"file", &a.file, "the message; standard input where it is - or absent", false};
    return cli::run(
        {.name = "gk-mime",
         .summary = "look into a message",
         .description =
             "Reads one message from FILE or standard input, with LF or CRLF line ends, by the same code that the "
             "daemons use, and within the same limits.",
         .options = {{"-j,--json", &a.json, "one JSON object per line"}},
         .commands = {{.name = "tree",
                       .summary = "list the parts: number, type, size on the wire, lines, encoding, charset, name",
                       .operands = {file},
                       .run = [&] { return tree(a); }},
                      {.name = "part",
                       .summary = "write the content of one part, its transfer encoding undone",
                       .options = {{"-r,--raw", &a.raw, "leave the transfer encoding as it is"}},
                       .operands = {{"number", &a.number, "of the part, as tree lists it: 1.2"}, file},
                       .run = [&] { return part(a); }},
                      {.name = "headers",
                       .summary = "list the header fields, unfolded and decoded",
                       .options = {{"-f,--field", &a.fields, "only fields of this name; may be repeated", "NAME"},
                                   {"-r,--raw", &a.raw, "as they are, folds and encoded words included"}},
                       .operands = {file},
                       .run = [&] { return headers(a); }},
                      {.name = "text",
                       .summary = "write the text to be read, as UTF-8",
                       .operands = {file},
                       .run = [&] { return readable(a); }}},
         .examples = {"gk-mime tree < message  # what it is made of",
                      "gk-mime part 2 message > picture.png  # save an attachment",
                      "gk-mime headers -f subject -f from message  # who wants what",
                      "gk-mime text --json message | jq -r .text  # the text for another program"}},
        argc, argv);
}
