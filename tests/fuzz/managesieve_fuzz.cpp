// SPDX-License-Identifier: MIT
// links: managesieve
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/managesieve/command.hpp"
#include "common/managesieve/prelogin.hpp"

using namespace gk;

namespace {

// What the grammar makes of BYTES, given in two parts.
std::string read(std::string_view bytes, std::size_t cut) {
    managesieve::LineReader reader({.line = 256, .literal = 64, .skipped = 512, .tokens = 8});
    std::string out;
    for (const auto part : {bytes.substr(0, cut), bytes.substr(cut)}) {
        reader.feed(part);
        while (const auto line = reader.next()) {
            const auto command = managesieve::parse_command(*line);
            out += command ? std::to_string(command->index()) : command.error().text;
            for (const auto& token : line->tokens) out += managesieve::format_string(token.text);
            out += '\n';
        }
    }
    return out + (reader.gave_up() ? "gave up" : "");
}

std::string log_in(std::string_view bytes, std::size_t cut, unsigned answers) {
    managesieve::PreLoginOptions options;
    options.tls = (answers & 1) != 0;
    options.starttls = true;
    options.mechanisms = {"SCRAM-SHA-256", "PLAIN"};
    managesieve::PreLogin dialogue(options);
    std::string out;
    for (const auto part : {bytes.substr(0, cut), bytes.substr(cut)}) {
        auto step = dialogue.feed(part);
        for (int turns = 0; turns < 1000; ++turns) {
            out += step.output;
            auth::LoginStep next;
            bool suspended = false;
            for (const auto& effect : step.effects) {
                auth::Reply reply;
                reply.kind = (answers & 2) != 0   ? auth::Reply::Kind::Fail
                             : (answers & 4) != 0 ? auth::Reply::Kind::Continue
                                                  : auth::Reply::Kind::Ok;
                suspended = true;
                if (std::holds_alternative<auth::StartTls>(effect)) next = dialogue.tls_started({"PLAIN"});
                else if (std::holds_alternative<auth::Begin>(effect) || std::holds_alternative<auth::Continue>(effect))
                    next = dialogue.authenticated(reply);
                else if (std::holds_alternative<auth::HandOver>(effect))
                    next = dialogue.session_refused(auth::FailCode::Temp, "x");
                else suspended = false;
            }
            if (!suspended) break;
            step = std::move(next);
        }
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const unsigned answers = data[0];
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::size_t cut = std::min<std::size_t>(data[1], bytes.size());
    if (read(bytes, cut) != read(bytes, bytes.size())) std::abort();
    // What a client sends in the clear behind STARTTLS is dropped, wherever it is cut: only without that it must agree.
    const auto split = log_in(bytes, cut, answers | 1), whole = log_in(bytes, bytes.size(), answers | 1);
    if (split != whole) std::abort();
    log_in(bytes, cut, answers & ~1u);
    return 0;
}
