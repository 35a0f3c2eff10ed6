// SPDX-License-Identifier: MIT
// links: imap
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/imap/grammar/parser.hpp"
#include "common/imap/grammar/reader.hpp"

using namespace gk::imap;

namespace {

void answer(CommandReader& reader, const AppendStep::Literal& literal) {
    if (literal.size % 2 == 0) reader.accept_message();
    else reader.refuse_message();
}

std::string events(std::string_view bytes, std::size_t piece) {
    ReaderLimits limits;
    limits.line = 2000;
    limits.literal = 500;
    limits.command = 4000;
    limits.skipped = 8000;
    CommandReader reader(limits);
    std::string said, message;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        reader.feed(bytes.substr(at, piece));
        for (;;) {
            const ReaderEvent event = reader.next();
            if (std::holds_alternative<NeedMore>(event)) break;
            said += static_cast<char>('a' + event.index());
            if (const auto* command = std::get_if<Command>(&event)) {
                said += command->tag + std::to_string(command->body.index());
                if (const auto* append = std::get_if<Append>(&command->body)) {
                    if (append->step.literal) answer(reader, *append->step.literal);
                }
                if (std::holds_alternative<Idle>(command->body)) reader.expect_raw_line(true);
            } else if (const auto* line = std::get_if<RawLine>(&event)) {
                said += line->line;
                reader.expect_raw_line(false);
            } else if (const auto* part = std::get_if<MessageBytes>(&event)) {
                said.pop_back();  // where a message is cut is the caller's business
                message += part->bytes;
            } else if (const auto* step = std::get_if<AppendStep>(&event)) {
                said += std::exchange(message, {}) + std::to_string(step->items.size());
                if (step->literal) answer(reader, *step->literal);
            }
        }
    }
    return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    const std::string whole = events(bytes, bytes.size() + 1);
    if (events(bytes, 1) != whole || events(bytes, 7) != whole) std::abort();
    static_cast<void>(parse_command(bytes));
    static_cast<void>(parse_sequence_set(bytes));
    return 0;
}
